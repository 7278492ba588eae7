import { EVD, Matrix } from "ml-matrix";
import { NcvsdError } from "../errors.js";
import { factorOf, nuclearNorm, rowProducts } from "./nuclear-norm.js";
import type { Statistics } from "./statistics.js";

/**
 * The Frechet distance to fixed reference statistics (Heusel et al. 2017):
 *
 *     d = |m - m_ref|^2 + tr(S) + tr(R) - 2 tr((S R)^(1/2))
 *
 * The last trace is the sum of the square roots of the eigenvalues of R^(1/2) S R^(1/2), so that only symmetric
 * eigenproblems are solved, and R^(1/2) only once.
 */
export class FrechetReference {
  readonly statistics: Statistics;
  readonly #root: Matrix;
  readonly #trace: number;

  /** @throws BAD_ARGUMENT when the covariance is none (not symmetric, not finite, with clearly negative variances) */
  constructor(statistics: Statistics, name = "the reference statistics") {
    checkCovariance(statistics, name);
    this.statistics = statistics;
    const { values, vectors } = eigen(statistics.cov, statistics.mean.length);
    const floor = -1e-3 * Math.max(...values, 0);
    const lowest = Math.min(...values);
    if (lowest < floor) {
      throw new NcvsdError(
        "BAD_ARGUMENT",
        `${name}: the covariance has the negative eigenvalue ${lowest.toPrecision(3)}: the file is damaged, or holds something else`,
      );
    }
    const dim = values.length;
    // V diag(sqrt(values)) V^T
    const half = vectors.clone();
    for (let j = 0; j < dim; j++) {
      const root = Math.sqrt(Math.max(values[j]!, 0));
      for (let i = 0; i < dim; i++) half.set(i, j, half.get(i, j) * root);
    }
    this.#root = half.mmul(vectors.transpose());
    this.#trace = trace(statistics.cov, dim);
  }

  get dim(): number {
    return this.statistics.mean.length;
  }

  /** @throws BAD_ARGUMENT when the dimensions differ */
  distance({ mean, cov }: Statistics): number {
    const { dim } = this;
    if (mean.length !== dim) {
      throw new NcvsdError("BAD_ARGUMENT", `statistics of ${mean.length} features cannot be compared with ${dim}`);
    }
    let means = 0;
    for (let i = 0; i < dim; i++) means += (mean[i]! - this.statistics.mean[i]!) ** 2;
    const product = this.#root.mmul(Matrix.from1DArray(dim, dim, cov)).mmul(this.#root);
    // The rounding of the two products leaves it symmetric only nearly.
    const symmetric = product.clone().add(product.transpose()).mul(0.5);
    const { values } = eigen(symmetric.to1DArray(), dim);
    const roots = values.reduce((sum, v) => sum + Math.sqrt(Math.max(v, 0)), 0);
    return Math.max(0, means + trace(cov, dim) + this.#trace - 2 * roots);
  }
}

/** Above so many features eigenvectors take minutes. */
const MOST_VECTORS = 512;

/**
 * The Frechet distance between two sets of statistics; of many features without eigenvectors: the trace of (S R)^(1/2) is the
 * sum of the singular values of F G^T with S = F^T F and R = G^T G.
 * @throws BAD_ARGUMENT when the dimensions differ, or a covariance is none
 */
export function frechetDistance(a: Statistics, b: Statistics): number {
  const dim = b.mean.length;
  if (dim <= MOST_VECTORS || a.mean.length !== dim) return new FrechetReference(b).distance(a);
  const [f, g] = [a, b].map((statistics, i) => {
    const name = i === 0 ? "the first statistics" : "the second statistics";
    checkCovariance(statistics, name);
    const factor = factorOf(statistics.cov, dim);
    if (factor.least < -1e-3 * (trace(statistics.cov, dim) / dim))
      throw new NcvsdError("BAD_ARGUMENT", `${name}: the covariance has clearly negative eigenvalues: it is damaged`);
    return factor;
  }) as [Factor, Factor];
  const roots = nuclearNorm(rowProducts(f.rows, g.rows, dim), f.rank, g.rank);
  let means = 0;
  for (let i = 0; i < dim; i++) means += (a.mean[i]! - b.mean[i]!) ** 2;
  return Math.max(0, means + trace(a.cov, dim) + trace(b.cov, dim) - 2 * roots);
}

type Factor = ReturnType<typeof factorOf>;

/**
 * A covariance of n vectors has rank n - 1 at most: of fewer than dim + 1 the distance says nothing.
 * @throws BAD_ARGUMENT naming how many are needed
 */
export function requireSamples(count: number, dim: number, what = "images"): void {
  if (count > dim) return;
  throw new NcvsdError(
    "BAD_ARGUMENT",
    `${count} ${what} cannot determine the covariance of ${dim} features: at least ${dim + 1} are needed, and several thousand for a figure worth comparing`,
  );
}

function eigen(matrix: ArrayLike<number>, dim: number): { values: number[]; vectors: Matrix } {
  const evd = new EVD(Matrix.from1DArray(dim, dim, matrix as number[]), { assumeSymmetric: true });
  return { values: evd.realEigenvalues, vectors: evd.eigenvectorMatrix };
}

function trace(matrix: ArrayLike<number>, dim: number): number {
  let sum = 0;
  for (let i = 0; i < dim; i++) sum += matrix[i * dim + i]!;
  return sum;
}

function checkCovariance({ mean, cov }: Statistics, name: string): void {
  const dim = mean.length;
  const bad = (message: string) => new NcvsdError("BAD_ARGUMENT", `${name}: ${message}`);
  if (cov.length !== dim * dim)
    throw bad(`the covariance has ${cov.length} entries where ${dim} features need ${dim}x${dim}`);
  const scale = Math.max(...Array.from({ length: dim }, (_, i) => Math.abs(cov[i * dim + i]!)), Number.MIN_VALUE);
  for (let i = 0; i < dim; i++) {
    if (!Number.isFinite(mean[i])) throw bad(`the mean of feature ${i} is ${mean[i]}`);
    for (let j = 0; j < dim; j++) {
      const v = cov[i * dim + j]!;
      if (!Number.isFinite(v)) throw bad(`the covariance of features ${i} and ${j} is ${v}`);
      if (Math.abs(v - cov[j * dim + i]!) > 1e-4 * scale)
        throw bad(`the covariance is not symmetric (features ${i} and ${j})`);
    }
  }
}
