import type { Inputs } from "../../../src/gpu/contract.js";

export interface AxisProductParams {
  /** Groups of lines along the axis. */
  readonly outer: number;
  /** Extent of the axis in x. */
  readonly from: number;
  /** Extent of the axis in y. */
  readonly to: number;
  /** Lines side by side: the axis's stride. */
  readonly inner: number;
}

export function reference({ outer, from, to, inner }: AxisProductParams, { x, m }: Inputs) {
  const row = 4 * Math.ceil(to / 4);
  const y = new Float64Array(outer * to * inner);
  for (let b = 0; b < outer; b++) {
    for (let o = 0; o < to; o++) {
      for (let column = 0; column < inner; column++) {
        let sum = 0;
        for (let t = 0; t < from; t++) sum += m![t * row + o]! * x![(b * from + t) * inner + column]!;
        y[(b * to + o) * inner + column] = sum;
      }
    }
  }
  return { y };
}
