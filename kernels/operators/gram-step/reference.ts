import type { Inputs } from "../../../src/gpu/contract.js";

export interface GramStepParams {
  /** Values in all. */
  readonly elements: number;
  /** c of A A' = c I. */
  readonly eigenvalue: number;
  /** g a - M b instead of a + M b. */
  readonly inner: boolean;
}

export function reference({ elements, eigenvalue, inner }: GramStepParams, { a, b, level }: Inputs) {
  const [s, rho] = [level![0]!, level![1]!];
  const m = rho ** 2 / (s ** 2 + rho ** 2 * eigenvalue);
  const q = Math.sqrt(1 + (rho ** 2 * eigenvalue) / s ** 2);
  const g = -(rho ** 3 / s ** 2) / (q * (1 + q));
  const y = Float64Array.from({ length: elements }, (_, i) => (inner ? g * a![i]! - m * b![i]! : a![i]! + m * b![i]!));
  return { y };
}
