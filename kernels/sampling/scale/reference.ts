import type { Inputs } from "../../../src/gpu/contract.js";

export interface ScaleParams {
  /** Values in all. */
  readonly elements: number;
}

export function reference({ elements }: ScaleParams, inputs: Inputs) {
  const { x, factor } = inputs;
  return { y: Float64Array.from({ length: elements }, (_, i) => factor![0]! * x![i]!) };
}
