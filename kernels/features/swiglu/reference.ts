import type { Inputs } from "../../../src/gpu/contract.js";

/** Gated activation of a transformer's MLP; f32 whatever the precision of the plan. */
export interface SwigluParams {
  readonly images: number;
  /** Of y: half of those of x. */
  readonly channels: number;
  readonly columns: number;
}

export function reference({ images, channels, columns }: SwigluParams, { x, b }: Inputs) {
  const half = channels * columns;
  const y = new Float64Array(images * half);
  for (let n = 0; n < images; n++) {
    for (let j = 0; j < half; j++) {
      const c = Math.floor(j / columns);
      const v = x![2 * n * half + j]! + b![c]!;
      const u = x![(2 * n + 1) * half + j]! + b![channels + c]!;
      y[n * half + j] = (v / (1 + Math.exp(-v))) * u;
    }
  }
  return { y };
}
