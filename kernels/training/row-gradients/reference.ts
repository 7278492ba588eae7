import type { Inputs } from "../../../src/gpu/contract.js";
import { NORMALIZE_EPS, type RowRange, roleOf, STATE_HEAD } from "../../lib/bank-rows.js";

export interface RowGradientsParams extends RowRange {
  /** Values of `dgain`. */
  readonly places: number;
}

export function reference({ first, count }: RowGradientsParams, inputs: Inputs) {
  const { table, roles, state, w } = inputs;
  const [g, dgain] = [Float64Array.from(inputs.g!), Float64Array.from(inputs.dgain!)];
  for (let row = first; row < first + count; row++) {
    const [start, length, place] = [table![4 * row]!, table![4 * row + 1]!, table![4 * row + 2]!];
    const [rms, factor] = [state![4 * (STATE_HEAD + row)]!, state![4 * (STATE_HEAD + row) + 1]!];
    const { constant, gained, gain } = roleOf(roles!, state!, row);
    const s = NORMALIZE_EPS + rms;
    let dot = 0;
    for (let i = start; i < start + length; i++) dot += factor * w![i]! * g[i]!;
    const pull = rms === 0 ? 0 : dot / (length * rms * s);
    for (let i = start; i < start + length; i++) g[i] = ((g[i]! - factor * w![i]! * pull) * constant * gain) / s;
    if (gained) dgain[place] = (constant * dot) / s;
  }
  return { g, dgain };
}
