import * as v from "valibot";
import { bad, quote } from "../errors.js";

/** Images of a run at most: the limit of `evaluate fd --n`. */
export const MOST_IMAGES = 10_000_000;
export const MOST_CLASSES = 100_000;
export const MOST_SEED = 2 ** 32 - 1;
const MOST_FEATURES = 1_000_000;

export const finite = v.pipe(v.number(), v.finite());
export const count = (most: number, least = 0) => v.pipe(v.number(), v.integer(), v.minValue(least), v.maxValue(most));
export const share = v.pipe(v.number(), v.minValue(0), v.maxValue(1));
export const text = v.pipe(v.string(), v.maxLength(10_000));
export const checkpoint = v.looseObject({ name: text, sha256: text, architecture: v.optional(text) });
export const network = v.looseObject({
  name: text,
  sha256: text,
  dim: count(MOST_FEATURES, 1),
  variant: v.optional(text),
  metric: v.optional(text),
});
/** Settings of a sampler: plain values that any sentence can hold. */
const plain = v.nullable(v.union([v.boolean(), v.number(), text]));
export const options = v.record(v.string(), v.union([plain, v.pipe(v.array(plain), v.maxLength(10_000))]));

/** Field by field: a file is input, whoever is said to have written it. @throws BAD_ARGUMENT naming the first that is not as it must be */
export function checked<T>(schema: v.GenericSchema, value: unknown, file: string, what: string): T {
  const found = v.safeParse(schema, value, { abortEarly: true });
  if (found.success) return value as T;
  const [issue] = found.issues;
  const path = v.getDotPath(issue) ?? "";
  const shown =
    issue.received === "Object" || issue.received === "Array" ? issue.received : quote(String(issue.received));
  throw bad(`${file} is no ${what}: ${path ? `its ${quote(path)} is ${shown}` : issue.message}`);
}
