import type { Inputs } from "../../../src/gpu/contract.js";
import { philox4x32 } from "../../lib/philox.js";

export interface GatherRowsParams {
  /** Rows that are drawn. */
  readonly rows: number;
  readonly dims: number;
  /** Rows to draw from. */
  readonly points: number;
  readonly seed: number;
}

export function reference({ rows, dims, points, seed }: GatherRowsParams, { data, step }: Inputs) {
  const keys = new Float64Array(rows * dims);
  for (let row = 0; row < rows; row++) {
    const words = philox4x32([row >> 2, step![0]!, 0, 4], [seed, 0]);
    const source = Math.floor((words[row & 3]! * points) / 2 ** 32);
    for (let d = 0; d < dims; d++) keys[row * dims + d] = data![source * dims + d]!;
  }
  return { keys };
}
