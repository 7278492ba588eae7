import { cholesky, eigenSymmetric } from "./linear-algebra.js";

const LOG_2PI = Math.log(2 * Math.PI);

/** One Gaussian of a mixture. Everything at a level sigma comes of one eigendecomposition C = Q diag(l) Q', made when it is needed. */
export class Component {
  readonly logWeight: number;
  /** D */
  readonly mean: Float64Array;
  /** D x D */
  readonly cov: Float64Array;
  #eigen: { values: Float64Array; vectors: Float64Array } | undefined;
  /** Lower factors by level; samplers go down a list of levels once, so that the last one is enough. */
  #factor: { sigma: number; lower: Float64Array } | undefined;

  constructor(logWeight: number, mean: Float64Array, cov: Float64Array) {
    this.logWeight = logWeight;
    this.mean = mean;
    this.cov = cov;
  }

  /** With covariance C + sigma^2. */
  smoothed(sigma: number): Component {
    const dims = this.mean.length;
    const cov = Float64Array.from(this.cov);
    for (let i = 0; i < dims; i++) cov[i * dims + i]! += sigma * sigma;
    return new Component(this.logWeight, this.mean, cov);
  }

  /** log N(x; mu, C + sigma^2); undefined where that has no density. */
  logDensity(x: Float64Array, sigma: number): number | undefined {
    const { values } = this.#decomposed();
    const t = this.#coordinates(x);
    let sum = -0.5 * t.length * LOG_2PI;
    for (let j = 0; j < t.length; j++) {
      const variance = values[j]! + sigma * sigma;
      if (!(variance > 0)) return undefined;
      sum -= 0.5 * (t[j]! ** 2 / variance + Math.log(variance));
    }
    return sum;
  }

  /** out += share * (C + sigma^2)^-1 (mu - x), the score. */
  addPull(x: Float64Array, sigma: number, share: number, out: Float64Array): void {
    const { values } = this.#decomposed();
    this.#addBack(this.#coordinates(x), (j) => -share / (values[j]! + sigma * sigma), out);
  }

  /** out += share * E[x0 | x], x = x0 + sigma z. */
  addMean(x: Float64Array, sigma: number, share: number, out: Float64Array): void {
    if (share === 0) return;
    const { values } = this.#decomposed();
    for (let i = 0; i < out.length; i++) out[i]! += share * this.mean[i]!;
    this.#addBack(this.#coordinates(x), (j) => (share * values[j]!) / (values[j]! + sigma * sigma), out);
  }

  /**
   * out = mean + L z, L the lower Cholesky factor of the covariance: of the component itself where x is undefined, else of x0
   * given x = x0 + sigma z', whose covariance is C - C (C + sigma^2)^-1 C = Q diag(l s^2/(l + s^2)) Q'.
   */
  draw(x: Float64Array | undefined, sigma: number, z: Float64Array, out: Float64Array): void {
    const dims = out.length;
    if (x) this.addMean(x, sigma, 1, out);
    else out.set(this.mean);
    const lower = this.#lower(x ? sigma : Number.POSITIVE_INFINITY);
    for (let i = 0; i < dims; i++) for (let j = 0; j <= i; j++) out[i]! += lower[i * dims + j]! * z[j]!;
  }

  #lower(sigma: number): Float64Array {
    if (this.#factor?.sigma === sigma) return this.#factor.lower;
    const dims = this.mean.length;
    let cov = this.cov;
    if (sigma !== Number.POSITIVE_INFINITY) {
      const { values, vectors } = this.#decomposed();
      const left = values.map((l) => (l * sigma * sigma) / (l + sigma * sigma));
      cov = new Float64Array(dims * dims);
      for (let i = 0; i < dims; i++)
        for (let j = 0; j <= i; j++)
          for (let k = 0; k < dims; k++)
            cov[i * dims + j]! += vectors[i * dims + k]! * left[k]! * vectors[j * dims + k]!;
    }
    const { lower } = cholesky(cov, dims);
    this.#factor = { sigma, lower };
    return lower;
  }

  #decomposed() {
    this.#eigen ??= eigenSymmetric(this.cov, this.mean.length);
    return this.#eigen;
  }

  /** Q'(x - mu) */
  #coordinates(x: Float64Array): Float64Array {
    const { vectors } = this.#decomposed();
    const dims = x.length;
    const t = new Float64Array(dims);
    for (let i = 0; i < dims; i++) {
      const d = x[i]! - this.mean[i]!;
      for (let j = 0; j < dims; j++) t[j]! += vectors[i * dims + j]! * d;
    }
    return t;
  }

  /** out += Q (factor * t) */
  #addBack(t: Float64Array, factor: (j: number) => number, out: Float64Array): void {
    const { vectors } = this.#decomposed();
    const dims = out.length;
    const scaled = t.map((v, j) => v * factor(j));
    for (let i = 0; i < dims; i++) for (let j = 0; j < dims; j++) out[i]! += vectors[i * dims + j]! * scaled[j]!;
  }
}
