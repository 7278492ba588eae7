import type { Inputs } from "../../../src/gpu/contract.js";

export interface SpectralProximalParams {
  readonly planes: number;
  /** Complex values of one half spectrum. */
  readonly frequencies: number;
}

export function reference(
  { planes, frequencies }: SpectralProximalParams,
  { x, measured, z, transfer, level }: Inputs,
) {
  const y = new Float64Array(2 * planes * frequencies);
  const [s, rho] = [level![0]!, level![1]!];
  for (let i = 0; i < planes * frequencies; i++) {
    const f = i % frequencies;
    const [br, bi] = [transfer![2 * f]!, transfer![2 * f + 1]!];
    const v = 1 / ((br * br + bi * bi) / s ** 2 + 1 / rho ** 2);
    const re = measured![2 * i]! - (br * x![2 * i]! + bi * x![2 * i + 1]!);
    const im = measured![2 * i + 1]! - (br * x![2 * i + 1]! - bi * x![2 * i]!);
    y[2 * i] = (v / s ** 2) * (br * re - bi * im) + Math.sqrt(v) * z![2 * i]!;
    y[2 * i + 1] = (v / s ** 2) * (br * im + bi * re) + Math.sqrt(v) * z![2 * i + 1]!;
  }
  return { y };
}
