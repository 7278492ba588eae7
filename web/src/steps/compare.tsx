import { signal } from "@preact/signals";
import { Go } from "../parts/go.js";
import { task } from "../parts/job.js";
import { announce } from "../parts/live.js";
import { Picture } from "../parts/picture.js";
import { recorded } from "../recorded.js";
import * as state from "../state.js";
import { HEUN_STEPS, PRESETS, seedAndLabel } from "./choices.js";

const few = task<"steps">();
const many = task<"teacher">();
const busy = signal(false);
const trouble = signal<string | undefined>(undefined);
const made = signal<readonly Float32Array[] | undefined>(undefined);

const all = {
  ...{ busy, trouble },
  stop() {
    few.stop();
    many.stop();
  },
};

const NAMES = ["1 step", "2 steps", "4 steps", `teacher, ${2 * HEUN_STEPS - 1}`];

/** One after the other; whoever stops one of them stops the rest. */
async function compare(): Promise<void> {
  const whose = seedAndLabel();
  busy.value = true;
  trouble.value = undefined;
  made.value = [];
  try {
    for (const ts of Object.values(PRESETS)) {
      const strip = await few.start({ kind: "steps", ...whose, ts, zeta: state.zeta.value });
      if (!strip) return;
      made.value = [...made.value, strip.image];
    }
    const strip = await many.start({ kind: "teacher", ...whose, steps: HEUN_STEPS });
    if (!strip) return;
    made.value = [...made.value, strip.image];
    announce("One seed in one step, two and four, and by the teacher.");
  } finally {
    busy.value = false;
    trouble.value = few.trouble.value ?? many.trouble.value;
  }
}

/** What each number of steps made of the recorded seed. */
const stored = () => [1, 5, 13, 14].map((i) => recorded.steps[i]!);

/** The same seed in one step, two and four, beside the teacher's picture. */
export function Compare() {
  const pictures = made.value ?? stored();
  return (
    <>
      <p class="legend">One seed in so many steps{made.value ? "" : ": a sandal, recorded"}</p>
      <div class="large four">
        {NAMES.map((name, i) => (
          <figure key={name}>
            <Picture values={pictures[i]} label={`The same seed: ${name}`} />
            <figcaption>{name}</figcaption>
          </figure>
        ))}
      </div>
      <Go second of={all} onStart={() => void compare()}>
        This seed, side by side
      </Go>
    </>
  );
}
