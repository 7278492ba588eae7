import { bootstrapInterval, type Interval, sampleCurve } from "./bootstrap.js";
import { type FeatureRows, imageOf } from "./feature-rows.js";
import type { FeatureRun } from "./feature-run.js";
import type { FrechetReference } from "./frechet.js";
import { RunningMoments, type Statistics, statisticsOf } from "./statistics.js";

/** How often the feature network's classifier finds the class that was asked for. */
export interface LabelAgreement {
  /** Share of all images, 0 to 1. */
  readonly agreement: number;
  readonly perClass: readonly {
    readonly class: number;
    readonly name?: string;
    readonly n: number;
    readonly agreement: number;
  }[];
}

/** What is found out by one metric. */
export interface Distance {
  /** Frechet distance to the reference. */
  readonly fd: number;
  /** Absent where it cannot be told: too few images, or more than 512 features. */
  readonly interval?: Interval;
  /** Distance of the first n images; of more than 512 features only of all. */
  readonly curve: readonly { readonly n: number; readonly fd: number }[];
}

/** What is found out about a run's images. */
export interface Evaluation {
  /** Of each of the run's networks; undefined: there was no reference. */
  readonly distances: readonly (Distance | undefined)[];
  /** Absent without classes, or without a classifier for them. */
  readonly labels?: LabelAgreement;
}

/**
 * Frechet distances, their bootstrap intervals, their course over n, and label agreement.
 * @param references of each of the run's networks
 * @throws BAD_ARGUMENT when there are no two images, NOT_FINITE naming the seed
 */
export function evaluateRows(
  rows: FeatureRows,
  run: FeatureRun,
  references: readonly (FrechetReference | undefined)[],
): Evaluation {
  // Groups of images with all classes; drawn ones have none.
  const unit = run.options.class === RANDOM_CLASSES ? 1 : Math.max(1, run.classes);
  const distances = references.map((reference, k): Distance | undefined => {
    if (!reference) return undefined;
    const fd = reference.distance(statisticsOfKept(rows, run, k));
    const kept = rows.kept[k]!;
    if (!("features" in kept)) return { fd, curve: [{ n: rows.end - rows.start, fd }] };
    const interval = bootstrapInterval(kept.features, reference, { unit });
    return { fd, ...(interval ? { interval } : {}), curve: sampleCurve(kept.features, reference, unit) };
  });
  const labels = labelAgreement(rows, run);
  return { distances, ...(labels ? { labels } : {}) };
}

/** `class` of a run's options where each image's class is drawn. */
export const RANDOM_CLASSES = "random";

/** Mean and covariance of the features of network k. @throws NOT_FINITE naming the image, BAD_ARGUMENT when there are no two */
export function statisticsOfKept(rows: FeatureRows, run: FeatureRun, k: number): Statistics {
  const kept = rows.kept[k]!;
  const { dim } = run.networks[k]!;
  const running = new RunningMoments(dim, "moments" in kept ? kept.moments : undefined);
  if ("features" in kept) running.push(kept.features, (i) => imageOf(run, rows.start + i));
  return statisticsOf(running.moments());
}

function labelAgreement({ labels, predictions }: FeatureRows, run: FeatureRun): LabelAgreement | undefined {
  if (run.classes === 0 || labels.every((label) => label < 0) || predictions.every((p) => p < 0)) return undefined;
  const asked = new Array<number>(run.classes).fill(0);
  const right = new Array<number>(run.classes).fill(0);
  labels.forEach((label, i) => {
    if (label < 0) return;
    asked[label]! += 1;
    if (predictions[i] === label) right[label]! += 1;
  });
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
  return {
    agreement: sum(right) / sum(asked),
    perClass: asked.flatMap((n, c) => {
      const name = run.classNames?.[c];
      return n === 0 ? [] : [{ class: c, ...(name === undefined ? {} : { name }), n, agreement: right[c]! / n }];
    }),
  };
}
