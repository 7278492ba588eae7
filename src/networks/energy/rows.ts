import { bad } from "../../errors.js";

/** Numbers, row after row, or as a list of rows. */
export type PointRows = ArrayLike<number> | readonly ArrayLike<number>[];

/**
 * The numbers as f32, row after row.
 * @throws BAD_ARGUMENT for what is no array, or naming the first number that is not finite
 */
export function flatRows(call: string, name: string, given: PointRows): Float32Array<ArrayBuffer> {
  if (typeof given !== "object" || given === null || typeof given.length !== "number")
    throw bad(`${call}: ${name} must be an array of numbers, row after row, got ${String(given)}.`);
  const nested = given.length > 0 && typeof given[0] === "object";
  const values = nested
    ? Float32Array.from(Array.from(given as readonly ArrayLike<number>[]).flatMap((row) => Array.from(row)))
    : Float32Array.from(given as ArrayLike<number>);
  const at = values.findIndex((value) => !Number.isFinite(value));
  if (at >= 0) throw bad(`${call}: ${name} has ${values[at]} at index ${at}: every number must be finite.`);
  return values;
}
