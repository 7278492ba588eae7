import type { Inputs } from "../../../src/gpu/contract.js";

export interface SpectralFilterParams {
  readonly planes: number;
  /** Complex values of one half spectrum. */
  readonly frequencies: number;
  /** 2 conj(t) (t x - measured) instead of t x. */
  readonly residual: boolean;
}

export function reference({ planes, frequencies, residual }: SpectralFilterParams, { x, transfer, measured }: Inputs) {
  const y = new Float64Array(2 * planes * frequencies);
  for (let i = 0; i < planes * frequencies; i++) {
    const f = i % frequencies;
    const [c, d] = [transfer![2 * f]!, transfer![2 * f + 1]!];
    let re = c * x![2 * i]! - d * x![2 * i + 1]!;
    let im = c * x![2 * i + 1]! + d * x![2 * i]!;
    if (residual) {
      const [a, b] = [re - measured![2 * i]!, im - measured![2 * i + 1]!];
      [re, im] = [2 * (c * a + d * b), 2 * (c * b - d * a)];
    }
    y[2 * i] = re;
    y[2 * i + 1] = im;
  }
  return { y };
}
