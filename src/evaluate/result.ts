import * as v from "valibot";
import { isSampler, samplers } from "../sample/samplers.js";
import {
  checked,
  checkpoint,
  count,
  finite,
  MOST_CLASSES,
  MOST_IMAGES,
  MOST_SEED,
  network,
  options,
  share,
  text,
} from "./check.js";
import type { Distance, Evaluation } from "./evaluation.js";
import type { FeatureRun, MeasuredBy } from "./feature-run.js";

/** Resident memory of the process and bytes of GPU buffers, after so many images. */
export interface MemoryUse {
  readonly images: number;
  readonly rssBytes: number;
  readonly gpuBytes: number;
}

/** A distance, and between what. */
export interface MetricResult extends Distance {
  readonly features: MeasuredBy;
  readonly reference: { readonly file: string; readonly count: number | null };
  /** What has to be known to compare it. */
  readonly remarks?: readonly string[];
}

/** The JSON file that `evaluate fd` and `evaluate merge` write, and `evaluate report` reads. */
export interface FdResult extends MetricResult, Omit<Evaluation, "distances"> {
  readonly tool: "ncvsd-gpu";
  readonly kind: "fd";
  readonly format: 1;
  readonly date: string;
  readonly version: string;
  readonly command: readonly string[];
  readonly adapter: string;
  readonly n: number;
  readonly firstSeed: number;
  readonly checkpoint: FeatureRun["checkpoint"];
  readonly options: FeatureRun["options"];
  readonly evaluationsPerImage: number;
  readonly classes: number;
  /** Every distance by its metric's name, where metrics were asked for: { fid: 2.1, fd_dinov2: 45 }. */
  readonly metrics?: Readonly<Record<string, number>>;
  /** The distances by further metrics. */
  readonly others?: readonly MetricResult[];
  /** Parts that the run was made in. */
  readonly shards: number;
  readonly timing: {
    /** Of all parts together. */
    readonly seconds: number;
    /** Without the first batch, where that is known. */
    readonly imagesPerSecond: number;
    readonly evaluationsPerSecond: number;
  };
  /** After the first thousand images and at the end of this process. */
  readonly memory?: readonly MemoryUse[];
}

const DISTANCE = {
  features: network,
  reference: v.looseObject({ file: text, count: v.nullable(finite) }),
  remarks: v.optional(v.pipe(v.array(text), v.maxLength(100))),
  fd: finite,
  interval: v.optional(v.looseObject({ level: share, low: finite, high: finite })),
  curve: v.pipe(v.array(v.looseObject({ n: count(MOST_IMAGES, 1), fd: finite })), v.minLength(1), v.maxLength(10_000)),
};

const RESULT = v.looseObject({
  ...DISTANCE,
  metrics: v.optional(v.record(v.string(), finite)),
  others: v.optional(v.pipe(v.array(v.looseObject(DISTANCE)), v.maxLength(8))),
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
  shards: count(MOST_IMAGES, 1),
  timing: v.looseObject({ seconds: finite, imagesPerSecond: finite, evaluationsPerSecond: finite }),
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

/** @throws BAD_ARGUMENT naming the first field that is not as it must be */
export const checkResult = (value: unknown, file: string): FdResult =>
  checked(RESULT, value, file, "result of `evaluate fd` or `evaluate merge`");

/** "33.8", "1.03", "0.0042". */
export function formatDistance(fd: number): string {
  return fd >= 10 ? fd.toFixed(1) : fd >= 1 ? fd.toFixed(2) : fd.toPrecision(2);
}

export const percent = (share: number): string => `${(100 * share).toFixed(1)}%`;

/** What the run was made with, for people: "2 steps (10, 22)", "Heun, 32 steps". */
export function samplerLabel({ sampler, ...settings }: FdResult["options"]): string {
  return isSampler(sampler) ? samplers[sampler].label(settings) : String(sampler);
}
