/** Pictures that are generated: one alone at first, then sheets. */
import { signal } from "@preact/signals";
import { JobError, type Running, run } from "../engine/client.js";
import type { Generated } from "../engine/protocol.js";
import { announce } from "../parts/live.js";
import * as state from "../state.js";

export interface Sheet {
  readonly images: readonly Float32Array[];
  readonly labels: readonly number[];
  readonly seeds: readonly number[];
  readonly made?: Pick<Generated, "seconds" | "adapter" | "texts">;
}

/** The sheet at the top: one picture of each class. */
export const hero = signal<Sheet | undefined>(undefined);
/** What the visitor asked for. */
export const sheet = signal<Sheet | undefined>(undefined);
export const busy = signal(false);
export const trouble = signal<string | undefined>(undefined);

const PIXELS = 1024;
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

let running: Running<"generate"> | undefined;

/** As many pictures as are asked for, of one class or of all in turn. */
export async function generate(): Promise<void> {
  const first = state.madeSeed.value;
  const seeds = Array.from({ length: state.madeCount.value }, (_, i) => first + i);
  const labels = seeds.map((_, i) => (state.madeClass.value < 0 ? i % 10 : state.madeClass.value));
  await show({ kind: "generate", seeds, labels, ts: state.madeTs.value, zeta: state.zeta.value });
}

/** From one seed's picture to the next one's. */
export async function walk(): Promise<void> {
  const shares = Array.from({ length: 10 }, (_, i) => i / 9);
  const seeds = shares.map(() => state.madeSeed.value);
  const labels = shares.map(() => Math.max(0, state.madeClass.value));
  const way = { to: state.madeSeed.value + 1, shares };
  await show({ kind: "generate", seeds, labels, ts: state.madeTs.value, zeta: state.zeta.value, walk: way });
}

async function show(job: Parameters<typeof run<"generate">>[0]): Promise<void> {
  trouble.value = undefined;
  busy.value = true;
  const own = run(job);
  running = own;
  try {
    const { images, ...made } = await own.result;
    if (running !== own) return;
    sheet.value = { images: parts(images), labels: job.labels, seeds: job.seeds, made };
    announce(`${job.seeds.length} pictures in ${made.seconds.toFixed(1)} seconds.`);
  } catch (error) {
    if (running === own && !(error instanceof JobError && error.code === "STOPPED"))
      trouble.value = (error as Error).message;
  } finally {
    if (running === own) {
      busy.value = false;
      running = undefined;
    }
  }
}
