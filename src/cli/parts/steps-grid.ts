import { basename } from "node:path";
import { bad } from "../../errors.js";
import { checkSheet, type Sheet, sheetFile } from "../../figures/sheet.js";
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

function sheetOf(task: GenerateTask, columns: readonly string[], rows: readonly (readonly RawImage[])[]): Sheet {
  const { model, seeds, labels, sampler } = task;
  const names = { labelDim: model.config.label_dim, labels: model.labels };
  const shown = rows.length < seeds.length ? ` The first ${rows.length} of ${seeds.length} seeds.` : "";
  const how = samplers[sampler.name].label(sampler.settings);
  return {
    groups: [{ columns }],
    rows: rows.map((images, i) => ({
      label: [`seed ${seeds[i]}`, ...(labels ? [className(labels[i]!, names)] : [])].join(", "),
      cells: images.map((image) => ({ image })),
    })),
    caption: `${basename(model.checkpoint.name)}; ${how}: what the network takes for the image at each step.${shown}`,
  };
}

/** @throws NcvsdError BAD_ARGUMENT when there would be nothing to show, or a sheet that is too large */
export function checkStepsGrid(path: string, task: GenerateTask, { pictures, shape }: Pictures): void {
  if (pictures === null) throw bad(`--steps-grid ${path}: latents are no pictures: give their decoder with --vae.`);
  const [channels, height, width] = shape;
  const blank: RawImage = { width, height, channels: channels === 1 ? 1 : 3, data: new Uint8Array() };
  const columns = new Array<string>(stepsOf(task)).fill("sigma 0.002");
  const rows = task.seeds.slice(0, ROWS).map(() => columns.map(() => blank));
  try {
    checkSheet(sheetOf(task, columns, rows));
  } catch (cause) {
    throw bad(
      `--steps-grid ${path}: ${columns.length} steps of ${width}x${height} are too many for one sheet; name fewer seeds or steps.`,
      cause,
    );
  }
}

/** Samples the first seeds once more and writes what the network estimates after every step, a row a seed. */
export async function writeStepsGrid(path: string, task: GenerateTask, { pictures }: Pictures): Promise<void> {
  const count = Math.min(ROWS, task.seeds.length);
  const rows: RawImage[][] = [];
  let columns: string[] = [];
  // Not all at once: a device may hold no more than a batch.
  for (let at = 0; at < count; at += task.batch) {
    const end = Math.min(count, at + task.batch);
    const sigmas: string[] = [];
    const estimates: Float32Array[] = [];
    const onStep = async (event: StepEvent) => {
      sigmas.push(`sigma ${Number(event.sigma.toPrecision(2))}`);
      const last = event.step === event.steps;
      estimates.push(await (last || !event.denoised ? event.preview() : event.denoised()));
    };
    const { shape } = await sampleBatch(task, task.seeds.slice(at, end), task.labels?.slice(at, end), onStep);
    const steps: (readonly RawImage[])[] = [];
    for (const values of estimates)
      steps.push(pictures ? await pictures(values, shape) : imagesFromValues(values, shape));
    for (let i = 0; i < end - at; i++) rows.push(steps.map((images) => images[i]!));
    columns = sigmas;
  }
  writeAtomic(path, await sheetFile(path, sheetOf(task, columns, rows), { "ncvsd-gpu:sheet": version }));
}
