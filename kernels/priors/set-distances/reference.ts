import type { Inputs } from "../../../src/gpu/contract.js";

export interface SetDistancesParams {
  readonly rows: number;
  /** Points of this call. */
  readonly count: number;
  readonly dims: number;
  /** Column of the first of them. */
  readonly first: number;
  /** Columns in all. */
  readonly stride: number;
  /** Products x.(x_j - centre) in place of squared distances. */
  readonly product: boolean;
}

export function reference(params: SetDistancesParams, { x, points, centre, squares }: Inputs) {
  const { rows, count, dims, first, stride, product } = params;
  const out = Float64Array.from(squares!);
  for (let r = 0; r < rows; r++) {
    for (let j = 0; j < count; j++) {
      let sum = 0;
      for (let d = 0; d < dims; d++) {
        const [a, b] = [x![r * dims + d]!, points![j * dims + d]!];
        sum += product ? a * (b - centre![r * dims + d]!) : (a - b) ** 2;
      }
      out[r * stride + first + j] = sum;
    }
  }
  return { squares: out };
}
