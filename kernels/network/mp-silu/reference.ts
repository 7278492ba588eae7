import type { Inputs } from "../../../src/gpu/contract.js";

export interface MpSiluParams {
  /** Length of x and y. */
  readonly elements: number;
  /** Elements of one image: decides between scalar and vector access, which may not depend on the batch. Default: all. */
  readonly perImage?: number;
  /** Element type of x and y. */
  readonly type: "f32" | "act";
}

export function reference({ elements }: MpSiluParams, { x }: Inputs) {
  const y = new Float64Array(elements);
  for (let i = 0; i < elements; i++) y[i] = x![i]! / (1 + Math.exp(-x![i]!)) / 0.596;
  return { y };
}
