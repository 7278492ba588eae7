import * as v from "valibot";
import type { FeatureSource } from "../networks/features/extractor.js";
import { checked, checkpoint, count, MOST_CLASSES, MOST_IMAGES, MOST_SEED, network, options, text } from "./check.js";

/** A feature network of a run, and the metric that it is for in EDM2's words; of the bundled network none. */
export interface MeasuredBy extends FeatureSource {
  readonly metric?: string | undefined;
}

/** What features were made of; stands in the metadata of their file. */
export interface FeatureRun {
  /** Fingerprint of everything that decides the features of a seed. */
  readonly key: string;
  /** Images of the whole run, of which a shard has a part. */
  readonly n: number;
  /** Image i has the seed firstSeed + i; pictures of files have none. */
  readonly firstSeed: number;
  /** What makes the images; of pictures of files their place, a hash of them (`PictureSet`), and "pictures". */
  readonly checkpoint: { readonly name: string; readonly sha256: string; readonly architecture: string };
  /** What decides an image besides the checkpoint and its seed. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly evaluationsPerImage: number;
  /** One at least. */
  readonly networks: readonly MeasuredBy[];
  /** Classes of the checkpoint; 0: unconditional. */
  readonly classes: number;
  readonly classNames?: readonly string[];
  readonly adapter: string;
  readonly version: string;
}

/** One part of a run, as it is written: 2 of 4. */
export interface FeatureShard {
  readonly index: number;
  readonly count: number;
}

const RUN = v.looseObject({
  key: text,
  n: count(MOST_IMAGES, 1),
  firstSeed: count(MOST_SEED),
  checkpoint,
  options,
  evaluationsPerImage: count(1e9, 1),
  networks: v.pipe(v.array(network), v.minLength(1), v.maxLength(8)),
  classes: count(MOST_CLASSES),
  classNames: v.optional(v.pipe(v.array(text), v.maxLength(MOST_CLASSES))),
  adapter: text,
  version: text,
});

const SHARD = v.pipe(
  v.looseObject({ index: count(MOST_IMAGES, 1), count: count(MOST_IMAGES, 1) }),
  v.check(({ index, count: of }) => index <= of, "its index is above its count"),
);

/** @throws BAD_ARGUMENT naming the first field that is not as it must be */
export const checkRun = (value: unknown, file: string): FeatureRun => checked(RUN, value, file, "file of features");
export const checkShard = (value: unknown, file: string): FeatureShard =>
  checked(SHARD, value, file, "file of features");
