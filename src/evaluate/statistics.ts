import { NcvsdError } from "../errors.js";

/** Mean and covariance of feature vectors, and how many there were. */
export interface Statistics {
  /** Undefined where a file does not say. */
  readonly count: number | undefined;
  /** [dim] */
  readonly mean: Float64Array;
  /** [dim, dim], row-major, symmetric, divisor count - 1. */
  readonly cov: Float64Array;
}

/** Count, mean and sum of centred products: what merges exactly. */
export interface Moments {
  readonly count: number;
  readonly mean: Float64Array;
  /** Sum of (f - mean)(f - mean)^T, lower triangle row by row: entry (i, j <= i) at i (i + 1) / 2 + j. */
  readonly products: Float64Array;
}

function emptyMoments(dim: number): Moments {
  return { count: 0, mean: new Float64Array(dim), products: new Float64Array((dim * (dim + 1)) / 2) };
}

/** Two passes over rows that are at hand: the mean, then the centred products. */
export function momentsOf(rows: ArrayLike<number>, dim: number, from = 0, to = rows.length / dim): Moments {
  const count = to - from;
  const { mean, products } = emptyMoments(dim);
  for (let r = from; r < to; r++) for (let i = 0; i < dim; i++) mean[i]! += rows[r * dim + i]!;
  for (let i = 0; i < dim; i++) mean[i]! /= Math.max(1, count);
  const centred = new Float64Array(dim);
  for (let r = from; r < to; r++) {
    for (let i = 0; i < dim; i++) centred[i] = rows[r * dim + i]! - mean[i]!;
    addOuter(products, centred, 1);
  }
  return { count, mean, products };
}

/** products += weight v v^T */
function addOuter(products: Float64Array, v: Float64Array, weight: number): void {
  let at = 0;
  for (let i = 0; i < v.length; i++) {
    const vi = weight * v[i]!;
    for (let j = 0; j <= i; j++) products[at + j]! += vi * v[j]!;
    at += i + 1;
  }
}

/**
 * Moments of several parts together (Chan, Golub & LeVeque 1983): the mean of all, then each part's products moved to it.
 * Nothing large is subtracted from anything large, so that features far from 0 lose no digits.
 * @param weights how often each part counts; default once
 */
export function mergeMoments(parts: readonly Moments[], dim: number, weights?: ArrayLike<number>): Moments {
  const mean = new Float64Array(dim);
  const weight = (k: number) => weights?.[k] ?? 1;
  const count = parts.reduce((sum, part, k) => sum + weight(k) * part.count, 0);
  const { products } = emptyMoments(dim);
  if (count === 0) return { count, mean, products };
  parts.forEach((part, k) => {
    const share = (weight(k) * part.count) / count;
    for (let i = 0; i < dim; i++) mean[i]! += share * part.mean[i]!;
  });
  const shift = new Float64Array(dim);
  parts.forEach((part, k) => {
    const times = weight(k);
    if (times === 0 || part.count === 0) return;
    for (let i = 0; i < dim; i++) shift[i] = part.mean[i]! - mean[i]!;
    for (let t = 0; t < products.length; t++) products[t]! += times * part.products[t]!;
    addOuter(products, shift, times * part.count);
  });
  return { count, mean, products };
}

/** Mean and covariance. @throws BAD_ARGUMENT when there are no two vectors */
export function statisticsOf({ count, mean, products }: Moments): Statistics {
  const dim = mean.length;
  if (count < 2) throw new NcvsdError("BAD_ARGUMENT", `a covariance needs at least 2 images, there is ${count}`);
  const cov = new Float64Array(dim * dim);
  for (let i = 0, at = 0; i < dim; i++) {
    for (let j = 0; j <= i; j++) cov[i * dim + j] = cov[j * dim + i] = products[at++]! / (count - 1);
  }
  return { count, mean: mean.slice(), cov };
}

/** The moments that gave these statistics. @throws BAD_ARGUMENT when the count is not known */
export function momentsFrom({ count, mean, cov }: Statistics, name: string): Moments {
  if (count === undefined)
    throw new NcvsdError("BAD_ARGUMENT", `${name} does not say how many images it is of: it cannot be merged`);
  const dim = mean.length;
  const { products } = emptyMoments(dim);
  for (let i = 0, at = 0; i < dim; i++) for (let j = 0; j <= i; j++) products[at++] = cov[i * dim + j]! * (count - 1);
  return { count, mean, products };
}

/** Rows that are gathered before they are merged into the total. */
const BLOCK = 256;

/**
 * Moments of a stream, in one pass and float64. Blocks of 256 vectors are summed by themselves and merged in order, so that
 * the result depends on the vectors and their order alone, not on how many came at a time.
 */
export class RunningMoments {
  readonly dim: number;
  #total: Moments;
  readonly #block: Float64Array;
  #rows = 0;
  #seen = 0;

  constructor(dim: number) {
    this.dim = dim;
    this.#total = emptyMoments(dim);
    this.#block = new Float64Array(BLOCK * dim);
  }

  get count(): number {
    return this.#seen;
  }

  /**
   * Adds vectors, one after the other.
   * @param nameOf what to call vector i of this call in a message
   * @throws NOT_FINITE at the first value that is NaN or infinite
   */
  push(features: ArrayLike<number>, nameOf: (i: number) => string = (i) => `image ${this.#seen + i}`): void {
    checkFinite(features, this.dim, nameOf);
    for (let r = 0; r < features.length / this.dim; r++) {
      for (let i = 0; i < this.dim; i++) this.#block[this.#rows * this.dim + i] = features[r * this.dim + i]!;
      if (++this.#rows === BLOCK) this.#flush();
    }
    this.#seen += features.length / this.dim;
  }

  /** The moments of all so far; more can be added afterwards. */
  moments(): Moments {
    return this.#rows === 0 ? this.#total : mergeMoments([this.#total, this.#open()], this.dim);
  }

  #open(): Moments {
    return momentsOf(this.#block, this.dim, 0, this.#rows);
  }

  #flush(): void {
    this.#total = mergeMoments([this.#total, this.#open()], this.dim);
    this.#rows = 0;
  }
}

/** @throws NOT_FINITE naming the image and the feature */
export function checkFinite(features: ArrayLike<number>, dim: number, nameOf: (i: number) => string): void {
  for (let i = 0; i < features.length; i++) {
    if (Number.isFinite(features[i])) continue;
    throw new NcvsdError(
      "NOT_FINITE",
      `feature ${i % dim} of ${nameOf(Math.floor(i / dim))} is ${features[i]}: no statistics can be made of it; check the image and the feature network`,
    );
  }
}
