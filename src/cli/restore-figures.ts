import { normals } from "../../kernels/lib/philox.js";
import { alignedPsnr, psnr, ssim } from "../image/metrics.js";
import { squaredResiduals } from "./restore-baselines.js";
import type { Figures } from "./restore-report.js";
import type { RestoreTask } from "./restore-tasks.js";

/** A list of values of one length as one array. */
export const tile = (list: readonly Float32Array[]): Float32Array => {
  const size = list[0]!.length;
  const out = new Float32Array(list.length * size);
  list.forEach((values, i) => {
    out.set(values, i * size);
  });
  return out;
};
/** The n equal parts of an array, copied. */
export const parts = (values: Float32Array, n: number): Float32Array[] =>
  Array.from({ length: n }, (_, i) => values.slice((i * values.length) / n, ((i + 1) * values.length) / n));

/** Pixels that phase retrieval's results are moved by at most when they are compared after alignment. */
const ALIGN_REACH = 12;

/** y = A(x) + sigma_y n; the noise is the same on every machine. */
export async function measure(
  task: RestoreTask,
  images: readonly Float32Array[],
  sigmaY: number,
  seeds: readonly number[],
): Promise<Float32Array[]> {
  const clean = parts(await task.operator.forward(tile(images)), images.length);
  return clean.map((values, i) => {
    const noise = normals(seeds[i]!, 0, values.length);
    // What is not measured has no noise either.
    return values.map((v, k) => (task.mask && task.mask[k] === 0 ? 0 : v + sigmaY * noise[k]!));
  });
}

/** ||A(x) - y||^2 / (m sigma_y^2) of n images. */
export async function chiSquared(
  task: RestoreTask,
  images: Float32Array,
  y: Float32Array,
  sigmaY: number,
  n: number,
): Promise<Float64Array> {
  const residuals = squaredResiduals(await task.operator.forward(images), y, n, task.mask);
  return residuals.map((r) => r / (task.observed * sigmaY ** 2));
}

/** What the truth tells of one image. */
export function quality(task: RestoreTask, image: Float32Array, truth: Float32Array | undefined): Figures {
  if (!truth) return {};
  const [c, h, w] = task.operator.shape;
  const batch = [1, c, h, w] as const;
  // SSIM's window needs 11 pixels; amplitudes do not tell where an image lies.
  return {
    psnr: psnr(image, truth, batch)[0]!,
    ...(Math.min(h, w) < 11 ? {} : { ssim: ssim(image, truth, batch)[0]! }),
    ...(task.kind === "phase" ? { aligned: alignedPsnr(image, truth, task.operator.shape, ALIGN_REACH) } : {}),
  };
}

/** Index of the smallest cost. */
export function extreme<T>(items: readonly T[], cost: (item: T) => number): number {
  return items.reduce((best, item, i) => (cost(item) < cost(items[best]!) ? i : best), 0);
}
