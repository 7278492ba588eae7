import { psnr as psnrOfImages, ssim as ssimOfImages } from "./metrics.js";
import type { BatchShape } from "./pixels.js";

/** [C, H, W] of one picture, or [N, C, H, W] of a batch, as samplers return it. */
export type PictureShape = readonly [number, number, number] | BatchShape;

export const asBatch = (shape: PictureShape): BatchShape =>
  shape.length === 3 ? [1, ...shape] : (shape as BatchShape);

const mean = (values: Float64Array) => values.reduce((sum, v) => sum + v, 0) / values.length;

/**
 * Peak signal-to-noise ratio in dB: -10 log10(mean((a - b)^2) + 1e-8) of values mapped from [-1, 1] to [0, 1] and clipped;
 * identical pictures give 80.
 * @param shape of a batch [N, C, H, W]: the mean over its pictures; absent: over all values as one picture
 * @throws NcvsdError BAD_ARGUMENT when the lengths differ
 */
export function psnr(a: ArrayLike<number>, b: ArrayLike<number>, shape?: PictureShape): number {
  return mean(psnrOfImages(a, b, shape ? asBatch(shape) : [1, 1, 1, a.length]));
}

/**
 * Structural similarity (Wang et al. 2004), an 11 x 11 Gaussian window of standard deviation 1.5, values as in `psnr`;
 * 1 for identical pictures.
 * @param shape [C, H, W], or [N, C, H, W]: the mean over the pictures
 * @throws NcvsdError BAD_ARGUMENT when the lengths differ or a side has fewer than 11 pixels
 */
export function ssim(a: ArrayLike<number>, b: ArrayLike<number>, shape: PictureShape): number {
  return mean(ssimOfImages(a, b, asBatch(shape)));
}
