import type { Inputs } from "../../../src/gpu/contract.js";

export interface ViewMeasureParams {
  /** Complex values. */
  readonly elements: number;
  readonly factor: number;
  readonly intensity: boolean;
  /** The inner part of the gradient in place of the measurement. */
  readonly residual: boolean;
}

export function reference({ elements, factor, intensity, residual }: ViewMeasureParams, { x, measured }: Inputs) {
  const y = new Float64Array(residual ? 2 * elements : elements);
  for (let i = 0; i < elements; i++) {
    const [re, im] = [factor * x![2 * i]!, factor * x![2 * i + 1]!];
    const amplitude = Math.hypot(re, im);
    if (!residual) {
      y[i] = intensity ? amplitude ** 2 : amplitude;
      continue;
    }
    let scale = 2 * (amplitude ** 2 - (measured![i] ?? 0));
    if (!intensity) scale = amplitude === 0 ? 0 : 1 - measured![i]! / amplitude;
    y[2 * i] = scale * re;
    y[2 * i + 1] = scale * im;
  }
  return { y };
}
