import { normals } from "../../kernels/lib/philox.js";
import { bad, checkKeys } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import { Graph } from "../graph/graph.js";
import { Program } from "../graph/program.js";
import { batchOf, sigmaRow } from "../networks/inputs.js";
import type { ImageShape } from "../networks/session.js";
import { checkPositive, checkShape, countOf, volume } from "../operators/check.js";
import type { Operator } from "../operators/operator.js";
import { watched } from "../operators/own.js";
import { uniforms as uniformsFrom } from "../random/uniforms.js";
import { pick, type Rows, uniformsOf } from "./arguments.js";
import { logSumExp } from "./linear-algebra.js";
import { SetOnGpu } from "./set-on-gpu.js";

const LOG_2PI = Math.log(2 * Math.PI);

/** Bytes of weights and of images that one submission works on. */
const CHUNK_BYTES = 2 ** 26;

/** Operators that look at some entries of y only, and whose forward is 0 at the others. */
const MASKING = ["inpainting", "mri"];

/** The exact posterior over a data set, given one measurement. */
export interface DatasetPosterior {
  /** Natural logarithms of the pictures' probabilities, which sum to 1. */
  readonly logWeights: Float64Array;
  /** C*H*W values. */
  readonly mean: Float64Array;
  /** Standard deviation of each value. */
  readonly std: Float64Array;
  /** Effective number of pictures, 1 / sum of squared probabilities. Near 1 the posterior is a point: take a larger sigma. */
  readonly ess: number;
  /** Log density of y under the data set. */
  readonly logEvidence: number;
  /** Indices of pictures: the first whose cumulated probability exceeds each uniform. */
  draw(draws: { readonly uniforms: Rows }): Int32Array;
}

/**
 * The prior that puts equal weight on each picture of a set: everything about it is a sum over the set, computed on the GPU.
 * @param options images: N pictures of `shape` [C, H, W], NCHW in [-1, 1]
 * @throws BAD_ARGUMENT, OUT_OF_MEMORY
 */
export async function datasetPrior(
  gpu: Gpu,
  options: { readonly images: Float32Array; readonly shape: ImageShape },
): Promise<DatasetPrior> {
  checkKeys("datasetPrior", options, { images: true, shape: true });
  if (typeof gpu?.check !== "function") throw bad("datasetPrior: the first argument must be what openGpu() gives.");
  gpu.check();
  const shape = checkShape("datasetPrior", options.shape);
  batchOf("images", options.images, shape);
  return new DatasetPrior(gpu, options.images, shape);
}

/** What `datasetPrior` gives. */
export class DatasetPrior {
  readonly gpu: Gpu;
  readonly shape: ImageShape;
  /** N*C*H*W values. */
  readonly images: Float32Array;
  /** N */
  readonly count: number;
  /** What evaluates it on the GPU. */
  readonly set: SetOnGpu;

  /** Use `datasetPrior`, which checks. */
  constructor(gpu: Gpu, images: Float32Array, shape: ImageShape) {
    this.gpu = gpu;
    this.images = images;
    this.shape = shape;
    this.set = new SetOnGpu(gpu, images, volume(shape));
    this.count = this.set.count;
  }

  /**
   * E[x0 | x0 + sigma z = x]: the mean of the set with weights ~ exp(-|x - x_j|^2 / (2 sigma^2)).
   * @param input x: images; sigma: one level, or one per image
   */
  async denoise(input: {
    readonly x: Float32Array;
    readonly sigma: number | ArrayLike<number>;
  }): Promise<Float32Array> {
    checkKeys("denoise", input, { x: true, sigma: true });
    const out = new Float32Array(input.x.length);
    await this.#each("x", input.x, input.sigma, async ({ first, mean }) => out.set(await mean(), first));
    return out;
  }

  /** Log density of x under the set smoothed by sigma: log mean over j of N(x; x_j, sigma^2), per image. */
  async logDensity(input: {
    readonly x: Float32Array;
    readonly sigma: number | ArrayLike<number>;
  }): Promise<Float64Array> {
    checkKeys("logDensity", input, { x: true, sigma: true });
    const dims = volume(this.shape);
    const out = new Float64Array(input.x.length / dims);
    await this.#each("x", input.x, input.sigma, async ({ first, levels, total }) => {
      (await total()).forEach((log, n) => {
        const scale = 0.5 * dims * (LOG_2PI + 2 * Math.log(levels[n]!));
        out[first / dims + n] = log - Math.log(this.count) - scale;
      });
    });
    return out;
  }

  /**
   * Draws of x0 given y = x0 + sigma z: a picture of the set, the first whose cumulated weight exceeds the uniform.
   * @param input uniforms: one per image; absent: of `seed`, default 0
   */
  async generate(input: {
    readonly y: Float32Array;
    readonly sigma: number | ArrayLike<number>;
    readonly uniforms?: Rows;
    readonly seed?: number;
  }): Promise<{ images: Float32Array; indices: Int32Array }> {
    checkKeys("generate", input, { y: true, sigma: true, uniforms: true, seed: true });
    const dims = volume(this.shape);
    const batch = batchOf("y", input.y, this.shape);
    const u = input.uniforms
      ? uniformsOf("generate", input.uniforms)
      : Float64Array.from({ length: batch }, uniformsFrom(input.seed ?? 0, 0));
    if (u.length !== batch) throw bad(`generate: uniforms holds ${u.length} values for ${batch} images.`);
    const indices = new Int32Array(batch);
    await this.#each("y", input.y, input.sigma, async ({ first, levels, weights }) => {
      const all = await weights();
      levels.forEach((_, n) => {
        indices[first / dims + n] = pick(all.subarray(n * this.count, (n + 1) * this.count), u[first / dims + n]!);
      });
    });
    const images = new Float32Array(input.y.length);
    indices.forEach((j, n) => {
      images.set(this.images.subarray(j * dims, (j + 1) * dims), n * dims);
    });
    return { images, indices };
  }

  /**
   * The exact posterior given one measurement y = A(x0) + sigma n, for any operator: weights ~ exp(-|A(x_j) - y|^2 / (2 sigma^2)).
   * Entries of y that a mask leaves out don't count.
   * @param input y: values of the operator's measurementShape; sigma: standard deviation of its noise
   * @throws BAD_ARGUMENT for operators whose noise is not Gaussian
   */
  async posterior(input: {
    readonly operator: Operator;
    readonly y: Float32Array;
    readonly sigma: number;
  }): Promise<DatasetPosterior> {
    const call = "posterior";
    checkKeys(call, input, { operator: true, y: true, sigma: true });
    const operator = watched(input.operator);
    const sigma = checkPositive(call, "sigma", input.sigma);
    if (operator.name === "poisson")
      throw bad(`${call}: the noise of poisson is not Gaussian, so that |A(x) - y|^2 says nothing of it.`);
    if (operator.shape.join() !== this.shape.join())
      throw bad(
        `${call}: the operator is for ${operator.shape.join(" x ")}, the pictures are ${this.shape.join(" x ")}.`,
      );
    const size = volume(operator.measurementShape);
    if (countOf("y", input.y, size, operator.measurementShape) !== 1)
      throw bad(`${call}: y holds ${input.y.length} values: give one measurement of ${size}.`);
    const seen = await this.#seen(operator);
    const energies = await this.#energies(operator, input.y, seen);
    const logs = energies.map((e) => -0.5 * (e / sigma ** 2));
    const total = logSumExp(logs);
    const logWeights = logs.map((l) => l - total);
    const weights = logWeights.map(Math.exp);
    const known = seen ? seen.reduce((sum, s) => sum + s, 0) : size;
    const logEvidence = total - Math.log(this.count) - 0.5 * known * (LOG_2PI + 2 * Math.log(sigma));
    return {
      logWeights,
      ...this.#moments(weights),
      ess: 1 / weights.reduce((sum, w) => sum + w * w, 0),
      logEvidence,
      draw(draws) {
        checkKeys("draw", draws, { uniforms: true });
        return Int32Array.from(uniformsOf("draw", draws.uniforms), (u) => pick(weights, u));
      },
    };
  }

  /** Gives the buffers back, once no run needs them. */
  close(): void {
    this.set.buffers.destroy();
  }

  /** Evaluations of the whole batch, some rows at a time. `first` is the place of the rows' first value. */
  async #each(
    name: string,
    x: Float32Array,
    sigma: number | ArrayLike<number>,
    visit: (part: {
      first: number;
      levels: Float32Array;
      mean(): Promise<Float32Array>;
      total(): Promise<Float32Array>;
      weights(): Promise<Float32Array>;
    }) => Promise<void>,
  ): Promise<void> {
    const { gpu } = this;
    const batch = batchOf(name, x, this.shape);
    const all = sigmaRow("sigma", sigma, batch);
    const dims = volume(this.shape);
    const most = Math.max(1, Math.floor(CHUNK_BYTES / (4 * Math.max(this.set.perRow, dims))));
    for (let at = 0; at < batch; at += most) {
      const rows = Math.min(most, batch - at);
      const graph = new Graph();
      const inputs = {
        rows,
        x: graph.external("x", [rows, dims]),
        sigma: graph.external("sigma", [rows]),
        out: graph.external("x0", [rows, dims]),
      };
      const { weights, total } = this.set.evaluate(graph, inputs);
      const program = await Program.create(gpu, { label: "data set prior", graph, constants: this.set.buffers });
      try {
        const levels = all.subarray(at, at + rows);
        gpu.write(program.buffer(inputs.x), x.subarray(at * dims, (at + rows) * dims));
        gpu.write(program.buffer(inputs.sigma), levels);
        await program.run();
        await visit({
          first: at * dims,
          levels,
          mean: () => gpu.readF32(program.buffer(inputs.out), rows * dims),
          total: () => gpu.readF32(program.buffer(total), rows),
          weights: () => gpu.readF32(program.buffer(weights), rows * this.count),
        });
      } finally {
        program.destroy();
      }
    }
  }

  /** 1 for entries of y that the operator looks at, 0 for others; undefined: all. */
  async #seen(operator: Operator): Promise<Uint8Array | undefined> {
    if (!MASKING.includes(operator.name ?? "")) return undefined;
    const probe = await operator.forward(Float32Array.from(normals(0, 0, volume(this.shape))));
    return Uint8Array.from(probe, (v) => Number(v !== 0));
  }

  /** |A(x_j) - y|^2 of each picture, summed in float64. */
  async #energies(operator: Operator, y: Float32Array, seen: Uint8Array | undefined): Promise<Float64Array> {
    const [dims, size] = [volume(this.shape), y.length];
    const most = Math.max(1, Math.floor(CHUNK_BYTES / 16 / Math.max(dims, size)));
    const out = new Float64Array(this.count);
    for (let first = 0; first < this.count; first += most) {
      const count = Math.min(most, this.count - first);
      const measured = await operator.forward(this.images.slice(first * dims, (first + count) * dims));
      for (let j = 0; j < count; j++) {
        let sum = 0;
        for (let i = 0; i < size; i++) if (!seen || seen[i]) sum += (measured[j * size + i]! - y[i]!) ** 2;
        out[first + j] = sum;
      }
    }
    return out;
  }

  #moments(weights: Float64Array): { mean: Float64Array; std: Float64Array } {
    const dims = volume(this.shape);
    const mean = new Float64Array(dims);
    const variance = new Float64Array(dims);
    const eachOf = (visit: (w: number, i: number, v: number) => void) =>
      weights.forEach((w, j) => {
        if (w > 0) for (let i = 0; i < dims; i++) visit(w, i, this.images[j * dims + i]!);
      });
    eachOf((w, i, v) => {
      mean[i]! += w * v;
    });
    eachOf((w, i, v) => {
      variance[i]! += w * (v - mean[i]!) ** 2;
    });
    return { mean, std: variance.map(Math.sqrt) };
  }
}
