import type { Inputs } from "../../../src/gpu/contract.js";

export interface FftPassParams {
  /** Independent groups of lines. */
  readonly outer: number;
  /** Length of the transform. */
  readonly length: number;
  /** Lines that lie side by side: the axis's stride in complex values. */
  readonly inner: number;
  /** Factor of `length` that this pass handles: 2, 3, 4, 5, 8 are fast, any other is a direct sum. */
  readonly radix: number;
  /** Product of the radices of the passes before this one. */
  readonly done: number;
  /** exp(+2 pi i …), still without 1/length. */
  readonly inverse: boolean;
}

export function reference({ outer, length, inner, radix, done, inverse }: FftPassParams, { x }: Inputs) {
  const y = new Float64Array(2 * outer * length * inner);
  const sign = inverse ? 1 : -1;
  const butterflies = length / radix;
  for (let o = 0; o < outer; o++) {
    for (let column = 0; column < inner; column++) {
      const at = (i: number) => 2 * ((o * length + i) * inner + column);
      for (let j = 0; j < butterflies; j++) {
        const k = j % done;
        for (let q = 0; q < radix; q++) {
          let [re, im] = [0, 0];
          for (let t = 0; t < radix; t++) {
            const angle = sign * 2 * Math.PI * ((t * k) / (done * radix) + ((t * q) % radix) / radix);
            const [c, s] = [Math.cos(angle), Math.sin(angle)];
            const [a, b] = [x![at(j + t * butterflies)]!, x![at(j + t * butterflies) + 1]!];
            re += a * c - b * s;
            im += a * s + b * c;
          }
          const to = at(Math.floor(j / done) * done * radix + k + q * done);
          y[to] = re;
          y[to + 1] = im;
        }
      }
    }
  }
  return { y };
}
