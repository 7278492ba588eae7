import { normals } from "../../kernels/lib/philox.js";
import { openCheckpoint } from "../checkpoint/index.js";
import { bad } from "../errors.js";
import { type GaussianMixture, gaussianMixture } from "../priors/mixture.js";
import { uniforms } from "../random/uniforms.js";

/** A mixture with the points that its conditionals are compared at. */
export interface BenchmarkMixture {
  readonly mixture: GaussianMixture;
  /** [100, dims] */
  readonly testPoints: Float32Array;
}

/** Coordinates of the mixtures that are recorded. */
export const BENCHMARK_DIMS: readonly number[] = [2, 10, 50];

/**
 * One of DISCO's benchmark mixtures: 20 components of 2, 10 or 50 coordinates, standardised.
 * @param path weights/disco-mixtures.safetensors of this package (`bundledMixtures`)
 */
export async function benchmarkMixture(path: string, dims: number): Promise<BenchmarkMixture> {
  if (!BENCHMARK_DIMS.includes(dims))
    throw bad(`there is no benchmark mixture of ${dims} coordinates: take 2, 10 or 50`);
  const file = await openCheckpoint(path);
  try {
    const [means, weights, lower, testPoints] = await Promise.all(
      ["means", "weights", "covs", "test_points"].map((name) => file.readF32(`d${dims}.${name}`)),
    );
    return {
      mixture: gaussianMixture({ means: means!, weights: weights!, covs: full(lower!, dims) }),
      testPoints: testPoints!,
    };
  } finally {
    await file.close();
  }
}

/** Symmetric matrices from their lower triangles, row by row. */
function full(lower: Float32Array, dims: number): Float32Array {
  const each = (dims * (dims + 1)) / 2;
  const out = new Float32Array((lower.length / each) * dims * dims);
  for (let k = 0; k * each < lower.length; k++)
    for (let i = 0; i < dims; i++)
      for (let j = 0; j < dims; j++) {
        const [a, b] = [Math.max(i, j), Math.min(i, j)];
        out[(k * dims + i) * dims + j] = lower[k * each + (a * (a + 1)) / 2 + b]!;
      }
  return out;
}

const COMPONENTS = 20;

/**
 * A mixture by the benchmark's recipe, of any dimension: 20 components, means uniform in [-4, 4], covariances A A'/10 with A standard
 * normal, weights uniform; then standardised with its own mean and variances.
 */
export function randomMixture(dims: number, seed: number): GaussianMixture {
  const u = uniforms(seed, 1);
  const means = Float64Array.from({ length: COMPONENTS * dims }, () => 8 * u() - 4);
  const shares = Float64Array.from({ length: COMPONENTS }, () => u() + 2 ** -33);
  const total = shares.reduce((a, b) => a + b);
  const weights = shares.map((share) => share / total);
  const a = normals(seed, 0, COMPONENTS * dims * dims);
  const covs = new Float64Array(COMPONENTS * dims * dims);
  for (let k = 0; k < COMPONENTS; k++)
    for (let i = 0; i < dims; i++)
      for (let j = 0; j < dims; j++) {
        let sum = 0;
        for (let m = 0; m < dims; m++) sum += a[(k * dims + i) * dims + m]! * a[(k * dims + j) * dims + m]!;
        covs[(k * dims + i) * dims + j] = sum / 10;
      }
  const centre = new Float64Array(dims);
  const square = new Float64Array(dims);
  for (let k = 0; k < COMPONENTS; k++)
    for (let d = 0; d < dims; d++) {
      const mu = means[k * dims + d]!;
      centre[d]! += weights[k]! * mu;
      square[d]! += weights[k]! * (mu ** 2 + covs[(k * dims + d) * dims + d]!);
    }
  const spread = square.map((value, d) => Math.sqrt(value - centre[d]! ** 2));
  for (let i = 0; i < means.length; i++) means[i] = (means[i]! - centre[i % dims]!) / spread[i % dims]!;
  for (let i = 0; i < covs.length; i++) covs[i]! /= spread[Math.floor(i / dims) % dims]! * spread[i % dims]!;
  return gaussianMixture({ means, covs, weights });
}
