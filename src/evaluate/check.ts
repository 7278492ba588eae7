import * as v from "valibot";
import { bad, quote } from "../errors.js";
import type { FeatureRun, FeatureShard } from "./feature-file.js";
import type { FdResult } from "./result.js";

/** Images of a run at most: the limit of `evaluate fd --n`. */
export const MOST_IMAGES = 10_000_000;
const MOST_CLASSES = 100_000;
const MOST_SEED = 2 ** 32 - 1;
const MOST_FEATURES = 1_000_000;

const finite = v.pipe(v.number(), v.finite());
const count = (most: number, least = 0) => v.pipe(v.number(), v.integer(), v.minValue(least), v.maxValue(most));
const share = v.pipe(v.number(), v.minValue(0), v.maxValue(1));
const text = v.pipe(v.string(), v.maxLength(10_000));
const checkpoint = v.looseObject({ name: text, sha256: text, architecture: v.optional(text) });
const network = v.looseObject({ name: text, sha256: text, dim: count(MOST_FEATURES, 1) });
const options = v.record(v.string(), v.unknown());

const RUN = v.looseObject({
  key: text,
  n: count(MOST_IMAGES, 1),
  firstSeed: count(MOST_SEED),
  checkpoint,
  options,
  evaluationsPerImage: count(1e9, 1),
  network,
  classes: count(MOST_CLASSES),
  classNames: v.optional(v.pipe(v.array(text), v.maxLength(MOST_CLASSES))),
  adapter: text,
  version: text,
});

const SHARD = v.pipe(
  v.looseObject({ index: count(MOST_IMAGES, 1), count: count(MOST_IMAGES, 1) }),
  v.check(({ index, count: of }) => index <= of, "its index is above its count"),
);

const RESULT = v.looseObject({
  tool: v.literal("ncvsd-gpu"),
  kind: v.literal("fd"),
  format: v.literal(1),
  date: text,
  version: text,
  command: v.array(text),
  adapter: text,
  n: count(MOST_IMAGES, 1),
  firstSeed: count(MOST_SEED),
  checkpoint,
  options,
  evaluationsPerImage: count(1e9, 1),
  classes: count(MOST_CLASSES),
  features: network,
  reference: v.looseObject({ file: text, count: v.nullable(finite) }),
  shards: count(MOST_IMAGES, 1),
  timing: v.looseObject({ seconds: finite, imagesPerSecond: finite, evaluationsPerSecond: finite }),
  fd: finite,
  interval: v.optional(v.looseObject({ level: share, low: finite, high: finite })),
  curve: v.pipe(v.array(v.looseObject({ n: count(MOST_IMAGES, 1), fd: finite })), v.maxLength(10_000)),
  labels: v.optional(
    v.looseObject({
      agreement: share,
      perClass: v.pipe(
        v.array(
          v.looseObject({
            class: count(MOST_CLASSES),
            name: v.optional(text),
            n: count(MOST_IMAGES),
            agreement: share,
          }),
        ),
        v.maxLength(MOST_CLASSES),
      ),
    }),
  ),
});

/** Field by field: a file is input, whoever is said to have written it. @throws BAD_ARGUMENT naming the first that is not as it must be */
function checked<T>(schema: v.GenericSchema, value: unknown, file: string, what: string): T {
  const found = v.safeParse(schema, value, { abortEarly: true });
  if (found.success) return value as T;
  const [issue] = found.issues;
  const path = v.getDotPath(issue) ?? "";
  const shown =
    issue.received === "Object" || issue.received === "Array" ? issue.received : quote(String(issue.received));
  throw bad(`${file} is no ${what}: ${path ? `its ${quote(path)} is ${shown}` : issue.message}`);
}

export const checkResult = (value: unknown, file: string): FdResult =>
  checked(RESULT, value, file, "result of `evaluate fd` or `evaluate merge`");
export const checkRun = (value: unknown, file: string): FeatureRun => checked(RUN, value, file, "file of features");
export const checkShard = (value: unknown, file: string): FeatureShard =>
  checked(SHARD, value, file, "file of features");
