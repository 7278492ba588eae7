import { bad } from "../errors.js";

/** EDM2's learning rate (Karras et al. 2024, table 6): linear ramp-up, then inverse square root decay. */
export interface LearningRate {
  readonly refLr: number;
  /** Batches after which the rate decays; 0: it does not. */
  readonly refBatches?: number;
  /** Millions of images of the ramp-up; 0: none. */
  readonly rampupMimg?: number;
}

/** Defaults filled in. */
export const completeRate = ({
  refLr,
  refBatches = 70_000,
  rampupMimg = 10,
}: LearningRate): Required<LearningRate> => ({
  refLr,
  refBatches,
  rampupMimg,
});

/**
 * @param images seen before the update, so that the first rate of a ramp-up is 0
 * @param batch images of an update
 */
export function learningRate(rate: LearningRate, images: number, batch: number): number {
  const { refLr, refBatches, rampupMimg } = completeRate(rate);
  let lr = refLr;
  if (refBatches > 0) lr /= Math.sqrt(Math.max(images / (refBatches * batch), 1));
  if (rampupMimg > 0) lr *= Math.min(images / (rampupMimg * 1e6), 1);
  return lr;
}

/** No profile of a power function is wider. */
export const MAX_STD = Math.sqrt(1 / 12);

/**
 * Exponent a of the power-function profile s^a with this relative standard deviation, 0 < std < 0.2887: the largest real root
 * of a^3 + 7 a^2 + (16 - q) a + (12 - q) with q = std^-2 (Karras et al. 2024, section 3).
 */
export function emaExponent(std: number): number {
  if (!(std > 0 && std < MAX_STD)) throw bad(`an EMA's standard deviation must be between 0 and 0.2887, got ${std}.`);
  const q = std ** -2;
  // Depressed cubic t^3 + p t + r with a = t - 7/3; three real roots, of which the trigonometric form gives the largest.
  const p = 16 - q - 49 / 3;
  const r = (2 * 343) / 27 - (7 * (16 - q)) / 3 + 12 - q;
  const m = 2 * Math.sqrt(-p / 3);
  let a = m * Math.cos(Math.acos(Math.max(-1, Math.min(1, (3 * r) / (p * m)))) / 3) - 7 / 3;
  // Newton steps take away what cancellation cost.
  for (let i = 0; i < 3; i++) {
    const f = ((a + 7) * a + (16 - q)) * a + (12 - q);
    a -= f / ((3 * a + 14) * a + (16 - q));
  }
  return a;
}

/** Relative standard deviation of the profile s^exponent. */
export function emaStd(exponent: number): number {
  return Math.sqrt((exponent + 1) / ((exponent + 2) ** 2 * (exponent + 3)));
}

/**
 * 1 - beta of an average at an update of `batch` images, with `images` seen up to and including it; the first gives 1. To all
 * digits, which 1 - (1 - batch / images)^(a + 1) would not have where beta is near 1.
 */
export function emaRest(std: number, images: number, batch: number): number {
  return -Math.expm1((emaExponent(std) + 1) * Math.log1p(-batch / images));
}
