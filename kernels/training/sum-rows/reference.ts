import type { Inputs } from "../../../src/gpu/contract.js";

export interface SumRowsParams {
  readonly rows: number;
  readonly count: number;
  /** What every sum is multiplied with. */
  readonly factor: number;
}

export function reference({ rows, count, factor }: SumRowsParams, { x }: Inputs) {
  const y = new Float64Array(rows);
  for (let i = 0; i < rows * count; i++) y[Math.floor(i / count)]! += x![i]!;
  return { y: y.map((sum) => sum * factor) };
}
