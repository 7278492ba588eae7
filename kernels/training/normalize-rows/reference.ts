import type { Inputs } from "../../../src/gpu/contract.js";

/** Keeps rows of small values from being blown up. */
export const NORMALIZE_EPS = 1e-4;

export interface NormalizeRowsParams {
  /** Values of the bank. */
  readonly elements: number;
  /** Rows that are normalised. */
  readonly rows: number;
}

export function reference({ rows }: NormalizeRowsParams, { table, w }: Inputs) {
  const values = Float64Array.from(w!);
  for (let row = 0; row < rows; row++) {
    const part = values.subarray(table![2 * row]!, table![2 * row]! + table![2 * row + 1]!);
    const rms = Math.sqrt(part.reduce((sum, x) => sum + x * x, 0) / part.length);
    part.forEach((x, i) => {
      part[i] = x / (NORMALIZE_EPS + rms);
    });
  }
  return { w: values };
}
