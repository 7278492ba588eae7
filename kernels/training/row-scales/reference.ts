import type { Inputs } from "../../../src/gpu/contract.js";
import { NORMALIZE_EPS, roleOf, STATE_HEAD, WEIGHT_ROW } from "../../lib/bank-rows.js";

export interface RowScalesParams {
  /** Rows of the table. */
  readonly rows: number;
  /** Values of `scales`. */
  readonly places: number;
}

export function reference({ rows }: RowScalesParams, { table, roles, state, scales }: Inputs) {
  const made = Float64Array.from(scales!);
  for (let row = 0; row < rows; row++) {
    if (table![4 * row + 3] !== WEIGHT_ROW) continue;
    const [rms, factor] = [state![4 * (STATE_HEAD + row)]!, state![4 * (STATE_HEAD + row) + 1]!];
    const { constant, gain } = roleOf(roles!, state!, row);
    made[table![4 * row + 2]!] = (factor * constant * gain) / (NORMALIZE_EPS + rms);
  }
  return { scales: made };
}
