import type { Inputs } from "../../../src/gpu/contract.js";
import { philox4x32 } from "../../lib/philox.js";

export interface ChooseOneParams {
  readonly rows: number;
  /** Weights of a row. */
  readonly count: number;
  /** Noise of a row. */
  readonly dims: number;
}

/** The uniform number, a multiple of 2^-24, that a row of noise decides. */
function uniformOf(z: ArrayLike<number>): number {
  const words = new Uint32Array(Float32Array.from({ length: 6 }, (_, i) => z[i] ?? 0).buffer);
  const [a, b, c, d, e, f] = words;
  return (philox4x32([a!, b!, c!, d!], [e!, f!])[0] >>> 8) / 2 ** 24;
}

export function reference({ rows, count, dims }: ChooseOneParams, { w, z }: Inputs) {
  const out = new Float64Array(rows * count);
  for (let r = 0; r < rows; r++) {
    const weights = Array.from({ length: count }, (_, j) => w![r * count + j]!);
    const u = uniformOf(Array.from({ length: Math.min(dims, 6) }, (_, i) => z![r * dims + i]!));
    const goal = u * weights.reduce((a, b) => a + b, 0);
    let sum = 0;
    let at = 0;
    for (let j = 0; j < count && sum <= goal; j++) {
      if (weights[j]! > 0) at = j;
      sum += weights[j]!;
    }
    out[r * count + at] = 1;
  }
  return { w: out };
}
