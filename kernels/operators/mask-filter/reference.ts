import type { Inputs } from "../../../src/gpu/contract.js";

export interface MaskFilterParams {
  readonly batch: number;
  /** Values of one image, and of the mask. */
  readonly elements: number;
  /** 2 m (x - measured) instead of m x. */
  readonly residual: boolean;
}

export function reference({ batch, elements, residual }: MaskFilterParams, { x, mask, measured }: Inputs) {
  const y = Float64Array.from({ length: batch * elements }, (_, i) => {
    if (mask![i % elements] === 0) return 0;
    return residual ? 2 * (x![i]! - measured![i]!) : x![i]!;
  });
  return { y };
}
