import { bad } from "../errors.js";
import type { FeatureRun } from "./feature-run.js";
import { mergeMoments, RunningMoments, type RunningState } from "./statistics.js";

/** Of networks with more features their moments are kept, not the features: of 50,000 images they would fill gigabytes. */
export const MOST_KEPT = 512;

/** What is kept of the features of one network: [n, dim], or the moments of all of them. */
export type Kept = { readonly features: Float32Array } | { readonly moments: RunningState };

/** What is known of the images `start` up to `end` of a run. */
export interface FeatureRows {
  readonly start: number;
  readonly end: number;
  /** Of each of the run's networks. */
  readonly kept: readonly Kept[];
  /** Class asked for; -1: none. */
  readonly labels: Int32Array;
  /** Class found by the first feature network; -1: it has no classifier. */
  readonly predictions: Int32Array;
  /** Seconds that making them took. */
  readonly seconds: number;
}

/** What to call image i of a run in a message. */
export const imageOf = ({ firstSeed, checkpoint }: FeatureRun, i: number): string =>
  checkpoint.architecture === PICTURES ? `picture ${i}` : `seed ${firstSeed + i}`;

/** The `architecture` of a run whose images are pictures of files. */
export const PICTURES = "pictures";

/** Rows that follow one another as one piece. Moments are merged: to rounding what they are of all rows at once. */
export function joinRows(parts: readonly FeatureRows[], dims: readonly number[]): FeatureRows {
  const start = parts[0]?.start ?? 0;
  const end = parts.at(-1)?.end ?? start;
  const kept = dims.map((dim, k): Kept => {
    if (dim > MOST_KEPT) return { moments: joinMoments(parts, k, dim) };
    return { features: floats(parts.map((part) => featuresOf(part, k))) };
  });
  const labels = integers(parts.map((part) => part.labels));
  const predictions = integers(parts.map((part) => part.predictions));
  return { start, end, kept, labels, predictions, seconds: parts.reduce((sum, p) => sum + p.seconds, 0) };
}

function joinMoments(parts: readonly FeatureRows[], k: number, dim: number): RunningState {
  const states = parts.map((part) => momentsKept(part, k));
  if (states.length === 1) return states[0]!;
  const all = states.map((state) => new RunningMoments(dim, state).moments());
  return { total: mergeMoments(all, dim), open: new Float64Array() };
}

function featuresOf(rows: FeatureRows, k: number): Float32Array {
  const kept = rows.kept[k]!;
  if ("features" in kept) return kept.features;
  throw new Error("of this network the moments are kept");
}

function momentsKept(rows: FeatureRows, k: number): RunningState {
  const kept = rows.kept[k]!;
  if ("moments" in kept) return kept.moments;
  throw new Error("of this network the features are kept");
}

/**
 * The images `start` up to `end` of rows that hold them.
 * @throws BAD_ARGUMENT when moments would have to be cut
 */
export function sliceRows(rows: FeatureRows, start: number, end: number, dims: readonly number[]): FeatureRows {
  const [from, to] = [start - rows.start, end - rows.start];
  const whole = start === rows.start && end === rows.end;
  return {
    start,
    end,
    kept: rows.kept.map((kept, k): Kept => {
      if ("features" in kept) return { features: kept.features.subarray(from * dims[k]!, to * dims[k]!) };
      if (whole) return kept;
      throw bad(`moments of the images ${rows.start} to ${rows.end - 1} cannot be cut to ${start} to ${end - 1}`);
    }),
    labels: rows.labels.subarray(from, to),
    predictions: rows.predictions.subarray(from, to),
    seconds: rows.seconds * ((end - start) / Math.max(1, rows.end - rows.start)),
  };
}

/** Rows gathered batch by batch. */
export interface FeatureBatch {
  /** Of each network, [n, dim]. */
  readonly features: readonly Float32Array[];
  readonly labels: Int32Array;
  readonly predictions: Int32Array;
}

/**
 * Gathers batches into rows. Where moments are kept, rows are of everything since the beginning; otherwise of what came since they
 * were taken last.
 */
export class RowGatherer {
  readonly cumulative: boolean;
  readonly #dims: readonly number[];
  readonly #moments: (RunningMoments | undefined)[];
  #batches: FeatureBatch[] = [];
  #before: FeatureRows | undefined;
  #start: number;
  #next: number;

  constructor(dims: readonly number[], start: number) {
    this.#dims = dims;
    this.#start = start;
    this.#next = start;
    this.#moments = dims.map((dim) => (dim > MOST_KEPT ? new RunningMoments(dim) : undefined));
    this.cumulative = this.#moments.some((moments) => moments !== undefined);
  }

  /** The image after the last one. */
  get next(): number {
    return this.#next;
  }

  /** Images that `take` would give and did not give before. */
  get fresh(): number {
    return this.#batches.reduce((sum, { labels }) => sum + labels.length, 0);
  }

  add(batch: FeatureBatch, nameOf: (i: number) => string): void {
    batch.features.forEach((features, k) => {
      this.#moments[k]?.push(features, nameOf);
    });
    this.#batches.push(batch);
    this.#next += batch.labels.length;
  }

  /** Goes on after rows that are there already. */
  continueAfter(rows: FeatureRows): void {
    this.#next = rows.end;
    if (!this.cumulative) {
      this.#start = rows.end;
      return;
    }
    this.#before = rows;
    this.#dims.forEach((dim, k) => {
      if (this.#moments[k]) this.#moments[k] = new RunningMoments(dim, momentsKept(rows, k));
    });
  }

  /** @param seconds that what is new took */
  take(seconds: number): FeatureRows {
    const before = this.#before ? [this.#before] : [];
    const [batches, start] = [this.#batches, this.#before?.start ?? this.#start];
    const rows: FeatureRows = {
      start,
      end: this.#next,
      kept: this.#moments.map((moments, k): Kept => {
        if (moments) return { moments: moments.state() };
        const features = [...before.map((rows) => featuresOf(rows, k)), ...batches.map(({ features }) => features[k]!)];
        return { features: floats(features) };
      }),
      labels: integers([...before, ...batches].map(({ labels }) => labels)),
      predictions: integers([...before, ...batches].map(({ predictions }) => predictions)),
      seconds: seconds + (this.#before?.seconds ?? 0),
    };
    this.#batches = [];
    if (this.cumulative) this.#before = rows;
    else this.#start = rows.end;
    return rows;
  }
}

const lengthOf = (parts: readonly { readonly length: number }[]) => parts.reduce((sum, { length }) => sum + length, 0);

function floats(parts: readonly Float32Array[]): Float32Array {
  const out = new Float32Array(lengthOf(parts));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function integers(parts: readonly Int32Array[]): Int32Array {
  const out = new Int32Array(lengthOf(parts));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
