import { basename } from "node:path";
import type { Command } from "commander";
import { openCheckpoint } from "../../checkpoint/index.js";
import { type Input, readInputs, readMask } from "../../data/inputs.js";
import { bad, counted, quote } from "../../errors.js";
import { inOrder } from "../../figures/arrange.js";
import { checkSheet, type Sheet, sheetFile } from "../../figures/sheet.js";
import type { Gpu } from "../../gpu/device.js";
import { imagesFromValues, type RawImage } from "../../image/pixels.js";
import { loadDiscoImages, TIMELESS } from "../../networks/edm2/timeless.js";
import type { ImageShape } from "../../networks/session.js";
import { version } from "../../runs/package.js";
import { createProgress } from "../../runs/progress.js";
import { writeAtomic } from "../../runs/whole-file.js";
import { sampleHeun } from "../../sample/heun.js";
import type { EngineOptions } from "../parts/engine.js";
import { refuseGiven } from "./train-pictures.js";

/** Options of `disco sample` that pictures have too, or alone. */
export interface PictureSampleFlags extends EngineOptions {
  model: string;
  n?: number;
  steps?: number;
  seed: number;
  out?: string;
  image?: string;
  mask?: string;
  as: "noisy" | "clean";
  sigmaMax?: number;
  json?: boolean;
}

/** Options that only pictures have, and those that only tables have. */
export const PICTURES = ["image", "mask", "as", "sigmaMax"];
const TABLES = ["given", "sampler", "cool", "tau", "moves", "leapfrog", "plot"];

/** Steps of the sampler, pictures, and those that are sampled together. */
const STEPS = 18;
const COUNT = 16;
const BATCH = 16;
/** Pictures that a sheet can hold at most, however small they are. */
const MAX_CELLS = 10_000;

/** Whether the network is a model of pictures. */
export async function isPictureModel(path: string): Promise<boolean> {
  const checkpoint = await openCheckpoint(path);
  const { architecture } = checkpoint.metadata;
  await checkpoint.close();
  return architecture === TIMELESS;
}

/** @throws BAD_ARGUMENT for options that are not for pictures */
export function checkPictureFlags({ image, mask, as, out }: PictureSampleFlags, command: Command): void {
  refuseGiven(command, TABLES, "is for tables: --model is a model of pictures");
  if ((image === undefined) !== (mask === undefined))
    throw bad("--image and --mask belong together: the pixels of the image where the mask is white are given");
  if (as === "clean" && image === undefined) throw bad("--as clean is about given pixels: give --image and --mask");
  if (out !== undefined && !/\.png$/i.test(out))
    throw bad(`--out ${quote(out)}: pictures are written as PNG; name it so`);
}

/** Which pixels of a side are given, 1 for those: one of the names, or a file. */
const MASKS: Readonly<Record<string, (along: number, down: number) => boolean>> = {
  left: (along) => along < 0.5,
  right: (along) => along >= 0.5,
  top: (_, down) => down < 0.5,
  bottom: (_, down) => down >= 0.5,
  frame: (along, down) => Math.max(Math.abs(along - 0.5), Math.abs(down - 0.5)) >= 0.25,
};
export const MASK_NAMES = Object.keys(MASKS).join(", ");

async function maskOf(name: string, shape: ImageShape): Promise<Float32Array> {
  const [channels, height, width] = shape;
  const named = Object.hasOwn(MASKS, name) ? MASKS[name] : undefined;
  const mask = named
    ? Float32Array.from({ length: height * width }, (_, i) =>
        Number(named(((i % width) + 0.5) / width, (Math.floor(i / width) + 0.5) / height)),
      )
    : await readMask(name, shape);
  const all = channels * height * width;
  return Float32Array.from({ length: all }, (_, i) => mask[i % mask.length]!);
}

/** Samples pictures, or completes given ones, into a sheet. */
export async function samplePictures(gpu: Gpu, flags: PictureSampleFlags): Promise<void> {
  const model = await loadDiscoImages(gpu, flags.model);
  const { n = COUNT, steps = STEPS, seed, out = "samples.png", image, mask, as, sigmaMax } = flags;
  const say = (line: string) => process.stderr.write(`${line}\n`);
  const expected = { shape: model.shape, what: "images", whose: `the model ${flags.model}`, say } as const;
  const given = image === undefined ? [] : await readInputs(image, expected);
  const where = mask === undefined ? undefined : await maskOf(mask, model.shape);
  const total = Math.max(1, given.length) * n;
  const caption = `${basename(flags.model)}; ${steps} Heun steps; seeds from ${seed} on`;
  const sheetOf = (rows: readonly (readonly RawImage[])[]): Sheet => ({
    ...(where
      ? completedSheet(given, where, rows, model.shape)
      : { rows: inOrder(rows[0]!.map((image) => ({ image }))) }),
    caption,
  });
  checkRoom(sheetOf, total / n, n, model.shape);
  const progress = createProgress({ total, label: "sampling", unit: "image", silent: Boolean(flags.json) });
  const started = performance.now();
  const rows: RawImage[][] = [];
  try {
    for (const [row, input] of (given.length > 0 ? given : [undefined]).entries()) {
      const own: RawImage[] = [];
      for (let at = 0; at < n; at += BATCH) {
        const count = Math.min(BATCH, n - at);
        const seeds = Array.from({ length: count }, (_, i) => (seed + row * n + at + i) % 2 ** 32);
        const known = input && where && { image: input.values, mask: where, as };
        const level = sigmaMax === undefined ? {} : { sigmaMax };
        const { images, shape } = await sampleHeun(model, { seeds, steps, ...level, ...(known && { known }) });
        own.push(...imagesFromValues(images, shape));
        progress.update(row * n + at + count);
      }
      rows.push(own);
    }
  } finally {
    progress.stop();
    await model.close();
  }
  writeAtomic(out, await sheetFile(out, sheetOf(rows), { "ncvsd-gpu:sheet": version }));
  const seconds = (performance.now() - started) / 1000;
  const facts = { out, n, images: given.map(({ name }) => name), steps, seed, evaluations: 2 * steps - 1, seconds };
  if (flags.json) process.stdout.write(`${JSON.stringify({ ...facts, adapter: gpu.info.name })}\n`);
  else {
    say(`${counted(total, "picture")} in ${seconds.toFixed(1)} s: ${counted(2 * steps - 1, "evaluation")} each`);
    process.stdout.write(`${out}\n`);
  }
}

/** Says before the sampling what could not be shown after it. */
function checkRoom(
  sheetOf: (rows: readonly (readonly RawImage[])[]) => Sheet,
  rows: number,
  n: number,
  [channels, height, width]: ImageShape,
): void {
  const fail = (cause?: unknown) =>
    bad(`${rows * n} pictures of ${width}x${height} are too many for one sheet: take a smaller --n`, cause);
  if (rows * n > MAX_CELLS) throw fail();
  const blank: RawImage = { width, height, channels: channels === 1 ? 1 : 3, data: new Uint8Array() };
  try {
    checkSheet(sheetOf(new Array<RawImage[]>(rows).fill(new Array<RawImage>(n).fill(blank))));
  } catch (cause) {
    throw fail(cause);
  }
}

/** A row for every picture: itself, what was given of it, and what it was completed to. */
function completedSheet(
  given: readonly Input[],
  mask: Float32Array,
  rows: readonly (readonly RawImage[])[],
  shape: ImageShape,
): Sheet {
  const one = (values: Float32Array) => imagesFromValues(values, [1, ...shape])[0]!;
  return {
    groups: [{ columns: ["picture", "given", ...rows[0]!.map((_, i) => (i === 0 ? "completed" : ""))] }],
    rows: given.map(({ values }, row) => ({
      cells: [one(values), one(values.map((v, i) => (mask[i] ? v : 0))), ...rows[row]!].map((image) => ({ image })),
    })),
  };
}
