import type { Inputs } from "../../../src/gpu/contract.js";

export interface GainGradientsParams {
  /** Values of the bank, or of the part of it that is bound. */
  readonly elements: number;
  /** Gains. */
  readonly count: number;
  /** Values of `dgain`. */
  readonly places: number;
}

export function reference({ count }: GainGradientsParams, { gains, dgain, g }: Inputs) {
  const made = Float64Array.from(g!);
  for (let i = 0; i < count; i++) {
    const [first, rows, place] = [gains![4 * i]!, gains![4 * i + 1]!, gains![4 * i + 2]!];
    made[place] = 0;
    for (let k = first; k < first + rows; k++) made[place]! += dgain![k]!;
  }
  return { g: made };
}
