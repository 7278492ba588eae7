import { normals } from "../../kernels/lib/philox.js";
import { bad } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import { volume } from "../operators/check.js";
import type { Operator } from "../operators/operator.js";
import { pick } from "../priors/arguments.js";
import type { DatasetPosterior, DatasetPrior } from "../priors/dataset-prior.js";
import { type ExactModel, exactModel } from "../priors/exact-model.js";
import type { ConditionedMixture, GaussianMixture } from "../priors/mixture.js";
import { uniforms } from "../random/uniforms.js";
import { joined } from "./rows.js";

/** One measurement of one truth, and everything that is known of x0 given it. */
export interface KnownCase {
  readonly truth: Float32Array;
  readonly y: Float32Array;
  readonly mean: Float64Array;
  readonly std: Float64Array;
  /** Effective number of pictures that the posterior is spread over; undefined for densities. */
  readonly ess: number | undefined;
  /** `count` exact draws, one after the other. */
  draw(count: number, seed: number): Float32Array;
}

/** A measurement problem whose posterior is known exactly. */
export interface KnownProblem {
  /** For the page: "mixture of 3 Gaussians in 16 dimensions". */
  readonly prior: string;
  readonly model: ExactModel;
  readonly operator: Operator;
  readonly sigmaY: number;
  /** Entries of y that count. */
  readonly observed: number;
  /** Standard deviation of the prior, over all its coordinates. */
  readonly deviation: number;
  /** Draws from the prior, measured; the same for the same seed. */
  cases(count: number, seed: number): Promise<KnownCase[]>;
  /** Log posterior densities (or probabilities) of images, `each` of every case in turn. */
  densities(cases: readonly KnownCase[], images: Float32Array, each: number): Promise<Float64Array>;
  /** Images as the posterior knows them: on the nearest picture of a set; as they are for densities. */
  settled(images: Float32Array): Promise<Float32Array>;
  close(): Promise<void>;
}

interface Given {
  readonly operator: Operator;
  readonly sigmaY: number;
  readonly observed: number;
}

/** A linear measurement of draws of a mixture. @throws BAD_ARGUMENT for operators without an adjoint */
export async function mixtureProblem(gpu: Gpu, mix: GaussianMixture, given: Given): Promise<KnownProblem> {
  const { operator, sigmaY, observed } = given;
  const rows = await matrixOf(operator);
  if (!rows)
    throw bad("a mixture's posterior is known for linear measurements only: take --prior dataset, or a linear task");
  // Rows of zeros say nothing: what a mask leaves out.
  const seen = rows.flatMap((row, i) => (row.some((v) => v !== 0) ? [i] : []));
  const matrix = seen.flatMap((i) => Array.from(rows[i]!));
  const { shape } = operator;
  const model = await exactModel(gpu, mix, { shape });
  const posteriors = new Map<KnownCase, ConditionedMixture>();
  return {
    prior: `mixture of ${mix.weights.length} Gaussians in ${mix.dims} dimensions`,
    ...{ model, operator, sigmaY, observed },
    deviation: rms(mix.std()),
    async cases(count, seed) {
      const truths = Float32Array.from(mix.sample(count, seed));
      const measured = await measure(operator, sigmaY, truths, seed);
      return measured.map(({ truth, y }) => {
        const own = Float64Array.from(seen, (i) => y[i]!);
        const post = mix.posterior({ matrix, rows: seen.length, y: own, sigma: sigmaY });
        const draw = (n: number, drawSeed: number) => Float32Array.from(post.sample(n, drawSeed));
        const one = { truth, y, mean: post.mean(), std: post.std(), ess: undefined, draw };
        posteriors.set(one, post);
        return one;
      });
    },
    async densities(cases, images, each) {
      const one = each * mix.dims;
      const all = cases.map((c, i) => posteriors.get(c)!.logDensity(images.subarray(i * one, (i + 1) * one)));
      return Float64Array.from(all.flatMap((list) => Array.from(list)));
    },
    settled: async (images) => images,
    close: () => model.close(),
  };
}

/** Any measurement of pictures of a set. */
export async function datasetProblem(gpu: Gpu, set: DatasetPrior, given: Given): Promise<KnownProblem> {
  const { operator, sigmaY, observed } = given;
  const dims = volume(set.shape);
  const model = await exactModel(gpu, set, {});
  const posteriors = new Map<KnownCase, DatasetPosterior>();
  /** The picture itself: at a level far below the distances of pictures all weight is on the nearest. */
  const nearest = (images: Float32Array) =>
    set.generate({ y: images, sigma: 1e-3, uniforms: new Float64Array(images.length / dims).fill(0.5) });
  const picture = (j: number) => set.images.subarray(j * dims, (j + 1) * dims);
  return {
    prior: `set of ${set.count} pictures of ${set.shape.join(" x ")}`,
    ...{ model, operator, sigmaY, observed },
    deviation: rms(setDeviation(set)),
    async cases(count, seed) {
      const next = uniforms(seed, 3);
      const truths = joined(Array.from({ length: count }, () => picture(Math.floor(next() * set.count))));
      const known: KnownCase[] = [];
      for (const { truth, y } of await measure(operator, sigmaY, truths, seed)) {
        const post = await set.posterior({ operator, y, sigma: sigmaY });
        const weights = post.logWeights.map(Math.exp);
        const draw = (n: number, drawSeed: number) => {
          const u = uniforms(drawSeed, 4);
          return joined(Array.from({ length: n }, () => picture(pick(weights, u()))));
        };
        const one = { truth, y, mean: post.mean, std: post.std, ess: post.ess, draw };
        posteriors.set(one, post);
        known.push(one);
      }
      return known;
    },
    async densities(cases, images, each) {
      const { indices } = await nearest(images);
      return Float64Array.from(indices, (j, n) => posteriors.get(cases[Math.floor(n / each)]!)!.logWeights[j]!);
    },
    settled: async (images) => (await nearest(images)).images,
    close: () => model.close(),
  };
}

/** Largest pictures whose measurements are written down as a matrix. */
const MOST_DIMS = 400;

/** Rows of A of a linear operator; undefined: not linear (it has no adjoint), or too large. */
export async function matrixOf(operator: Operator): Promise<Float64Array[] | undefined> {
  const dims = volume(operator.shape);
  if (!operator.adjoint || dims > MOST_DIMS) return undefined;
  const units = Float32Array.from({ length: dims * dims }, (_, i) => Number(i % (dims + 1) === 0));
  const columns = await operator.forward(units);
  const size = volume(operator.measurementShape);
  return Array.from({ length: size }, (_, i) => Float64Array.from({ length: dims }, (_, j) => columns[j * size + i]!));
}

/** y = A(x) + sigma n of each image. */
async function measure(operator: Operator, sigma: number, truths: Float32Array, seed: number) {
  const [dims, size] = [volume(operator.shape), volume(operator.measurementShape)];
  const clean = await operator.forward(truths);
  const noise = normals(seed, 1, clean.length);
  return Array.from({ length: truths.length / dims }, (_, i) => ({
    truth: truths.slice(i * dims, (i + 1) * dims),
    y: clean.slice(i * size, (i + 1) * size).map((v, k) => v + sigma * noise[i * size + k]!),
  }));
}

function setDeviation(set: DatasetPrior): Float64Array {
  const dims = volume(set.shape);
  const [mean, squares] = [new Float64Array(dims), new Float64Array(dims)];
  set.images.forEach((v, at) => {
    mean[at % dims]! += v / set.count;
    squares[at % dims]! += (v * v) / set.count;
  });
  return squares.map((s, i) => Math.sqrt(Math.max(0, s - mean[i]! ** 2)));
}

const rms = (values: Float64Array) => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / values.length);
