import type { Inputs } from "../../../src/gpu/contract.js";

export interface AxisGatherParams {
  /** Groups of lines along the axis. */
  readonly outer: number;
  /** Extent of the axis in x. */
  readonly from: number;
  /** Extent of the axis in y. */
  readonly to: number;
  /** Lines side by side: the axis's stride. */
  readonly inner: number;
  /** Terms per output. */
  readonly taps: number;
  readonly factor: number;
  /** Subtract `measured` from the sum. */
  readonly residual: boolean;
}

export function reference(
  { outer, from, to, inner, taps, factor, residual }: AxisGatherParams,
  { x, weights, positions, measured }: Inputs,
) {
  const y = new Float64Array(outer * to * inner);
  for (let b = 0; b < outer; b++) {
    for (let o = 0; o < to; o++) {
      for (let column = 0; column < inner; column++) {
        const i = (b * to + o) * inner + column;
        let sum = residual ? -measured![i]! : 0;
        for (let t = 0; t < taps; t++) {
          sum += weights![t * to + o]! * x![(b * from + positions![t * to + o]!) * inner + column]!;
        }
        y[i] = factor * sum;
      }
    }
  }
  return { y };
}
