import { basename } from "node:path";
import { bad } from "../../errors.js";
import { inOrder } from "../../figures/arrange.js";
import { checkSheet, type Sheet, sheetFile, sheetPng } from "../../figures/sheet.js";
import { animatedPng } from "../../image/apng.js";
import { imagesFromValues, type RawImage } from "../../image/pixels.js";
import { type GenerateTask, sampleBatch } from "../../runs/generate.js";
import { className } from "../../runs/labels.js";
import { version } from "../../runs/package.js";
import { writeAtomic } from "../../runs/whole-file.js";
import type { StepEvent } from "../../sample/multi-step.js";
import { samplers } from "../../sample/samplers.js";
import type { Pictures } from "./vae.js";

/** Seeds that are shown. */
const ROWS = 8;

/** Steps of a sampler as columns. */
const stepsOf = ({ sampler }: GenerateTask): number => {
  const { steps } = sampler.settings;
  return typeof steps === "number" ? steps : samplers[sampler.name].evaluations(sampler.settings);
};

/** What is shown of a step: one column of a sheet, or one frame. */
interface Shown {
  readonly sigma: string;
  /** One picture a seed. */
  readonly images: readonly RawImage[];
}

/** A row a seed, a column a step. */
function sheetOf(task: GenerateTask, steps: readonly Shown[]): Sheet {
  return {
    groups: [{ columns: steps.map(({ sigma }) => sigma) }],
    rows: steps[0]!.images.map((_, i) => ({
      label: seedOf(task, i),
      cells: steps.map(({ images }) => ({ image: images[i]! })),
    })),
    caption: captionOf(task),
  };
}

/** One step alone, in the same size for all of them. */
function frameOf(task: GenerateTask, steps: readonly Shown[], step: number): Sheet {
  const { sigma, images } = steps[step]!;
  const cells = images.map((image, i) => ({ image, label: seedOf(task, i) }));
  return { title: `Step ${step + 1} of ${steps.length}, ${sigma}`, rows: inOrder(cells), caption: captionOf(task) };
}

function seedOf({ model, seeds, labels }: GenerateTask, i: number): string {
  const names = { labelDim: model.config.label_dim, labels: model.labels };
  return [`seed ${seeds[i]}`, ...(labels ? [className(labels[i]!, names)] : [])].join(", ");
}

function captionOf({ model, seeds, sampler }: GenerateTask): string {
  const shown = seeds.length > ROWS ? ` The first ${ROWS} of ${seeds.length} seeds.` : "";
  const how = samplers[sampler.name].label(sampler.settings);
  return `${basename(model.checkpoint.name)}; ${how}: what the network takes for the image at each step.${shown}`;
}

const moves = (path: string) => /\.apng$/i.test(path);

/** Milliseconds of each of so many frames: four seconds in all where that is no flicker, the last for longer. */
function delaysOf(count: number): number[] {
  const each = Math.round(Math.min(600, Math.max(80, 4000 / count)));
  return Array.from({ length: count }, (_, i) => (i === count - 1 ? 2000 : each));
}

async function fileOf(path: string, task: GenerateTask, steps: readonly Shown[]): Promise<Uint8Array> {
  const text = { "ncvsd-gpu:sheet": version };
  if (!moves(path)) return sheetFile(path, sheetOf(task, steps), text);
  const frames: Uint8Array[] = [];
  for (const step of steps.keys()) frames.push(await sheetPng(frameOf(task, steps, step), {}));
  return animatedPng(frames, delaysOf(steps.length), text);
}

/** All frames of an animation lie in memory. */
const MAX_PIXELS = 2 ** 27;

function checkFrames(count: number, { width, height }: { readonly width: number; readonly height: number }): void {
  // Small sheets are drawn at twice their size.
  if (4 * count * width * height > MAX_PIXELS) throw bad(`${count} frames of ${width}x${height} are too many`);
}

/** @throws NcvsdError BAD_ARGUMENT when there would be nothing to show, or a sheet that is too large */
export function checkStepsGrid(path: string, task: GenerateTask, { pictures, shape }: Pictures): void {
  if (pictures === null) throw bad(`--steps-grid ${path}: latents are no pictures: give their decoder with --vae.`);
  const [channels, height, width] = shape;
  const blank: RawImage = { width, height, channels: channels === 1 ? 1 : 3, data: new Uint8Array() };
  const images = task.seeds.slice(0, ROWS).map(() => blank);
  const steps = new Array<Shown>(stepsOf(task)).fill({ sigma: "sigma 0.002", images });
  try {
    if (!moves(path)) checkSheet(sheetOf(task, steps));
    else checkFrames(steps.length, checkSheet(frameOf(task, steps, 0)));
  } catch (cause) {
    throw bad(
      `--steps-grid ${path}: ${steps.length} steps of ${width}x${height} are too many for one ${moves(path) ? "animation" : "sheet"}; name fewer seeds or steps.`,
      cause,
    );
  }
}

/** Samples the first seeds once more and writes what the network estimates after every step. */
export async function writeStepsGrid(path: string, task: GenerateTask, { pictures }: Pictures): Promise<void> {
  const seeds = task.seeds.slice(0, ROWS);
  const shown: { sigma: string; images: RawImage[] }[] = [];
  // Not all at once: a device may hold no more than a batch.
  let at = 0;
  const followed = async (some: readonly number[]) => {
    const estimates: { sigma: number; values: Float32Array }[] = [];
    const onStep = async ({ step, steps, sigma, denoised, preview }: StepEvent) => {
      estimates.push({ sigma, values: await (step === steps || !denoised ? preview() : denoised()) });
    };
    const { shape } = await sampleBatch(task, some, task.labels?.slice(at, at + some.length), onStep);
    return { shape, estimates };
  };
  while (at < seeds.length) {
    const { some, result } = await task.batch.next(seeds, at, followed);
    const { shape, estimates } = result;
    at += some.length;
    for (const [step, { sigma, values }] of estimates.entries()) {
      shown[step] ??= { sigma: `sigma ${Number(sigma.toPrecision(2))}`, images: [] };
      shown[step].images.push(...(pictures ? await pictures(values, shape) : imagesFromValues(values, shape)));
    }
  }
  writeAtomic(path, await fileOf(path, task, shown));
}
