import type { Inputs } from "../../../src/gpu/contract.js";

export interface DiagonalSolveParams {
  /** Entries of all measurements. */
  readonly elements: number;
}

export function reference({ elements }: DiagonalSolveParams, { y, ax, gain, level }: Inputs) {
  const divisor = (i: number) => level![0]! + level![1]! * gain![i]!;
  return { w: Float64Array.from({ length: elements }, (_, i) => (y![i]! - ax![i]!) / divisor(i)) };
}
