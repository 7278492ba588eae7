import type { Inputs } from "../../../src/gpu/contract.js";
import { type ConvParams, reference as convolution } from "../../lib/conv-reference.js";

export interface ImplicitGemmParams extends Omit<ConvParams, "kernel"> {
  /** Parts of the sum (`SEGMENTS` of kernels/lib/tiles.ts); absent: 1. */
  readonly segments?: number;
}

/** Float64 convolution by plain loops: the direct sum, in whatever order. */
export function reference(p: ImplicitGemmParams, inputs: Inputs) {
  return convolution({ ...p, kernel: 3 }, inputs);
}
