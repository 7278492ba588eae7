import type { Inputs } from "../../../src/gpu/contract.js";

export interface DdimStepParams {
  /** Values in all. */
  readonly elements: number;
  /** Is h added? */
  readonly corrected: boolean;
}

export function reference({ elements, corrected }: DdimStepParams, { d, x, z, h, coefficients }: Inputs) {
  const [a, b, c] = Array.from(coefficients!) as [number, number, number];
  const out = Float64Array.from(
    { length: elements },
    (_, i) => a * d![i]! + b * x![i]! + c * z![i]! + (corrected ? h![i]! : 0),
  );
  return { out };
}
