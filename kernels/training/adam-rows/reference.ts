import type { Inputs } from "../../../src/gpu/contract.js";
import { type RowRange, STATE_HEAD, WEIGHT_ROW } from "../../lib/bank-rows.js";

export interface AdamRowsParams extends RowRange {
  /** Averages that are made with it, at most 2. */
  readonly averages: number;
}

/** Counts up to this stand in the first of two numbers. */
const CARRY = 2 ** 20;

/** One update of some rows; gradients that are not finite count as 0. */
export function reference({ first, count, averages }: AdamRowsParams, inputs: Inputs) {
  const state = Float64Array.from(inputs.state!);
  const [rate, root, beta1, rest1, beta2, rest2, eps, moves, ...rests] = [...state.subarray(0, 4 * STATE_HEAD)] as [
    ...[number, number, number, number, number, number, number, number],
    ...number[],
  ];
  const [w, m, v] = [inputs.w!, inputs.m!, inputs.v!].map((values) => Float64Array.from(values)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const made = ["first_average", "second_average"].slice(0, averages).map((name) => Float64Array.from(inputs[name]!));
  for (let row = first; row < first + count; row++) {
    const [start, length, , kind] = Array.from({ length: 4 }, (_, i) => inputs.table![4 * row + i]!) as number[];
    const at = 4 * (STATE_HEAD + row);
    let [squares, broken] = [0, 0];
    for (let i = start!; i < start! + length!; i++) {
      w[i]! *= state[at + 1]!;
      if (moves) {
        const g = Number.isFinite(inputs.g![i]) ? inputs.g![i]! : 0;
        if (g !== inputs.g![i]) broken++;
        m[i] = beta1 * m[i]! + rest1 * g;
        v[i] = beta2 * v[i]! + rest2 * g * g;
        w[i]! -= (rate * m[i]!) / (Math.sqrt(v[i]!) * root + eps);
        made.forEach((average, k) => {
          average[i]! += rests[k]! * (w[i]! - average[i]!);
        });
      }
      squares += w[i]! ** 2;
    }
    const low = state[at + 2]! + broken;
    const carry = Math.floor(low / CARRY) * CARRY;
    const size = kind === WEIGHT_ROW ? Math.sqrt(squares / length!) : w[start!]!;
    state.set([size, 1, low - carry, state[at + 3]! + carry], at);
  }
  const [first_average, second_average] = made;
  return {
    ...{ state, w, m, v },
    ...(first_average && { first_average }),
    ...(second_average && { second_average }),
  };
}
