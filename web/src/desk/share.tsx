import { useSignal } from "@preact/signals";
import { run } from "../engine/client.js";
import { boxMask } from "../engine/masks.js";
import { save } from "../parts/files.js";
import { announce } from "../parts/live.js";
import * as state from "../state.js";
import { code, command, needsMask } from "./command.js";
import { truth } from "./subject.js";

/** A button that copies a text and says so. */
export function Copy({ children, text }: { children: string; text(): string }) {
  const done = useSignal(false);
  // What the browser does not let the page copy.
  const kept = useSignal<string | undefined>(undefined);
  const copy = async () => {
    const words = text();
    kept.value = undefined;
    try {
      await navigator.clipboard.writeText(words);
    } catch {
      kept.value = words;
      announce("The browser does not allow copying: the text is below.");
      return;
    }
    done.value = true;
    announce("Copied.");
    setTimeout(() => {
      done.value = false;
    }, 1500);
  };
  return (
    <>
      <button type="button" class="plain" onClick={() => void copy()}>
        {done.value ? "Copied" : children}
      </button>
      {kept.value !== undefined && (
        <textarea readOnly rows={4} value={kept.value} aria-label={`${children}, to be copied by hand`} />
      )}
    </>
  );
}

const address = () => {
  const search = state.written();
  return `${location.origin}${location.pathname}${search ? `?${search}` : ""}`;
};

async function savePicture(values: Float32Array, name: string): Promise<void> {
  save(await run({ kind: "png", images: values, text: {} }).result, name);
}

/** The choices elsewhere: as a link, a command, a program. */
export function Share() {
  const picture = truth.value;
  const mask = () =>
    Float32Array.from(state.task.value === "box" ? boxMask(state.box.value) : state.mask.value, (v) => 2 * v - 1);
  return (
    <div class="share">
      <Copy text={address}>Copy link</Copy>
      <Copy text={command}>Copy as command</Copy>
      <Copy text={code}>Copy as code</Copy>
      {needsMask() && (
        <button type="button" class="plain" onClick={() => void savePicture(mask(), "mask.png")}>
          Save mask.png
        </button>
      )}
      {picture && (
        <button
          type="button"
          class="plain"
          title="The copied program reads it, and the command where the picture is your own"
          onClick={() => void savePicture(picture.slice(), "picture.png")}
        >
          Save picture.png
        </button>
      )}
    </div>
  );
}
