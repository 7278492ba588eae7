import type { Inputs } from "../../../src/gpu/contract.js";

export interface AddNoiseParams {
  /** Values in all. */
  readonly elements: number;
}

export function reference({ elements }: AddNoiseParams, inputs: Inputs) {
  const { x, z, level } = inputs;
  return { y: Float64Array.from({ length: elements }, (_, i) => x![i]! + level![3]! * z![i]!) };
}
