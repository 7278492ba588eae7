import type { Inputs } from "../../../src/gpu/contract.js";

export interface MaskProximalParams {
  readonly batch: number;
  /** Values of one image, and of the mask. */
  readonly elements: number;
}

export function reference({ batch, elements }: MaskProximalParams, { x, measured, z, mask, level }: Inputs) {
  const [s, rho] = [level![0]!, level![1]!];
  const y = Float64Array.from({ length: batch * elements }, (_, i) => {
    if (mask![i % elements] === 0) return x![i]! + rho * z![i]!;
    const mean = x![i]! + ((measured![i]! - x![i]!) * rho ** 2) / (s ** 2 + rho ** 2);
    return mean + z![i]! / Math.sqrt(1 / rho ** 2 + 1 / s ** 2);
  });
  return { y };
}
