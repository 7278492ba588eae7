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
  const moments = emptyMoments(dim);
  addBlock(moments, rows, from, to);
  return { ...moments, count: to - from };
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

/** What has been added to running moments, in a form that can be stored. */
export interface RunningState {
  /** Of whole blocks. */
  readonly total: Moments;
  /** Vectors of the block that is not full, [fewer than 256, dim]. */
  readonly open: Float64Array;
}

/**
 * Moments of a stream, in one pass and float64. Blocks of 256 vectors are summed by themselves and merged in order, so that
 * the result depends on the vectors and their order alone, not on how many came at a time, nor on where it was taken up again.
 */
export class RunningMoments {
  readonly dim: number;
  #count = 0;
  readonly #mean: Float64Array;
  readonly #products: Float64Array;
  readonly #block: Float64Array;
  #rows = 0;

  constructor(dim: number, state?: RunningState) {
    this.dim = dim;
    const { count, mean, products } = state?.total ?? emptyMoments(dim);
    this.#count = count;
    this.#mean = mean.slice();
    this.#products = products.slice();
    this.#block = new Float64Array(BLOCK * dim);
    if (state) {
      this.#block.set(state.open);
      this.#rows = state.open.length / dim;
    }
  }

  get count(): number {
    return this.#count + this.#rows;
  }

  /**
   * Adds vectors, one after the other.
   * @param nameOf what to call vector i of this call in a message
   * @throws NOT_FINITE at the first value that is NaN or infinite
   */
  push(features: ArrayLike<number>, nameOf: (i: number) => string = (i) => `image ${this.count + i}`): void {
    const { dim } = this;
    checkFinite(features, dim, nameOf);
    for (let r = 0; r < features.length / dim; r++) {
      for (let i = 0; i < dim; i++) this.#block[this.#rows * dim + i] = features[r * dim + i]!;
      if (++this.#rows === BLOCK) this.#flush();
    }
  }

  /** The moments of all so far; more can be added afterwards. */
  moments(): Moments {
    const total = { count: this.#count, mean: this.#mean.slice(), products: this.#products.slice() };
    addBlock(total, this.#block, 0, this.#rows);
    return { ...total, count: this.count };
  }

  state(): RunningState {
    const total = { count: this.#count, mean: this.#mean.slice(), products: this.#products.slice() };
    return { total, open: this.#block.slice(0, this.#rows * this.dim) };
  }

  #flush(): void {
    addBlock({ count: this.#count, mean: this.#mean, products: this.#products }, this.#block, 0, this.#rows);
    this.#count += this.#rows;
    this.#rows = 0;
  }
}

/** Mean and products of moments with those of rows `from` to `to` added (Chan, Golub & LeVeque 1983); its count stays the caller's. */
function addBlock({ count, mean, products }: Moments, block: ArrayLike<number>, from: number, to: number): void {
  const rows = to - from;
  if (rows === 0) return;
  const dim = mean.length;
  /** The block's features less their means, each feature's values in one piece. */
  const centred = new Float64Array(dim * rows);
  const shift = new Float64Array(dim);
  for (let i = 0; i < dim; i++) {
    let own = 0;
    for (let r = 0; r < rows; r++) own += block[(from + r) * dim + i]!;
    own /= rows;
    for (let r = 0; r < rows; r++) centred[i * rows + r] = block[(from + r) * dim + i]! - own;
    shift[i] = own - mean[i]!;
  }
  addProducts(products, centred, dim, rows);
  addOuter(products, shift, (count * rows) / (count + rows));
  for (let i = 0; i < dim; i++) mean[i]! += (shift[i]! * rows) / (count + rows);
}

/** products += sum over r of x_i[r] x_j[r]; four features j at a time, so that those of i are loaded less often. */
function addProducts(products: Float64Array, x: Float64Array, dim: number, rows: number): void {
  for (let i = 0, at = 0; i < dim; at += ++i) {
    const a = i * rows;
    let j = 0;
    for (; j + 3 <= i; j += 4) {
      const b = j * rows;
      const [c, d, e] = [b + rows, b + 2 * rows, b + 3 * rows];
      let [s0, s1, s2, s3] = [0, 0, 0, 0];
      for (let r = 0; r < rows; r++) {
        const v = x[a + r]!;
        s0 += v * x[b + r]!;
        s1 += v * x[c + r]!;
        s2 += v * x[d + r]!;
        s3 += v * x[e + r]!;
      }
      products[at + j]! += s0;
      products[at + j + 1]! += s1;
      products[at + j + 2]! += s2;
      products[at + j + 3]! += s3;
    }
    for (; j <= i; j++) {
      let sum = 0;
      for (let r = 0; r < rows; r++) sum += x[a + r]! * x[j * rows + r]!;
      products[at + j]! += sum;
    }
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
