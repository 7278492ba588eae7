import type { Inputs } from "../../../src/gpu/contract.js";

export interface ScoreLossParams {
  readonly rows: number;
  readonly dims: number;
  /** Columns of dz, at least rows: the gradient in the layout of the network's products, 0 past the last row. Absent: [rows, dims]. */
  readonly columns?: number;
}

export function reference({ rows, dims, columns }: ScoreLossParams, { o, goal, weight }: Inputs) {
  const r = new Float64Array((columns ?? rows) * dims);
  const loss = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    for (let d = 0; d < dims; d++) {
      const off = o![row * dims + d]! - goal![row * dims + d]!;
      loss[row]! += (weight![row]! * off * off) / dims / rows;
      r[columns === undefined ? row * dims + d : d * columns + row] = (2 * weight![row]! * off) / (rows * dims);
    }
  }
  return { r, loss };
}
