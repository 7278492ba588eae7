import type { Inputs } from "../../../src/gpu/contract.js";

export interface FiniteParams {
  /** Images. */
  readonly batch: number;
  /** Elements of one image. */
  readonly elements: number;
}

export function reference({ batch, elements }: FiniteParams, { x, step, first }: Inputs) {
  const result = Float64Array.from(first!);
  for (let n = 0; n < batch; n++) {
    for (let i = n * elements; i < (n + 1) * elements; i++) {
      if (!Number.isFinite(x![i])) result[n] = Math.min(result[n]!, step![0]!);
    }
  }
  return { first: result };
}
