import type { Inputs } from "../../../src/gpu/contract.js";

export interface TiltWeightsParams {
  readonly rows: number;
  readonly count: number;
  /** Slopes are still to be divided by sigma^2. */
  readonly levels: boolean;
}

export function reference({ rows, count, levels }: TiltWeightsParams, { w, sigma, s }: Inputs) {
  const out = new Float64Array(rows * count);
  for (let r = 0; r < rows; r++) {
    let mean = 0;
    for (let j = 0; j < count; j++) mean += w![r * count + j]! * s![r * count + j]!;
    const factor = levels ? 1 / sigma![r]! ** 2 : 1;
    for (let j = 0; j < count; j++) out[r * count + j] = factor * w![r * count + j]! * (s![r * count + j]! - mean);
  }
  return { s: out };
}
