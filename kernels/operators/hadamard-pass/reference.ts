import type { Inputs } from "../../../src/gpu/contract.js";

export interface HadamardPassParams {
  readonly rows: number;
  /** A power of two. */
  readonly length: number;
  readonly radix: number;
  /** Product of the radices of the earlier passes. */
  readonly done: number;
  /** What the results are multiplied with. */
  readonly factor: number;
}

export function reference({ rows, length, radix, done, factor }: HadamardPassParams, { x }: Inputs) {
  const odd = (bits: number): boolean => bits > 0 && (bits % 2 === 1) !== odd(bits >>> 1);
  const y = Float64Array.from({ length: rows * length }, (_, i) => {
    const j = Math.floor(i / done) % radix;
    let sum = 0;
    for (let q = 0; q < radix; q++) sum += (odd(j & q) ? -1 : 1) * x![i + (q - j) * done]!;
    return factor * sum;
  });
  return { y };
}
