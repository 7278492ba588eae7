import { bad, checkKeys } from "../errors.js";
import type { GaussianMixture } from "../priors/mixture.js";
import type { Density } from "../sample/particles/density.js";
import { checkDensity, type Given, observedOf } from "../sample/particles/given.js";
import { normalCdf } from "./normal.js";

/** phi and its gradient at rows of points. */
async function evaluate(model: Density, x: Float32Array<ArrayBuffer>) {
  const { gpu, dims } = model;
  const rows = x.length / dims;
  const session = await model.open(rows);
  try {
    gpu.write(session.x, x);
    await gpu.scoped("Evaluating an energy", () => {
      const encoder = gpu.device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      session.encode(pass);
      pass.end();
      gpu.device.queue.submit([encoder.finish()]);
    });
    return { phi: await gpu.readF32(session.phi!, rows), output: await gpu.readF32(session.output, rows * dims) };
  } finally {
    session.release();
  }
}

/** Points of a grid over one coordinate. */
export interface GridOptions {
  /** All coordinates but one: values of one run, or one row per run. */
  readonly given: Given;
  /** First and last point of the grid. */
  readonly low: number;
  readonly high: number;
  /** Default 1000. */
  readonly points?: number;
}

/**
 * phi of an energy along the one coordinate that is not observed, for sampling by integration and for figures.
 * @returns grid [points]; phi [runs, points]
 */
export async function phiOnGrid(model: Density, options: GridOptions) {
  const call = "phiOnGrid";
  checkKeys(call, options, { given: true, low: true, high: true, points: true });
  checkDensity(call, model);
  const { low, high, points = 1000 } = options;
  const { dims } = model;
  const { runs, seen, free, values } = observedOf(call, dims, options);
  if (free.length !== 1)
    throw bad(`${call}: ${free.length} coordinates are not observed: a grid goes over one; observe all but one.`);
  if (!(low < high) || !Number.isFinite(high - low) || !Number.isSafeInteger(points) || points < 2)
    throw bad(
      `${call}: the grid must have 2 points or more from low to a larger high, got ${points} from ${low} to ${high}.`,
    );
  const grid = Float64Array.from({ length: points }, (_, i) => low + ((high - low) * i) / (points - 1));
  const phi = new Float32Array(runs * points);
  // A run at a time for many points in few passes.
  const together = Math.max(1, Math.floor(2 ** 16 / points));
  for (let first = 0; first < runs; first += together) {
    const count = Math.min(together, runs - first);
    const x = new Float32Array(count * points * dims);
    for (let row = 0; row < count * points; row++) {
      const own = values[first + Math.floor(row / points)]!;
      seen.forEach((d, k) => {
        x[row * dims + d] = own[k]!;
      });
      x[row * dims + free[0]!] = grid[row % points]!;
    }
    phi.set((await evaluate(model, x)).phi, first * points);
  }
  return { grid, phi };
}

/**
 * The 1-Wasserstein distance between exp(phi / sigma^2) on a grid and a mixture of one coordinate: the integral of the difference
 * of their distribution functions. The model's is the running sum over the grid, the truth's is taken half a step further.
 * @param grid evenly spaced, ascending
 */
export function gridWasserstein1(
  grid: ArrayLike<number>,
  phi: ArrayLike<number>,
  sigma: number,
  truth: GaussianMixture,
): number {
  if (truth.dims !== 1) throw bad(`gridWasserstein1: the mixture has ${truth.dims} coordinates, and the grid one.`);
  if (grid.length !== phi.length || grid.length < 2)
    throw bad(`gridWasserstein1: the grid has ${grid.length} points, phi ${phi.length}.`);
  const step = (grid[grid.length - 1]! - grid[0]!) / (grid.length - 1);
  const top = Array.from(phi).reduce((a, b) => Math.max(a, b), -Infinity);
  const weights = Float64Array.from(phi, (v) => Math.exp((v - top) / sigma ** 2));
  const total = weights.reduce((a, b) => a + b, 0);
  let [sum, distance] = [0, 0];
  weights.forEach((w, i) => {
    sum += w;
    distance += Math.abs(sum / total - mixtureCdf(truth, grid[i]! + step / 2));
  });
  return distance * step;
}

/**
 * So many quantiles, (i + 1/2) / count, of exp(phi / sigma^2) on a grid, straight lines between its points.
 * @param grid evenly spaced, ascending
 */
export function gridQuantiles(grid: ArrayLike<number>, phi: ArrayLike<number>, sigma: number, count: number): number[] {
  const step = grid[1]! - grid[0]!;
  const top = Array.from(phi).reduce((a, b) => Math.max(a, b), -Infinity);
  const weights = Float64Array.from(phi, (v) => Math.exp((v - top) / sigma ** 2));
  const total = weights.reduce((a, b) => a + b, 0);
  let [at, before] = [0, 0];
  return Array.from({ length: count }, (_, i) => {
    const wanted = ((i + 0.5) / count) * total;
    while (at < weights.length - 1 && before + weights[at]! <= wanted) before += weights[at++]!;
    return grid[at]! + step * ((wanted - before) / weights[at]! - 0.5);
  });
}

/** The distribution function of a mixture of one coordinate. */
export function mixtureCdf({ weights, means, covs }: GaussianMixture, x: number): number {
  return weights.reduce((sum, w, k) => sum + w * normalCdf((x - means[k]!) / Math.sqrt(covs[k]!)), 0);
}

/**
 * sigma^2 E |s(x) - s*(x)|^2 over the smoothed mixture, s = grad phi / sigma^2 the model's score, s* the true one: how good a
 * score is near the data.
 * @param options points: draws, default 4096; seed: default 0
 */
export async function fisherError(
  model: Density,
  mixture: GaussianMixture,
  options: { readonly points?: number; readonly seed?: number } = {},
): Promise<number> {
  checkKeys("fisherError", options, { points: true, seed: true });
  const { points = 4096, seed = 0 } = options;
  const { dims } = model;
  if (mixture.dims !== dims) throw bad(`fisherError: the mixture has ${mixture.dims} coordinates, the model ${dims}.`);
  const sigma = model.config.sigma_min;
  const smoothed = mixture.smoothed(sigma);
  const x = Float32Array.from(smoothed.sample(points, seed));
  const { output } = await evaluate(model, x);
  const truth = smoothed.score(x);
  const squares = output.reduce((sum, v, i) => sum + (v / sigma ** 2 - truth[i]!) ** 2, 0);
  return (sigma ** 2 * squares) / points;
}
