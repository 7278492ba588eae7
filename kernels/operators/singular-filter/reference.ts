import type { Inputs } from "../../../src/gpu/contract.js";

export interface SingularFilterParams {
  readonly planes: number;
  /** Singular values, and coordinates of one plane. */
  readonly entries: number;
}

export function reference({ planes, entries }: SingularFilterParams, { x, z, measured, values, level }: Inputs) {
  const [s, rho] = [level![0]!, level![1]!];
  const y = Float64Array.from({ length: planes * entries }, (_, i) => {
    const v = values![i % entries]!;
    const seen = (rho * v) / s;
    const q = Math.sqrt(1 + seen ** 2);
    const mean = (rho ** 2 * v) / (s ** 2 + (rho * v) ** 2);
    return mean * (measured![i]! - v * x![i]!) - ((rho * seen ** 2) / (q * (1 + q))) * z![i]!;
  });
  return { y };
}
