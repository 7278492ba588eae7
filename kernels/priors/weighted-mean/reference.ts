import type { Inputs } from "../../../src/gpu/contract.js";

export interface WeightedMeanParams {
  readonly rows: number;
  /** Points of this call. */
  readonly count: number;
  readonly dims: number;
  /** Column of the first one's weight. */
  readonly first: number;
  /** Weights of a row. */
  readonly stride: number;
  /** Onto what y holds. */
  readonly add: boolean;
}

export function reference(params: WeightedMeanParams, { w, points, y }: Inputs) {
  const { rows, count, dims, first, stride, add } = params;
  const out = new Float64Array(rows * dims);
  for (let r = 0; r < rows; r++) {
    for (let d = 0; d < dims; d++) {
      let sum = add ? y![r * dims + d]! : 0;
      for (let j = 0; j < count; j++) sum += w![r * stride + first + j]! * points![j * dims + d]!;
      out[r * dims + d] = sum;
    }
  }
  return { y: out };
}
