import { bad, checkKeys, NcvsdError } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import { Graph, type Tensor } from "../graph/graph.js";
import { Program } from "../graph/program.js";
import { nonFiniteNode } from "../graph/trace.js";
import { batchOf, labelRows, requireBatch, sigmaRow } from "../networks/inputs.js";
import type {
  Denoiser,
  DenoiserSession,
  DenoiserVjpSession,
  GenerativeDenoiser,
  GenerativeSession,
  ImageShape,
  Labels,
} from "../networks/session.js";
import { checkShape, volume } from "../operators/check.js";
import { drawNoise } from "../random/noise.js";
import { DatasetPrior } from "./dataset-prior.js";
import { GaussianMixture } from "./mixture.js";
import { MixtureOnGpu } from "./mixture-on-gpu.js";
import type { PriorNodes, PriorOnGpu } from "./on-gpu.js";

/** Rows of images: those of an evaluation, in and out, and what samplers hold, as a network counts it (src/networks/edm2/loaded.ts). */
const IMAGES = 13;

/** Small buffers of an evaluation and of a run. */
const SMALL_BYTES = 2 ** 16;

/**
 * A prior that is known exactly in a network's place: D is the mean E[x0 | x], G a draw of p(x0 | x), both without error but that
 * of single precision. Every sampler takes it, those for teachers and those for generative denoisers.
 * @param prior of `gaussianMixture`, or of `datasetPrior` on the same device
 * @param options shape: [C, H, W] of one image, C H W the mixture's dimensions; a data set has its own
 * @throws BAD_ARGUMENT when the sizes disagree, OUT_OF_MEMORY
 */
export async function exactModel(
  gpu: Gpu,
  prior: GaussianMixture | DatasetPrior,
  options: { readonly shape?: ImageShape } = {},
): Promise<ExactModel> {
  const call = "exactModel";
  checkKeys(call, options, { shape: true });
  gpu.check();
  if (prior instanceof DatasetPrior) {
    const shape = checkShape(call, options.shape ?? prior.shape);
    if (shape.join() !== prior.shape.join())
      throw bad(`${call}: shape is ${shape.join(" x ")}, and the data set's pictures are ${prior.shape.join(" x ")}.`);
    if (prior.gpu !== gpu) throw bad(`${call}: the data set lies on another device: make it with the same gpu.`);
    // The set keeps its buffers.
    return new ExactModel(gpu, prior.set, shape, () => {});
  }
  if (!(prior instanceof GaussianMixture))
    throw bad(`${call}: the prior must be what gaussianMixture() or datasetPrior() gives.`);
  const shape = checkShape(call, options.shape);
  if (volume(shape) !== prior.dims)
    throw bad(
      `${call}: shape ${shape.join(" x ")} has ${volume(shape)} values, and the mixture ${prior.dims} dimensions.`,
    );
  const mixture = new MixtureOnGpu(gpu, prior);
  return new ExactModel(gpu, mixture, shape, () => mixture.buffers.destroy());
}

/** What `exactModel` gives: a `Model` as samplers see it. */
export class ExactModel implements Denoiser, GenerativeDenoiser {
  readonly gpu: Gpu;
  readonly shape: ImageShape;
  readonly labelDim = 0;
  /** sigma at which generation starts. */
  readonly initSigma = 80;
  /** As a network's: its images, and no classes. */
  readonly config: {
    readonly img_channels: number;
    /** Columns; pictures need not be square. */
    readonly img_resolution: number;
    readonly label_dim: 0;
    readonly init_sigma: number;
  };
  readonly #prior: PriorOnGpu;
  readonly #release: () => void;
  #closed = false;

  /** Use `exactModel`, which checks. */
  constructor(gpu: Gpu, prior: PriorOnGpu, shape: ImageShape, release: () => void) {
    this.gpu = gpu;
    this.#prior = prior;
    this.#release = release;
    this.shape = shape;
    this.config = { img_channels: shape[0], img_resolution: shape[2], label_dim: 0, init_sigma: this.initSigma };
  }

  /**
   * E[x0 | x0 + sigma z = x], N*C*H*W values.
   * @param input x: N images; sigma: one level, or one per image
   */
  async denoise(input: {
    readonly x: Float32Array;
    readonly sigma: number | ArrayLike<number>;
    readonly labels?: Labels;
  }): Promise<Float32Array> {
    checkKeys("denoise", input, { x: true, sigma: true, labels: true });
    const batch = batchOf("x", input.x, this.shape);
    const sigma = sigmaRow("sigma", input.sigma, batch);
    const session = await this.openDenoiser(batch, input.labels);
    try {
      this.gpu.write(session.x, input.x);
      this.gpu.write(session.sigma, sigma);
      return await this.#submitted(session, session.denoised, input.x.length);
    } finally {
      session.release();
    }
  }

  /**
   * Draws of p(x0 | x0 + sigma z' = y), N*C*H*W values: a function of (y, sigma, z). The component or picture is chosen by a
   * uniform number that Philox makes of the bits of z.
   * @param input z: standard normal, as many as y; absent: drawn from `seeds`, one per image, default 0, 1, 2, …
   */
  async generate(input: {
    readonly y: Float32Array;
    readonly sigma: number | ArrayLike<number>;
    readonly z?: Float32Array;
    readonly seeds?: ArrayLike<number>;
    readonly labels?: Labels;
  }): Promise<Float32Array> {
    checkKeys("generate", input, { y: true, sigma: true, z: true, seeds: true, labels: true });
    const batch = batchOf("y", input.y, this.shape);
    const sigma = sigmaRow("sigma", input.sigma, batch);
    if (input.z) requireBatch("z", input.z, this.shape, batch);
    const session = await this.openGenerator(batch, input.labels);
    try {
      this.gpu.write(session.y, input.y);
      this.gpu.write(session.sigma, sigma);
      if (input.z) this.gpu.write(session.z, input.z);
      else await drawNoise(this.gpu, session.z, input.seeds, batch, input.y.length / batch);
      return await this.#submitted(session, session.x0, input.y.length);
    } finally {
      session.release();
    }
  }

  async openDenoiser(batch: number, labels: Labels | undefined): Promise<DenoiserSession> {
    const { program, x, sigma, out } = await this.#open(batch, labels, {});
    return {
      ...this.#session(program, batch),
      x: program.buffer(x),
      sigma: program.buffer(sigma),
      denoised: program.buffer(out),
      encode: (pass) => program.encode(pass),
    };
  }

  async openGenerator(batch: number, labels: Labels | undefined): Promise<GenerativeSession> {
    const { program, x, sigma, z, out } = await this.#open(batch, labels, { draws: true });
    return {
      ...this.#session(program, batch),
      y: program.buffer(x),
      sigma: program.buffer(sigma),
      z: program.buffer(z!),
      x0: program.buffer(out),
      encode: (pass) => program.encode(pass),
    };
  }

  async openDenoiserVjp(batch: number, labels: Labels | undefined): Promise<DenoiserVjpSession> {
    const { program, x, sigma, out, pulled } = await this.#open(batch, labels, { slopes: true });
    const { v, vjp, forward } = pulled!;
    return {
      ...this.#session(program, batch),
      x: program.buffer(x),
      sigma: program.buffer(sigma),
      denoised: program.buffer(out),
      v: program.buffer(v),
      vjp: program.buffer(vjp),
      encode: (pass) => program.encode(pass, 0, forward),
      pullback: { encode: (pass) => program.encode(pass, forward) },
    };
  }

  /** Largest batch that one buffer and the memory that is left hold; 0: none. */
  largestBatch(atMost = 4096): number {
    const { gpu } = this;
    const { maxStorageBufferBindingSize, maxBufferSize } = gpu.device.limits;
    const { dims, perRow } = this.#prior;
    const left = (gpu.memoryLimit ?? Number.POSITIVE_INFINITY) - gpu.allocatedBytes - SMALL_BYTES;
    const inOne = Math.min(maxStorageBufferBindingSize, maxBufferSize) / (4 * Math.max(dims, perRow));
    return Math.max(0, Math.min(atMost, Math.floor(inOne), Math.floor(left / (4 * (perRow + IMAGES * dims)))));
  }

  /** Gives the prior's buffers back, once no run needs them. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#release();
  }

  async #open(batch: number, labels: Labels | undefined, wants: { draws?: boolean; slopes?: boolean }) {
    if (this.#closed) throw bad("The exact model is closed: make it again with exactModel().");
    this.gpu.check();
    labelRows(labels, batch, 0);
    const shape = [batch, ...this.shape];
    const graph = new Graph();
    const x = graph.external("x", shape);
    const sigma = graph.external("sigma", [batch]);
    const z = wants.draws ? graph.external("z", shape) : undefined;
    const out = graph.external("x0", shape);
    const keep = wants.slopes === true;
    const nodes = this.#prior.evaluate(graph, { rows: batch, x, sigma, ...(z ? { z } : {}), out, keep });
    const pulled = keep ? pull(graph, nodes, shape) : undefined;
    const program = await Program.create(this.gpu, { label: "exact prior", graph, constants: this.#prior.buffers });
    return { program, x, sigma, z, out, pulled };
  }

  #session(program: Program, batch: number) {
    return {
      gpu: this.gpu,
      batch,
      locateNonFinite: () => nonFiniteNode(program),
      release: () => program.destroy(),
    };
  }

  async #submitted(
    session: DenoiserSession | GenerativeSession,
    out: GPUBuffer,
    length: number,
  ): Promise<Float32Array> {
    const { gpu } = this;
    await gpu.scoped("Evaluating an exact prior", () => {
      const encoder = gpu.device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      session.encode(pass);
      pass.end();
      gpu.device.queue.submit([encoder.finish()]);
    });
    const values = await gpu.readF32(out, length);
    if (values.some((v) => !Number.isFinite(v)))
      throw new NcvsdError(
        "NOT_FINITE",
        `The exact prior gave values that are not finite, first at node ${await session.locateNonFinite()}: check the inputs.`,
      );
    return values;
  }
}

/** The reverse pass behind the nodes of an evaluation. */
function pull(graph: Graph, nodes: PriorNodes, shape: readonly number[]): { v: Tensor; vjp: Tensor; forward: number } {
  const forward = graph.nodes.length;
  const v = graph.external("v", shape);
  const vjp = graph.external("vjp", shape);
  nodes.pull(v, vjp);
  return { v, vjp, forward };
}
