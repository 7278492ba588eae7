import { bad } from "../errors.js";
import { type Factor, factorOf, factorProduct } from "./covariance-factor.js";
import { nuclearNorm } from "./nuclear-norm.js";
import type { Statistics } from "./statistics.js";

/**
 * The Frechet distance to fixed reference statistics (Heusel et al. 2017):
 *
 *     d = |m - m_ref|^2 + tr(S) + tr(R) - 2 tr((S R)^(1/2))
 *
 * The last trace is the sum of the singular values of F G^T with S = F^T F and R = G^T G: no root is taken of what rounding
 * leaves of a null eigenvalue, so that covariances of dead or repeated features, or of few images, lose no digits.
 */
export class FrechetReference {
  readonly statistics: Statistics;
  readonly #factor: Factor;
  readonly #trace: number;

  /** @throws BAD_ARGUMENT when the covariance is none (not symmetric, not finite, with negative variances) */
  constructor(statistics: Statistics, name = "the reference statistics") {
    this.statistics = statistics;
    this.#factor = checkedFactor(statistics, name);
    this.#trace = trace(statistics);
  }

  get dim(): number {
    return this.statistics.mean.length;
  }

  /** @throws BAD_ARGUMENT when the dimensions differ, or it is no covariance */
  distance(other: Statistics, name = "the statistics"): number {
    const { dim, statistics } = this;
    if (other.mean.length !== dim)
      throw bad(`statistics of ${other.mean.length} features cannot be compared with ${dim}`);
    let means = 0;
    for (let i = 0; i < dim; i++) means += (other.mean[i]! - statistics.mean[i]!) ** 2;
    if (other.cov.length === dim * dim && other.cov.every((v, i) => v === statistics.cov[i])) return means;
    const factor = checkedFactor(other, name);
    const roots = nuclearNorm(factorProduct(factor, this.#factor), factor.rank, this.#factor.rank);
    return Math.max(0, means + trace(other) + this.#trace - 2 * roots);
  }
}

/**
 * The Frechet distance between two sets of statistics.
 * @throws BAD_ARGUMENT when the dimensions differ, or a covariance is none
 */
export function distanceBetween(a: Statistics, b: Statistics): number {
  if (a.mean.length !== b.mean.length)
    throw bad(`statistics of ${a.mean.length} features cannot be compared with ${b.mean.length}`);
  return new FrechetReference(b, "the second statistics").distance(a, "the first statistics");
}

/** A covariance of n vectors has rank n - 1 at most: what the distance of fewer than dim + 1 is, in a sentence; undefined of more. */
export function fewSamples(
  count: number | undefined,
  { dim, metric }: { readonly dim: number; readonly metric?: string | undefined },
  what: string,
): string | undefined {
  if (count === undefined || count > dim) return undefined;
  const features = `${dim} features${metric === undefined ? "" : ` (${metric})`}`;
  return `${what}: ${count} images do not determine the covariance of ${features}; the distance is far too high, and comparable only with that of as many`;
}

function trace({ mean, cov }: Statistics): number {
  let sum = 0;
  for (let i = 0; i < mean.length; i++) sum += cov[i * mean.length + i]!;
  return sum;
}

/** Rounding of single precision, and of sums whose order was another for the two halves. */
const TOLERANCE = 1e-4;

function checkedFactor({ mean, cov }: Statistics, name: string): Factor {
  const dim = mean.length;
  if (cov.length !== dim * dim)
    throw bad(`${name}: the covariance has ${cov.length} entries where ${dim} features need ${dim}x${dim}`);
  const variances = Float64Array.from({ length: dim }, (_, i) => cov[i * dim + i]!);
  const scale = variances.reduce((most, v) => Math.max(most, Math.abs(v)), Number.MIN_VALUE);
  const deviations = variances.map((v) => Math.sqrt(Math.max(v, 0)));
  for (let i = 0; i < dim; i++) {
    if (!Number.isFinite(mean[i])) throw bad(`${name}: the mean of feature ${i} is ${mean[i]}`);
    for (let j = 0; j < dim; j++) {
      const v = cov[i * dim + j]!;
      if (!Number.isFinite(v)) throw bad(`${name}: the covariance of features ${i} and ${j} is ${v}`);
      if (Math.abs(v - cov[j * dim + i]!) > TOLERANCE * scale)
        throw bad(`${name}: the covariance is not symmetric (features ${i} and ${j})`);
      if (i !== j && Math.abs(v) > deviations[i]! * deviations[j]! + 10 * TOLERANCE * scale)
        throw bad(`${name}: features ${i} and ${j} have a covariance above what their variances allow: it is damaged`);
    }
    if (variances[i]! < -10 * TOLERANCE * scale)
      throw bad(`${name}: feature ${i} has the negative variance ${variances[i]!.toPrecision(3)}: it is damaged`);
  }
  const factor = factorOf(cov, dim);
  if (factor.least < -10 * TOLERANCE * scale)
    throw bad(`${name}: the covariance has clearly negative eigenvalues: the file is damaged, or holds something else`);
  return factor;
}
