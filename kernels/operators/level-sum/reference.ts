import type { Inputs } from "../../../src/gpu/contract.js";

export interface LevelSumParams {
  /** Values in all. */
  readonly elements: number;
  /** Which entry of the level multiplies b. */
  readonly level: "sigma" | "rho";
  /** What else multiplies b. */
  readonly factor: number;
  /** What multiplies c; 0: there is no c. */
  readonly other: number;
}

export function reference({ elements, level: which, factor, other }: LevelSumParams, { a, b, c, level }: Inputs) {
  const f = factor * level![which === "sigma" ? 0 : 1]!;
  const y = Float64Array.from({ length: elements }, (_, i) => a![i]! + f * b![i]! + (other ? other * c![i]! : 0));
  return { y };
}
