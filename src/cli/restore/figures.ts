import { normals } from "../../../kernels/lib/philox.js";
import { aligned, psnr, ssim } from "../../image/metrics.js";
import type { Lpips } from "../../networks/features/lpips.js";
import { squaredResiduals } from "../../operators/baselines.js";
import type { RestoreTask } from "../../operators/tasks.js";
import { poissonDraw } from "../../random/poisson.js";
import { uniforms } from "../../random/uniforms.js";
import type { Figures } from "./report.js";

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
export const ALIGN_REACH = 12;

/** y = A(x) + sigma_y n, or as the task says that noise comes in; the noise is the same on every machine. */
export async function measure(
  task: RestoreTask,
  images: readonly Float32Array[],
  sigmaY: number,
  seeds: readonly number[],
): Promise<Float32Array[]> {
  const { operator, mask, noise: kind } = task;
  const noisy = (values: Float32Array, i: number) => {
    const noise = normals(seeds[i]!, 0, values.length);
    return values.map((v, k) => v + sigmaY * noise[k]!);
  };
  const seen = kind === "inside" ? images.map(noisy) : images;
  const clean = parts(await operator.forward(tile(seen)), images.length);
  if (kind === "inside") return clean;
  if (kind === "counts")
    return clean.map((means, i) => {
      const uniform = uniforms(seeds[i]!, 0);
      return means.map((mean) => poissonDraw(mean, uniform));
    });
  // What is not measured has no noise either.
  return clean.map((values, i) => noisy(values, i).map((v, k) => (mask && mask[k] === 0 ? 0 : v)));
}

/** What reconstructions are judged by. */
export interface Judge {
  readonly task: RestoreTask;
  readonly sigmaY: number;
  readonly lpips?: Lpips;
}

/**
 * Figures of reconstructions: chi^2 = ||A(x) - y||^2 / (m sigma_y^2), or with the task's own variances, and with the truth PSNR, SSIM
 * and LPIPS.
 * @param images N*C*H*W values
 * @param y N measurements
 * @param truths one per image; absent: unknown
 */
export async function judge(
  { task, sigmaY, lpips }: Judge,
  images: Float32Array,
  y: Float32Array,
  truths: readonly Float32Array[] | undefined,
  n: number,
): Promise<Figures[]> {
  const { operator, mask, observed, movable, variance } = task;
  const [c, h, w] = operator.shape;
  const seen = await operator.forward(images);
  const one = y.length / n;
  const weighted = (i: number) => Math.sqrt(variance!(seen[i]!, i % one, sigmaY)) / sigmaY;
  const [a, b] = variance ? [seen.map((v, i) => v / weighted(i)), y.map((v, i) => v / weighted(i))] : [seen, y];
  const chi2 = squaredResiduals(a, b, n, mask).map((r) => r / (observed * sigmaY ** 2));
  if (!truths) return Array.from(chi2, (v) => ({ chi2: v }));
  const truth = tile(truths);
  const shape = [n, c, h, w] as const;
  const db = psnr(images, truth, shape);
  // SSIM's window needs 11 pixels.
  const similarity = Math.min(h, w) < 11 ? undefined : ssim(images, truth, shape);
  const distance = await lpips?.distances(images, truth, [c, h, w]);
  return parts(images, n).map((image, i) => ({
    psnr: db[i]!,
    ...(similarity ? { ssim: similarity[i]! } : {}),
    ...(distance ? { lpips: distance[i]! } : {}),
    ...(movable ? { aligned: aligned(image, truths[i]!, [c, h, w], ALIGN_REACH).psnr } : {}),
    chi2: chi2[i]!,
  }));
}

/** Index of the smallest cost. */
export function extreme<T>(items: readonly T[], cost: (item: T) => number): number {
  return items.reduce((best, item, i) => (cost(item) < cost(items[best]!) ? i : best), 0);
}
