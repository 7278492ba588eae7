import { bootstrapInterval, type Interval, sampleCurve } from "./bootstrap.js";
import type { FeatureRows } from "./feature-file.js";
import type { FeatureRun } from "./feature-run.js";
import type { FrechetReference } from "./frechet.js";
import { RunningMoments, statisticsOf } from "./statistics.js";

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

/** What is found out about a run's images. */
export interface Evaluation {
  /** Frechet distance to the reference. */
  readonly fd: number;
  /** Absent where it cannot be told: too few images, or more than 512 features. */
  readonly interval?: Interval;
  /** Distance of the first n images. */
  readonly curve: readonly { readonly n: number; readonly fd: number }[];
  /** Absent without classes, or without a classifier for them. */
  readonly labels?: LabelAgreement;
}

/**
 * Frechet distance, its bootstrap interval, its course over n, and label agreement.
 * @throws BAD_ARGUMENT when there are no two images, NOT_FINITE naming the seed
 */
export function evaluateRows(rows: FeatureRows, run: FeatureRun, reference: FrechetReference): Evaluation {
  const { dim } = reference;
  const running = new RunningMoments(dim);
  running.push(rows.features, (i) => `seed ${run.firstSeed + rows.start + i}`);
  const fd = reference.distance(statisticsOf(running.moments()));
  const unit = Math.max(1, run.classes);
  const interval = bootstrapInterval(rows.features, reference, { unit });
  const labels = labelAgreement(rows, run);
  return {
    fd,
    ...(interval ? { interval } : {}),
    curve: sampleCurve(rows.features, reference, unit),
    ...(labels ? { labels } : {}),
  };
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
