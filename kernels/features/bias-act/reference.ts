import type { Inputs } from "../../../src/gpu/contract.js";

/** Bias, activation and residual of a linear layer on tokens; f32 whatever the precision of the plan. */
export interface BiasActParams {
  readonly images: number;
  readonly channels: number;
  /** Values of a channel of an image. */
  readonly columns: number;
  readonly activation: "none" | "relu" | "gelu";
  /** Add r. */
  readonly residual: boolean;
}

/**
 * erfc(z) for z >= 0: the series of erf below 2, Lentz's continued fraction beyond.
 */
function erfc(z: number): number {
  if (z < 2) {
    let [term, sum] = [z, z];
    for (let n = 1; n < 60; n++) {
      term *= (-z * z) / n;
      sum += term / (2 * n + 1);
    }
    return 1 - (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = z;
  for (let n = 80; n > 0; n--) fraction = z + n / 2 / fraction;
  return Math.exp(-z * z) / fraction / Math.sqrt(Math.PI);
}

function activated(v: number, activation: BiasActParams["activation"]): number {
  if (activation === "none" || !Number.isFinite(v)) return v;
  if (activation === "relu") return Math.max(v, 0);
  return Math.max(v, 0) - (Math.abs(v) / 2) * erfc(Math.abs(v) / Math.SQRT2);
}

export function reference({ images, channels, columns, activation, residual }: BiasActParams, { x, b, r }: Inputs) {
  const y = Float64Array.from({ length: images * channels * columns }, (_, i) => {
    const v = activated(x![i]! + b![Math.floor(i / columns) % channels]!, activation);
    return residual ? v + r![i]! : v;
  });
  return { y };
}
