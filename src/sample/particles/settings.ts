import { bad } from "../../errors.js";

/** A finite number within open bounds. */
export function numberOf(
  call: string,
  name: string,
  value: number,
  { above = -Infinity, below = Infinity }: { readonly above?: number; readonly below?: number } = {},
): number {
  if (typeof value === "number" && Number.isFinite(value) && value > above && value < below) return value;
  const lower = above === -Infinity ? "" : ` above ${above}`;
  const upper = below === Infinity ? "" : `${lower && " and"} below ${below}`;
  throw bad(`${call}: ${name} must be a number${lower}${upper}, got ${String(value)}.`);
}

/** A whole number from `least` to `most`. */
export function integerOf(call: string, name: string, value: number, least: number, most: number): number {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
  throw bad(`${call}: ${name} must be an integer from ${least} to ${most}, got ${String(value)}.`);
}

/** The key of the generator. */
export const seedOf = (call: string, seed = 0) => integerOf(call, "seed", seed, 0, 2 ** 32 - 1);

/** beta of every step: one number for all, or one per step. */
export function betasOf(call: string, beta: number | ArrayLike<number>, steps: number): number[] {
  const betas = typeof beta === "number" ? new Array<number>(steps).fill(beta) : Array.from(beta);
  if (betas.length !== steps) throw bad(`${call}: beta has ${betas.length} entries for ${steps} steps.`);
  return betas.map((value) => numberOf(call, "beta", value, { above: 0 }));
}
