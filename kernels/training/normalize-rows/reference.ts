import type { Inputs } from "../../../src/gpu/contract.js";
import { NORMALIZE_EPS, STATE_HEAD, WEIGHT_ROW } from "../../lib/bank-rows.js";

export interface NormalizeRowsParams {
  /** Rows of the table. */
  readonly rows: number;
}

export function reference({ rows }: NormalizeRowsParams, { table, state }: Inputs) {
  const values = Float64Array.from(state!);
  for (let row = 0; row < rows; row++) {
    const at = 4 * (STATE_HEAD + row);
    const rms = values[at]!;
    if (table![4 * row + 3] !== WEIGHT_ROW || rms === 0) continue;
    values[at]! /= NORMALIZE_EPS + rms;
    values[at + 1]! /= NORMALIZE_EPS + rms;
  }
  return { state: values };
}
