import { className } from "../desk/subject.js";
import { Picture } from "../parts/picture.js";
import { hero } from "./sheet.js";

/** One picture of each class, made just now where there is a GPU. */
export function Hero() {
  const now = hero.value;
  if (!now) return null;
  return (
    <figure class="hero-sheet">
      <div>
        {now.images.map((values, i) => (
          <Picture key={i} values={values} label={`${className(now.labels[i]!)}, generated`} />
        ))}
      </div>
      <figcaption>
        {now.made
          ? "None of these exists: drawn just now, on your GPU, in one evaluation each."
          : "None of these exists: drawn earlier, in one evaluation of the network each."}
      </figcaption>
    </figure>
  );
}
