/** Pictures that are generated: one alone at first, then sheets. */
import { signal } from "@preact/signals";
import { run } from "../engine/client.js";
import { type Generated, PIXELS } from "../engine/protocol.js";

export interface Sheet {
  readonly images: readonly Float32Array[];
  readonly labels: readonly number[];
  readonly seeds: readonly number[];
  readonly made?: Pick<Generated, "seconds" | "adapter" | "texts">;
}

/** The sheet at the top: one picture of each class. */
export const hero = signal<Sheet | undefined>(undefined);
export const parts = (images: Float32Array): Float32Array[] =>
  Array.from({ length: images.length / PIXELS }, (_, i) => images.slice(i * PIXELS, (i + 1) * PIXELS));

const ALL = Array.from({ length: 10 }, (_, i) => i);

/** The first pictures of a visit: one alone, so that it is there soon, then the others. A visitor's own wish goes first. */
export async function greet(recorded: readonly Float32Array[]): Promise<void> {
  const seed = Math.floor(Math.random() * 1e5);
  const seeds = ALL.map((i) => seed + i);
  const images = recorded.slice(0, ALL.length);
  try {
    for (const labels of [ALL.slice(0, 1), ALL.slice(1)]) {
      const own = labels.map((label) => seeds[label]!);
      const { images: made, ...rest } = await run({ kind: "generate", seeds: own, labels, ts: [10], zeta: 1 }).result;
      parts(made).forEach((image, i) => {
        images[labels[i]!] = image;
      });
      hero.value = { images: [...images], labels: ALL, seeds, made: rest };
    }
  } catch {
    // The status line says what is wrong; the recorded ones stay.
  }
}
