import { bad } from "../errors.js";

/** Numbers as rows one after another, flat or nested: 2 x 3 as 6 numbers, or as two arrays of 3. */
export type Rows = ArrayLike<number> | readonly Rows[];

/** Flat float64. @throws BAD_ARGUMENT naming the first value that is not finite */
export function flat(call: string, name: string, given: Rows): Float64Array {
  if (typeof given !== "object" || given === null || typeof given.length !== "number")
    throw bad(`${call}: ${name} must be an array of numbers, row by row; got ${String(given)}.`);
  const nested = given.length > 0 && typeof given[0] === "object";
  const values = nested
    ? Float64Array.from(Array.from(given as readonly Rows[]).flatMap((row) => Array.from(flat(call, name, row))))
    : Float64Array.from(given as ArrayLike<number>);
  const at = values.findIndex((v) => !Number.isFinite(v));
  if (at >= 0) throw bad(`${call}: ${name} holds ${values[at]} at index ${at}: every value must be finite.`);
  return values;
}

/** Flat float64 of a known length. */
export function flatOf(call: string, name: string, given: Rows, length: number, what: string): Float64Array {
  const values = flat(call, name, given);
  if (values.length !== length)
    throw bad(`${call}: ${name} holds ${values.length} values where ${what} are ${length}.`);
  return values;
}

/** Rows of `dims` numbers, at least one. */
export function rowsOf(call: string, name: string, given: Rows, dims: number): { values: Float64Array; count: number } {
  const values = flat(call, name, given);
  if (values.length === 0 || values.length % dims !== 0)
    throw bad(`${call}: ${name} holds ${values.length} values, which is no positive multiple of ${dims}, one row.`);
  return { values, count: values.length / dims };
}

/** A level for each row: one number for all, or one per row; not negative. */
export function levelsOf(call: string, given: number | ArrayLike<number>, count: number): Float64Array {
  const values = typeof given === "number" ? Float64Array.of(given) : flat(call, "sigma", given);
  if (values.length !== 1 && values.length !== count)
    throw bad(`${call}: sigma holds ${values.length} levels for ${count} rows: give one, or one per row.`);
  for (const v of values)
    if (!(v >= 0 && Number.isFinite(v))) throw bad(`${call}: sigma must not be negative, got ${v}.`);
  return Float64Array.from({ length: count }, (_, i) => values[values.length === 1 ? 0 : i]!);
}

/** A whole number that is at least `least`. */
export function wholeOf(call: string, name: string, value: number, least: number): number {
  if (!Number.isInteger(value) || value < least)
    throw bad(`${call}: ${name} must be an integer of at least ${least}, got ${value}.`);
  return value;
}

/** Uniforms in [0, 1]. */
export function uniformsOf(call: string, given: Rows): Float64Array {
  const values = flat(call, "uniforms", given);
  for (const u of values) if (!(u >= 0 && u <= 1)) throw bad(`${call}: uniforms must be from 0 to 1, got ${u}.`);
  return values;
}

/** The first index whose cumulated weight exceeds u; the last that has any where rounding leaves none. */
export function pick(weights: ArrayLike<number>, u: number): number {
  let sum = 0;
  let last = 0;
  for (let k = 0; k < weights.length; k++) {
    if (!(weights[k]! > 0)) continue;
    sum += weights[k]!;
    last = k;
    if (sum > u) return k;
  }
  return last;
}
