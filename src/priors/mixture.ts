import { normals } from "../../kernels/lib/philox.js";
import { bad, checkKeys } from "../errors.js";
import { uniforms as uniformsFrom } from "../random/uniforms.js";
import { flat, flatOf, levelsOf, pick, type Rows, rowsOf, uniformsOf, wholeOf } from "./arguments.js";
import { Component } from "./component.js";
import { cholesky, logSumExp, multiply, solveLower, solveUpper, transposed } from "./linear-algebra.js";

const LOG_2PI = Math.log(2 * Math.PI);

export interface MixtureOptions {
  /** K means of D numbers, flat or nested. */
  readonly means: Rows;
  /** K covariances, D x D, symmetric, no negative variance. */
  readonly covs: Rows;
  /** K weights, not negative; they are divided by their sum. Their number is K. */
  readonly weights: Rows;
}

/** What decides draws: for every row a uniform that chooses the component, and D standard normal numbers. */
export interface MixtureDraws {
  readonly uniforms: Rows;
  readonly z: Rows;
}

/** A mixture that came of conditioning, and how likely was what it is conditioned on. */
export type ConditionedMixture = GaussianMixture & { readonly logEvidence: number };

/**
 * The prior sum_k w_k N(mu_k, C_k), of which everything is known in closed form: densities, denoisers, posteriors. In float64 on
 * the host.
 * @throws BAD_ARGUMENT when the sizes disagree, a covariance is none, or no weight is positive
 */
export function gaussianMixture(options: MixtureOptions): GaussianMixture {
  const call = "gaussianMixture";
  checkKeys(call, options, { means: true, covs: true, weights: true });
  const weights = flat(call, "weights", options.weights);
  const means = flat(call, "means", options.means);
  const count = weights.length;
  const total = weights.reduce((a, b) => a + b, 0);
  if (count === 0 || !(total > 0) || weights.some((w) => w < 0))
    throw bad(`${call}: weights must not be negative, and at least one must be positive.`);
  if (means.length === 0 || means.length % count !== 0)
    throw bad(`${call}: means holds ${means.length} values, which are no ${count} rows (one per weight).`);
  const dims = means.length / count;
  const covs = flatOf(call, "covs", options.covs, count * dims * dims, `${count} matrices of ${dims} x ${dims}`);
  const parts = Array.from(weights, (w, k) => {
    const cov = covs.slice(k * dims * dims, (k + 1) * dims * dims);
    checkSymmetric(call, cov, dims, k);
    return new Component(Math.log(w / total), means.slice(k * dims, (k + 1) * dims), cov);
  });
  return new GaussianMixture(parts, dims);
}

/**
 * A mixture of Gaussians. Rows are points of `dims` numbers one after another; results are float64.
 * Denoiser and draws: x0 given x = x0 + sigma z is again a mixture, with weights p_k ~ w_k N(x; mu_k, C_k + sigma^2), means
 * mu_k + C_k (C_k + sigma^2)^-1 (x - mu_k), covariances C_k - C_k (C_k + sigma^2)^-1 C_k (Karras et al. 2022, eq. 3, for D).
 */
export class GaussianMixture {
  /** D */
  readonly dims: number;
  /** K numbers that sum to 1. */
  readonly weights: Float64Array;
  /** K x D */
  readonly means: Float64Array;
  /** K x D x D */
  readonly covs: Float64Array;
  readonly #parts: readonly Component[];

  /** Use `gaussianMixture`, which checks. */
  constructor(parts: readonly Component[], dims: number) {
    this.#parts = parts;
    this.dims = dims;
    this.weights = Float64Array.from(parts, ({ logWeight }) => Math.exp(logWeight));
    this.means = joined(parts.map(({ mean }) => mean));
    this.covs = joined(parts.map(({ cov }) => cov));
  }

  /** Natural logarithm of the density, per row. @throws BAD_ARGUMENT where a covariance is singular: it has no density */
  logDensity(x: Rows): Float64Array {
    const { values, count } = rowsOf("logDensity", "x", x, this.dims);
    return Float64Array.from({ length: count }, (_, n) => logSumExp(this.#logTerms("logDensity", values, n, 0)));
  }

  /** Gradient of the log density, shaped like x. */
  score(x: Rows): Float64Array {
    const { values, count } = rowsOf("score", "x", x, this.dims);
    const out = new Float64Array(values.length);
    for (let n = 0; n < count; n++) {
      const p = this.#responsibilities("score", values, n, 0);
      this.#parts.forEach((part, k) => {
        part.addPull(this.#row(values, n), 0, p[k]!, this.#row(out, n));
      });
    }
    return out;
  }

  /** The density of x0 + sigma z: every covariance C + sigma^2 I. */
  smoothed(sigma: number): GaussianMixture {
    const [level] = levelsOf("smoothed", sigma, 1);
    return new GaussianMixture(
      this.#parts.map((part) => part.smoothed(level!)),
      this.dims,
    );
  }

  /**
   * The mixture of the other coordinates, in their order, given those of `indices`: `values`, one per index.
   * @returns a mixture of D - indices.length coordinates; `logEvidence` is the log density of the values
   */
  conditional(given: { readonly indices: Rows; readonly values: Rows }): ConditionedMixture {
    const call = "conditional";
    checkKeys(call, given, { indices: true, values: true });
    const { dims } = this;
    const seen = Array.from(flat(call, "indices", given.indices));
    if (seen.some((i, at) => !Number.isInteger(i) || i < 0 || i >= dims || seen.indexOf(i) !== at))
      throw bad(`${call}: indices must be different integers from 0 to ${dims - 1}, got ${seen.join(", ")}.`);
    if (seen.length === dims) throw bad(`${call}: all ${dims} coordinates are given: leave at least one.`);
    const values = flatOf(call, "values", given.values, seen.length, "the indices");
    const matrix = new Float64Array(seen.length * dims);
    seen.forEach((i, row) => {
      matrix[row * dims + i] = 1;
    });
    const free = Array.from({ length: dims }, (_, i) => i).filter((i) => !seen.includes(i));
    return this.#given(call, matrix, seen.length, values, 0, free);
  }

  /** n draws, n x D: the same for the same seed. */
  sample(n: number, seed: number): Float64Array {
    const count = wholeOf("sample", "n", n, 1);
    return this.draw(drawsOf(seed, count, this.dims));
  }

  /** The draws that uniforms (one per row: the first component whose cumulated weight exceeds it) and z (n x D) decide: mu + L z, L the lower Cholesky factor. */
  draw(draws: MixtureDraws): Float64Array {
    const call = "draw";
    checkKeys(call, draws, { uniforms: true, z: true });
    const u = uniformsOf(call, draws.uniforms);
    const z = flatOf(call, "z", draws.z, u.length * this.dims, `${u.length} rows`);
    const out = new Float64Array(z.length);
    u.forEach((value, n) => {
      this.#parts[pick(this.weights, value)]!.draw(undefined, 0, this.#row(z, n), this.#row(out, n));
    });
    return out;
  }

  /**
   * The exact denoiser D(x; sigma) = E[x0 | x0 + sigma z = x], shaped like x.
   * @param input x: rows; sigma: one level, or one per row
   */
  denoise(input: { readonly x: Rows; readonly sigma: number | ArrayLike<number> }): Float64Array {
    const call = "denoise";
    checkKeys(call, input, { x: true, sigma: true });
    const { values, count } = rowsOf(call, "x", input.x, this.dims);
    const sigma = levelsOf(call, input.sigma, count);
    const out = new Float64Array(values.length);
    for (let n = 0; n < count; n++) {
      // Without noise the point is its own mean, singular covariances included.
      if (sigma[n] === 0) out.set(this.#row(values, n), n * this.dims);
      else {
        const p = this.#responsibilities(call, values, n, sigma[n]!);
        this.#parts.forEach((part, k) => {
          part.addMean(this.#row(values, n), sigma[n]!, p[k]!, this.#row(out, n));
        });
      }
    }
    return out;
  }

  /**
   * Draws of x0 given y = x0 + sigma z', shaped like y: the component by a uniform, then mean plus Cholesky factor times z.
   * @param input uniforms and z as for `draw`; what is absent comes of `seed` (default 0)
   */
  generate(
    input: {
      readonly y: Rows;
      readonly sigma: number | ArrayLike<number>;
      readonly seed?: number;
    } & Partial<MixtureDraws>,
  ): Float64Array {
    const call = "generate";
    checkKeys(call, input, { y: true, sigma: true, uniforms: true, z: true, seed: true });
    const { dims } = this;
    const { values, count } = rowsOf(call, "y", input.y, dims);
    const sigma = levelsOf(call, input.sigma, count);
    const own = input.uniforms && input.z ? undefined : drawsOf(input.seed ?? 0, count, dims);
    const u = input.uniforms ? uniformsOf(call, input.uniforms) : own!.uniforms;
    if (u.length !== count) throw bad(`${call}: uniforms holds ${u.length} values for ${count} rows.`);
    const z = input.z ? flatOf(call, "z", input.z, values.length, "the values of y") : own!.z;
    const out = new Float64Array(values.length);
    for (let n = 0; n < count; n++) {
      if (sigma[n] === 0) {
        out.set(this.#row(values, n), n * dims);
        continue;
      }
      const k = pick(this.#responsibilities(call, values, n, sigma[n]!), u[n]!);
      this.#parts[k]!.draw(this.#row(values, n), sigma[n]!, this.#row(z, n), this.#row(out, n));
    }
    return out;
  }

  /**
   * The exact posterior of y = matrix x + sigma n: again a mixture, with weights w_k N(y; A mu_k, A C_k A' + sigma^2), means
   * mu_k + K_k (y - A mu_k), covariances C_k - K_k A C_k, K_k = C_k A' (A C_k A' + sigma^2)^-1.
   * @param input matrix: rows x D; y: rows; sigma: not negative
   * @returns a mixture with `logEvidence`, the log density of y
   */
  posterior(input: {
    readonly matrix: Rows;
    readonly rows: number;
    readonly y: Rows;
    readonly sigma: number;
  }): ConditionedMixture {
    const call = "posterior";
    checkKeys(call, input, { matrix: true, rows: true, y: true, sigma: true });
    const rows = wholeOf(call, "rows", input.rows, 1);
    const matrix = flatOf(call, "matrix", input.matrix, rows * this.dims, `${rows} rows of ${this.dims}`);
    const y = flatOf(call, "y", input.y, rows, "the rows");
    const [sigma] = levelsOf(call, input.sigma, 1);
    return this.#given(call, matrix, rows, y, sigma!);
  }

  /** D numbers. */
  mean(): Float64Array {
    const out = new Float64Array(this.dims);
    this.#parts.forEach(({ mean }, k) => {
      for (let i = 0; i < out.length; i++) out[i]! += this.weights[k]! * mean[i]!;
    });
    return out;
  }

  /** Standard deviation of each coordinate, D numbers. */
  std(): Float64Array {
    const { dims } = this;
    const centre = this.mean();
    const out = new Float64Array(dims);
    this.#parts.forEach(({ mean, cov }, k) => {
      for (let i = 0; i < dims; i++)
        out[i]! += this.weights[k]! * (Math.max(cov[i * dims + i]!, 0) + (mean[i]! - centre[i]!) ** 2);
    });
    return out.map(Math.sqrt);
  }

  #row(values: Float64Array, n: number): Float64Array {
    return values.subarray(n * this.dims, (n + 1) * this.dims);
  }

  /** log w_k N(x; mu_k, C_k + sigma^2) */
  #logTerms(call: string, values: Float64Array, n: number, sigma: number): Float64Array {
    return Float64Array.from(this.#parts, (part, k) => {
      const log = part.logDensity(this.#row(values, n), sigma);
      if (log === undefined)
        throw bad(
          `${call}: covariance ${k} is singular, so that there is no density: take smoothed(sigma) or a sigma above 0.`,
        );
      return part.logWeight + log;
    });
  }

  #responsibilities(call: string, values: Float64Array, n: number, sigma: number): Float64Array {
    const terms = this.#logTerms(call, values, n, sigma);
    const log = logSumExp(terms);
    return terms.map((t) => Math.exp(t - log));
  }

  /** Given y = A x + sigma n; of the coordinates `free`, or of all. */
  #given(
    call: string,
    matrix: Float64Array,
    rows: number,
    y: Float64Array,
    sigma: number,
    free?: readonly number[],
  ): ConditionedMixture {
    const { dims } = this;
    const parts = this.#parts.map((part, k) => {
      const found = rows === 0 ? { ...part, logLikelihood: 0 } : conditioned(part, matrix, rows, y, sigma);
      if (!found)
        throw bad(
          `${call}: of component ${k} the measurement's covariance is singular: give a larger sigma, or fewer rows.`,
        );
      return { ...found, logWeight: part.logWeight + found.logLikelihood };
    });
    const logEvidence = logSumExp(parts.map(({ logWeight }) => logWeight));
    const kept = free ?? Array.from({ length: dims }, (_, i) => i);
    const all = parts.map(({ mean, cov, logWeight }) => {
      const means = Float64Array.from(kept, (i) => mean[i]!);
      const covs = Float64Array.from(kept.flatMap((i) => kept.map((j) => cov[i * dims + j]!)));
      return new Component(logWeight - logEvidence, means, covs);
    });
    return Object.assign(new GaussianMixture(all, kept.length), { logEvidence });
  }
}

/** One component given y, and log N(y; A mu, A C A' + sigma^2); undefined where that covariance is singular. */
function conditioned({ mean, cov }: Component, a: Float64Array, rows: number, y: Float64Array, sigma: number) {
  const dims = mean.length;
  const across = multiply(a, cov, rows, dims, dims);
  const spread = multiply(across, transposed(a, rows, dims), rows, dims, rows);
  for (let i = 0; i < rows; i++) spread[i * rows + i]! += sigma * sigma;
  const { lower, rank } = cholesky(spread, rows);
  if (rank < rows) return undefined;
  const misfit = multiply(a, mean, rows, dims, 1).map((v, i) => y[i]! - v);
  solveLower(lower, misfit, rows, 1);
  solveLower(lower, across, rows, dims);
  const moved = multiply(transposed(across, rows, dims), misfit, dims, rows, 1).map((v, i) => mean[i]! + v);
  solveUpper(lower, across, rows, dims);
  const gain = transposed(across, rows, dims);
  // (1 - K A) C (1 - K A)' + sigma^2 K K' is C - K A C, and stays a covariance where the noise is small (Joseph's form).
  const rest = multiply(gain, a, dims, rows, dims).map((v, i) => Number(i % (dims + 1) === 0) - v);
  const left = multiply(multiply(rest, cov, dims, dims, dims), transposed(rest, dims, dims), dims, dims, dims);
  const noise = multiply(gain, across, dims, rows, dims);
  let logLikelihood = -0.5 * rows * LOG_2PI;
  for (let i = 0; i < rows; i++) logLikelihood -= 0.5 * misfit[i]! ** 2 + Math.log(lower[i * rows + i]!);
  return { mean: moved, cov: left.map((v, i) => v + sigma * sigma * noise[i]!), logLikelihood };
}

/** What a seed decides: uniforms and z for `count` rows. */
function drawsOf(seed: number, count: number, dims: number): { uniforms: Float64Array; z: Float64Array } {
  const next = uniformsFrom(seed, 0);
  return {
    uniforms: Float64Array.from({ length: count }, next),
    z: Float64Array.from(normals(seed, 0, count * dims)),
  };
}

function joined(rows: readonly Float64Array[]): Float64Array {
  const out = new Float64Array(rows.reduce((sum, row) => sum + row.length, 0));
  let at = 0;
  for (const row of rows) {
    out.set(row, at);
    at += row.length;
  }
  return out;
}

/** Covariances that were computed in single precision are symmetric to its rounding. */
function checkSymmetric(call: string, cov: Float64Array, dims: number, k: number): void {
  let largest = 0;
  for (let i = 0; i < dims; i++) largest = Math.max(largest, Math.abs(cov[i * dims + i]!));
  for (let i = 0; i < dims; i++) {
    if (cov[i * dims + i]! < 0) throw bad(`${call}: covariance ${k} has the negative variance ${cov[i * dims + i]}.`);
    for (let j = 0; j < i; j++) {
      const [a, b] = [cov[i * dims + j]!, cov[j * dims + i]!];
      if (Math.abs(a - b) > 1e-5 * largest)
        throw bad(`${call}: covariance ${k} is not symmetric: entry (${i}, ${j}) is ${a}, (${j}, ${i}) is ${b}.`);
      cov[i * dims + j] = cov[j * dims + i] = (a + b) / 2;
    }
  }
  if (!cholesky(cov, dims).semidefinite)
    throw bad(`${call}: covariance ${k} has negative eigenvalues: it is no covariance.`);
}
