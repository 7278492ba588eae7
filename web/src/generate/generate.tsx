import { signal } from "@preact/signals";
import { className } from "../desk/subject.js";
import { Seed, Slider } from "../parts/controls.js";
import { savePng } from "../parts/files.js";
import { Go } from "../parts/go.js";
import { task } from "../parts/job.js";
import { announce } from "../parts/live.js";
import { Picture } from "../parts/picture.js";
import { recorded } from "../recorded.js";
import * as state from "../state.js";
import { parts, type Sheet } from "./sheet.js";

const job = task<"generate">();
const sheet = signal<Sheet | undefined>(undefined);

const WALK = 10;

async function show(request: Omit<Parameters<typeof job.start>[0], "kind" | "ts" | "zeta">): Promise<void> {
  const settings = { ts: state.madeTs.value, zeta: state.zeta.value };
  const result = await job.start({ kind: "generate", ...settings, ...request });
  if (!result) return;
  const { images, ...made } = result;
  sheet.value = { images: parts(images), labels: request.labels, seeds: request.seeds, made };
  announce(`${request.seeds.length} pictures in ${made.seconds.toFixed(1)} seconds.`);
}

/** As many pictures as are asked for, of one class or of all in turn. */
function generate(): void {
  const seeds = Array.from({ length: state.madeCount.value }, (_, i) => state.madeSeed.value + i);
  const labels = seeds.map((_, i) => (state.madeClass.value < 0 ? i % 10 : state.madeClass.value));
  void show({ seeds, labels });
}

/** From one seed's picture to that of the next one. */
function walk(): void {
  const shares = Array.from({ length: WALK }, (_, i) => i / (WALK - 1));
  const seeds = shares.map(() => state.madeSeed.value);
  const labels = shares.map(() => Math.max(0, state.madeClass.value));
  void show({ seeds, labels, walk: { to: state.madeSeed.value + 1, shares } });
}

function Classes() {
  const choose = (label: number) => (
    <button
      key={label}
      type="button"
      class="class"
      aria-pressed={state.madeClass.value === label}
      onClick={() => {
        state.madeClass.value = label;
      }}
    >
      {label >= 0 && <Picture values={recorded.classes[label]} label="" />}
      <span>{label < 0 ? "All kinds" : className(label)}</span>
    </button>
  );
  return (
    <fieldset class="classes">
      <legend class="unseen">What is generated</legend>
      {[-1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map(choose)}
    </fieldset>
  );
}

export function Generate() {
  const now = sheet.value;
  const texts = now?.made?.texts;
  return (
    <div class="panel">
      <Classes />
      <div class="panel-controls">
        <Slider
          label="Pictures"
          value={state.madeCount.value}
          min={1}
          max={60}
          step={1}
          onInput={(v) => (state.madeCount.value = v)}
        />
        <Seed label="First seed" value={state.madeSeed.value} onInput={(v) => (state.madeSeed.value = v)} />
        <div class="row">
          <Go of={job} onStart={generate}>
            Generate
          </Go>
          <button
            type="button"
            class="plain"
            onClick={walk}
            title="The pictures on the way from this seed's noise to the next one's"
          >
            Walk to the next seed
          </button>
        </div>
      </div>
      {now && (
        <figure class="sheet">
          <div>
            {now.images.map((values, i) =>
              texts?.[i] ? (
                <button
                  key={i}
                  type="button"
                  class="thumb full"
                  title={`${className(now.labels[i]!)}, seed ${now.seeds[i]}: save as a PNG`}
                  aria-label={`${className(now.labels[i]!)}, seed ${now.seeds[i]}: save as a PNG`}
                  onClick={() => {
                    const text = { ...texts[i], "ncvsd-gpu:desk": state.written() };
                    void savePng(values, text, `${String(now.seeds[i]).padStart(6, "0")}.png`);
                  }}
                >
                  <Picture values={values} label="" />
                </button>
              ) : (
                <Picture
                  key={i}
                  values={values}
                  label={`${className(now.labels[i]!)}, ${i + 1} of ${now.images.length} on the way`}
                />
              ),
            )}
          </div>
          <figcaption>
            {now.images.length} pictures in {now.made!.seconds.toFixed(2)} s on {now.made!.adapter}.{" "}
            {texts?.length
              ? "Click one to save it: the PNG says how to make it again."
              : "From one seed's noise to the next one's, along an arc."}
          </figcaption>
        </figure>
      )}
    </div>
  );
}
