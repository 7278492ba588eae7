import type { Inputs } from "../../../src/gpu/contract.js";

export interface RowSumsParams {
  readonly rows: number;
  /** A multiple of 4. */
  readonly columns: number;
}

export function reference({ rows, columns }: RowSumsParams, { x }: Inputs) {
  const y = new Float64Array(rows);
  for (let i = 0; i < rows * columns; i++) y[Math.floor(i / columns)]! += x![i]!;
  return { y };
}
