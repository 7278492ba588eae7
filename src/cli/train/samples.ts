import type { DatasetItem } from "../../data/dataset.js";
import { momentsOf, statisticsOf } from "../../evaluate/statistics.js";
import { grouped, inOrder } from "../../figures/arrange.js";
import { sheetPng } from "../../figures/sheet.js";
import type { Gpu } from "../../gpu/device.js";
import { type BatchShape, fromByte, imagesFromValues, type RawImage, toByte } from "../../image/pixels.js";
import { resampled } from "../../image/resample.js";
import { loadModel, type Model } from "../../networks/edm2/model.js";
import { type DiscoImageModel, loadDiscoImages } from "../../networks/edm2/timeless.js";
import { FeatureExtractor } from "../../networks/features/extractor.js";
import type { Labels } from "../../networks/session.js";
import { Vae } from "../../networks/vae/vae.js";
import { className } from "../../runs/labels.js";
import { bundledFeatures, bundledReference, version } from "../../runs/package.js";
import { sampleHeun } from "../../sample/heun.js";
import { sampleMultiStep } from "../../sample/multi-step.js";
import { openReference } from "../evaluate/options.js";
import { toImages } from "../parts/vae.js";

export interface SamplePlan {
  /** Images of a sheet; 0: none. */
  readonly count: number;
  /** Images of the distance; 0: none. */
  readonly fd: number;
  /** Heun steps of a teacher, or the time steps of a generator. */
  readonly steps: number | readonly number[];
  /** Images at a time. */
  readonly batch: number;
  /** A model without noise levels. */
  readonly timeless?: boolean;
  /** The file that makes pictures of latents. */
  readonly vae?: string | undefined;
}

/** Where labels that are no classes come from. */
export interface LabelSource {
  readonly length: number;
  readonly labels: { readonly dim: number; readonly classes: Int32Array | undefined };
  item(index: number): Promise<Pick<DatasetItem, "label">>;
}

export interface Sampled {
  readonly sheet?: Uint8Array;
  readonly fd?: number;
}

type Sampleable = Model | DiscoImageModel;

/** Images of a stored average by Heun's sampler, seeds from 0 on, classes in turn: a sheet, and a distance to the bundled data. */
export async function sampleSnapshot(
  gpu: Gpu,
  bytes: Uint8Array,
  plan: SamplePlan,
  source: LabelSource,
): Promise<Sampled> {
  if (plan.count === 0 && plan.fd === 0) return {};
  const model = await (plan.timeless ? loadDiscoImages(gpu, bytes) : loadModel(gpu, bytes));
  try {
    const sheet =
      plan.count === 0
        ? {}
        : { sheet: await sheetOf(model, await draw(model, plan, source, plan.count), plan, source) };
    return plan.fd === 0 ? sheet : { ...sheet, fd: await distance(gpu, await draw(model, plan, source, plan.fd)) };
  } finally {
    await model.close();
  }
}

/** [N, C, H, W] */
async function draw(model: Sampleable, { steps, batch }: SamplePlan, source: LabelSource, count: number) {
  const one = model.shape.reduce((a, b) => a * b, 1);
  const all = new Float32Array(count * one);
  for (let at = 0; at < count; at += batch) {
    const seeds = Array.from({ length: Math.min(batch, count - at) }, (_, i) => at + i);
    const labels = await labelsOf(model, source, seeds);
    const given = { seeds, ...(labels && { labels }) };
    const { images } = await (typeof steps === "number"
      ? sampleHeun(model, { ...given, steps })
      : sampleMultiStep(model as Model, { ...given, ts: steps }));
    all.set(images, at * one);
    // Signals are delivered in between.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return all;
}

async function labelsOf(
  { labelDim: dim }: Sampleable,
  source: LabelSource,
  seeds: readonly number[],
): Promise<Labels | undefined> {
  // Whatever the network could be told: it was trained on images without.
  if (dim === 0 || source.labels.dim === 0) return undefined;
  if (source.labels.classes) return seeds.map((seed) => seed % dim);
  const rows = await Promise.all(seeds.map(async (seed) => (await source.item(seed % source.length)).label));
  return Float32Array.from(rows.flatMap((row) => [...row]));
}

/** Sides of a sheet's pictures at most: a report holds a dozen sheets. */
const LARGEST_SIDE = 128;

/** Class by class where there are classes; the caption says how they were made. */
async function sheetOf(
  model: Sampleable,
  values: Float32Array,
  { steps, vae }: SamplePlan,
  source: LabelSource,
): Promise<Uint8Array> {
  const one = model.shape.reduce((a, b) => a * b, 1);
  const shape: BatchShape = [values.length / one, ...model.shape];
  const images = vae === undefined ? imagesFromValues(values, shape) : await decoded(model.gpu, vae, values, shape);
  const cells = images.map((image) => ({ image }));
  const { labelDim } = model;
  const names = { labelDim, labels: "labels" in model ? model.labels : undefined };
  const rows =
    labelDim > 0 && source.labels.classes
      ? grouped(
          cells,
          cells.map((_, seed) => seed % labelDim),
          (label) => className(label, names),
        )
      : inOrder(cells, Math.ceil(Math.sqrt(cells.length)));
  const how = typeof steps === "number" ? `${steps} Heun steps` : `time steps ${steps.join(", ")}`;
  return sheetPng({ rows, caption: `Seeds 0 to ${cells.length - 1}, ${how}.` }, { "ncvsd-gpu:sheet": version });
}

/** Latents as pictures. The VAE is on the device for as long as that takes. */
async function decoded(gpu: Gpu, file: string, values: Float32Array, [count, ...shape]: BatchShape) {
  const vae = await Vae.open(gpu, file);
  try {
    const images: RawImage[] = [];
    const one = values.length / count;
    for (let i = 0; i < count; i++) {
      const { images: decoded, shape: size } = await vae.decode(values.subarray(i * one, (i + 1) * one), [1, ...shape]);
      const [image] = toImages(decoded, size);
      const share = Math.min(1, LARGEST_SIDE / Math.max(image!.width, image!.height));
      images.push(resampled(image!, Math.round(share * image!.width), Math.round(share * image!.height), "lanczos"));
      await new Promise((resolve) => setImmediate(resolve));
    }
    return images;
  } finally {
    await vae.close();
  }
}

async function distance(gpu: Gpu, values: Float32Array): Promise<number> {
  const extractor = await FeatureExtractor.open(gpu, bundledFeatures);
  try {
    const { frechet } = await openReference(bundledReference, extractor.source, () => {});
    const one = extractor.input.reduce((a, b) => a * b, 1);
    const bytes = values.map((v) => fromByte(toByte(v)));
    const { dim } = extractor.source;
    const count = values.length / one;
    const rows = new Float32Array(count * dim);
    const batch = 50;
    for (let at = 0; at < count; at += batch) {
      const part = bytes.subarray(at * one, Math.min(count, at + batch) * one);
      rows.set((await extractor.extract(part)).features, at * dim);
    }
    return frechet.distance(statisticsOf(momentsOf(rows, dim)));
  } finally {
    await extractor.close();
  }
}
