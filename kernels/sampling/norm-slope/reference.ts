import type { Inputs } from "../../../src/gpu/contract.js";

export interface NormSlopeParams {
  /** Images. */
  readonly batch: number;
  /** Values of one image. */
  readonly elements: number;
  /** Whether the misfit is that of d clipped to [-1, 1]. */
  readonly clipped: boolean;
}

export function reference({ batch, elements, clipped }: NormSlopeParams, { gradient, norm, d }: Inputs) {
  const v = new Float64Array(batch * elements);
  for (let i = 0; i < v.length; i++) {
    const n = norm![Math.floor(i / elements)]!;
    const outside = clipped && Math.abs(d![i]!) > 1;
    v[i] = n === 0 || outside ? 0 : gradient![i]! / (2 * n);
  }
  return { v };
}
