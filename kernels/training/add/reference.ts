import type { Inputs } from "../../../src/gpu/contract.js";

export interface AddParams {
  /** Values of the bank, a multiple of 4. */
  readonly elements: number;
}

export function reference({ elements }: AddParams, { b, a }: Inputs) {
  return { a: Float64Array.from({ length: elements }, (_, i) => a![i]! + b![i]!) };
}
