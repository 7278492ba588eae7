import type { Checkpoint } from "../../checkpoint/index.js";
import { bad, checkKeys, NcvsdError } from "../../errors.js";
import { type Gpu, mib } from "../../gpu/device.js";
import { tensorBytes } from "../../graph/graph.js";
import { type MemoryPlan, planMemory } from "../../graph/plan.js";
import { ProgramPool } from "../../graph/pool.js";
import { Program } from "../../graph/program.js";
import { nonFiniteNode } from "../../graph/trace.js";
import { WeightStore } from "../../layers/weights.js";
import { drawNoise } from "../../random/noise.js";
import { batchOf, labelRows, largestThatFits, requireBatch, sigmaRow } from "../inputs.js";
import type {
  Denoiser,
  DenoiserSession,
  GenerativeDenoiser,
  GenerativeSession,
  ImageShape,
  Labels,
} from "../session.js";
import type { Architecture, NcvsdConfig, NetworkConfig } from "./arguments.js";
import { parseConfig, withArguments } from "./config.js";
import { openInjection } from "./injection.js";
import { validateTensors } from "./names.js";
import { buildNetwork, type NetworkGraph } from "./network.js";

/** Inputs of D. Arrays are NCHW in the network's value range; a sigma is one number, or one per image. */
export interface DenoiseInput {
  readonly x: Float32Array;
  readonly sigma: number | ArrayLike<number>;
  /** NCVSD only: the condition x' and its noise level. */
  readonly condX?: Float32Array;
  readonly condSigma?: number | ArrayLike<number>;
  /** Absent: the all-zeros label. */
  readonly labels?: Labels;
}

/** Inputs of G. */
export interface GenerateInput {
  readonly y: Float32Array;
  readonly sigma: number | ArrayLike<number>;
  /** Standard normal values, as many as y; absent: drawn from `seeds`. */
  readonly z?: Float32Array;
  /** One per image; default 0, 1, 2, … */
  readonly seeds?: ArrayLike<number>;
  readonly labels?: Labels;
}

/** An evaluation with its intermediates. */
export interface Evaluation {
  /** D(x; sigma), N*C*H*W. */
  readonly denoised: Float32Array;
  /** By the names asked for; shapes are [N, …]. */
  readonly captured: ReadonlyMap<string, { readonly shape: readonly number[]; readonly values: Float32Array }>;
}

/** A network for one batch, and how it would lie in memory. */
interface Planned {
  readonly network: NetworkGraph;
  readonly plan: MemoryPlan;
}

/**
 * Image-sized f32 buffers that `sampleMultiStep` and `sampleHeun` hold beside the network: state, noise, slopes, and where a run is
 * followed, copies of what a step showed and their readbacks.
 */
const SAMPLER_TENSORS = 10;

/** More of them that a batch leaves free which is said to fit: readback buffers of other batches stay on the device. */
const SPARE_TENSORS = 4;

/** Small buffers: for each node its parameters and rounding up, and those of a run. */
const smallBytes = (nodes: number) => 512 * nodes + 2 ** 16;

/**
 * An open checkpoint as a network, its weights on the GPU.
 * @throws NcvsdError as `loadModel`
 */
export async function loadOpened(
  gpu: Gpu,
  checkpoint: Checkpoint,
  config: Partial<NcvsdConfig> | undefined,
  onTensor: (done: number, total: number) => void,
): Promise<Model> {
  const parsed = parseConfig(withArguments(checkpoint, config));
  validateTensors(checkpoint, parsed.architecture, parsed.config);
  const model = new Model(gpu, checkpoint, parsed.architecture, parsed.config, parsed.labels);
  await model.prepare(onTensor);
  return model;
}

/** A network on a device. Its weights are held once; plans for several batch sizes share them. */
export class Model implements Denoiser, GenerativeDenoiser {
  readonly gpu: Gpu;
  readonly checkpoint: Checkpoint;
  readonly architecture: Architecture;
  /** The constructor arguments, defaults filled in; `gamma` and `init_sigma` for NCVSD. */
  readonly config: NetworkConfig & Partial<NcvsdConfig>;
  /** Class names, where the checkpoint has them. */
  readonly labels: readonly string[] | undefined;
  readonly shape: ImageShape;
  /** Shared by all plans: the derivative (derivative.ts) adds those of its reverse pass. */
  readonly weights: WeightStore;
  /** By batch. */
  readonly #idle: ProgramPool<number, PreparedNetwork>;
  /** The latest plan. */
  #planned: Planned | undefined;
  readonly #forget: () => void;
  readonly #onClose: (() => void)[] = [];

  constructor(
    gpu: Gpu,
    checkpoint: Checkpoint,
    architecture: Architecture,
    config: NetworkConfig & Partial<NcvsdConfig>,
    labels: readonly string[] | undefined,
  ) {
    this.gpu = gpu;
    this.checkpoint = checkpoint;
    this.architecture = architecture;
    this.config = config;
    this.labels = labels;
    this.shape = [config.img_channels, config.img_resolution, config.img_resolution];
    this.weights = new WeightStore(gpu, checkpoint);
    this.#idle = new ProgramPool(gpu);
    this.#forget = gpu.onClose(() => void checkpoint.close());
  }

  get labelDim(): number {
    return this.config.label_dim;
  }

  /** sigma at which generation starts (NCVSD). */
  get initSigma(): number {
    return this.config.init_sigma ?? 80;
  }

  /** Reads and uploads the weights. */
  async prepare(onProgress?: (done: number, total: number) => void): Promise<void> {
    try {
      await this.weights.load(this.#build(1).graph, onProgress);
    } catch (error) {
      // Nobody else has the model: what is already on the device goes with it.
      await this.close();
      throw error;
    }
  }

  /** The memory and cost plan of one evaluation at this batch, without allocating anything. */
  planFor(batch: number): Planned {
    if (this.#planned?.network.batch !== batch) {
      const network = this.#build(batch);
      const plan = planMemory(network.graph, this.gpu.precision, this.gpu.device.limits.maxBufferSize);
      this.#planned = { network, plan };
    }
    return this.#planned;
  }

  /** D(x; sigma), for NCVSD D(x; sigma, {condX, condSigma}). @returns N*C*H*W values */
  async denoise(input: DenoiseInput): Promise<Float32Array> {
    return (await this.evaluate(input)).denoised;
  }

  /** D with intermediates by name: `F_x`, `logvar`, `enc.16x16_block0`, `mix.skip0`, `dec_in.4x4_block0`, … */
  async evaluate(input: DenoiseInput, capture: Iterable<string> = []): Promise<Evaluation> {
    checkKeys("denoise", input, { x: true, sigma: true, condX: true, condSigma: true, labels: true });
    const batch = batchOf("x", input.x, this.shape);
    const sigma = sigmaRow("sigma", input.sigma, batch);
    const names = new Set(capture);
    const conditional = this.architecture === "ncvsd";
    if (conditional && (input.condX === undefined || input.condSigma === undefined)) {
      throw new NcvsdError(
        "BAD_ARGUMENT",
        "An NCVSD network needs condX and condSigma beside x and sigma; use generate() for G(y, sigma).",
      );
    }
    if (conditional) requireBatch("condX", input.condX!, this.shape, batch);
    const condSigma = conditional ? sigmaRow("condSigma", input.condSigma, batch) : undefined;
    const rows = labelRows(input.labels, batch, this.config.label_dim);
    const net = await this.#checkout(batch, names);
    try {
      const { gpu } = this;
      gpu.write(net.buffer(net.network.x), input.x);
      gpu.write(net.buffer(net.network.sigma), sigma);
      if (net.network.labels) gpu.write(net.buffer(net.network.labels), rows);
      if (net.network.condX) gpu.write(net.buffer(net.network.condX), input.condX!);
      if (net.network.condSigma) gpu.write(net.buffer(net.network.condSigma), condSigma!);
      await net.program.run();
      const denoised = await gpu.readF32(net.buffer(net.network.denoised), input.x.length);
      if (denoised.some((v) => !Number.isFinite(v))) throw await notFinite(net, "The evaluation");
      const captured = new Map<string, { shape: readonly number[]; values: Float32Array }>();
      for (const name of names) {
        const tensor = net.network.taps.get(name);
        if (!tensor) throw new NcvsdError("BAD_ARGUMENT", `The network has no intermediate named ${name}.`);
        captured.set(name, { shape: tensor.shape, values: await net.program.readTensor(tensor) });
      }
      return { denoised, captured };
    } finally {
      if (names.size > 0) net.program.destroy();
      else this.#release(net);
    }
  }

  /** A sample of the denoising posterior: G(y, sigma, z) = D(y_hat, sigma_hat, {y, sigma}) (NCVSD, eq. 34). @returns N*C*H*W values */
  async generate(input: GenerateInput): Promise<Float32Array> {
    checkKeys("generate", input, { y: true, sigma: true, z: true, seeds: true, labels: true });
    const batch = batchOf("y", input.y, this.shape);
    const sigma = sigmaRow("sigma", input.sigma, batch);
    if (input.z) requireBatch("z", input.z, this.shape, batch);
    const session = await this.openGenerator(batch, input.labels);
    try {
      const { gpu } = this;
      gpu.write(session.y, input.y);
      gpu.write(session.sigma, sigma);
      if (input.z) gpu.write(session.z, input.z);
      else await drawNoise(gpu, session.z, input.seeds, batch, input.y.length / batch);
      await gpu.scoped("Generating", () => {
        const encoder = gpu.device.createCommandEncoder();
        const pass = encoder.beginComputePass();
        session.encode(pass);
        pass.end();
        gpu.device.queue.submit([encoder.finish()]);
      });
      const x0 = await gpu.readF32(session.x0, input.y.length);
      if (x0.some((v) => !Number.isFinite(v))) {
        throw new NcvsdError(
          "NOT_FINITE",
          `The generated image is not finite: first at node ${await session.locateNonFinite()}.`,
        );
      }
      return x0;
    } finally {
      session.release();
    }
  }

  async openDenoiser(batch: number, labels: Labels | undefined): Promise<DenoiserSession> {
    if (this.architecture !== "edm2") {
      throw new NcvsdError(
        "BAD_ARGUMENT",
        `${this.checkpoint.name} is an NCVSD network: Heun sampling needs an EDM2 teacher; use sampleMultiStep().`,
      );
    }
    const rows = labelRows(labels, batch, this.config.label_dim);
    const net = await this.#checkout(batch);
    const { network, program } = net;
    if (network.labels) this.gpu.write(net.buffer(network.labels), rows);
    return {
      gpu: this.gpu,
      batch,
      x: net.buffer(network.x),
      sigma: net.buffer(network.sigma),
      denoised: net.buffer(network.denoised),
      encode: (pass) => program.encode(pass),
      locateNonFinite: () => nonFiniteNode(program),
      release: () => this.#release(net),
    };
  }

  async openGenerator(batch: number, labels: Labels | undefined): Promise<GenerativeSession> {
    if (this.architecture !== "ncvsd") {
      throw new NcvsdError(
        "BAD_ARGUMENT",
        `${this.checkpoint.name} is an EDM2 teacher, not a generative denoiser: use sampleHeun().`,
      );
    }
    const rows = labelRows(labels, batch, this.config.label_dim);
    const net = await this.#checkout(batch);
    const { network, program } = net;
    if (network.labels) this.gpu.write(net.buffer(network.labels), rows);
    try {
      net.injection ??= await openInjection(this.gpu, network, (t) => net.buffer(t), this.config.gamma ?? 0.414);
    } catch (error) {
      net.destroy();
      throw error;
    }
    const injection = net.injection;
    return {
      gpu: this.gpu,
      batch,
      y: net.buffer(network.condX!),
      sigma: net.buffer(network.condSigma!),
      z: injection.z,
      x0: net.buffer(network.denoised),
      encode(pass) {
        injection.program.encode(pass);
        program.encode(pass);
      },
      locateNonFinite: () => nonFiniteNode(program),
      release: () => this.#release(net),
    };
  }

  /** Largest batch whose plan fits the adapter's limits and what memory is left; 0: none does. */
  largestBatch(atMost = 4096): number {
    return largestThatFits((batch) => this.#share(batch, SPARE_TENSORS), atMost);
  }

  /** Calls `action` when the model is closed. */
  onClose(action: () => void): void {
    this.#onClose.push(action);
  }

  /** Releases weights and plans; a run that is under way still ends, and what it uses goes with it. */
  async close(): Promise<void> {
    this.#forget();
    this.#idle.close();
    for (const action of this.#onClose) action();
    this.weights.destroy();
    await this.checkpoint.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #build(batch: number, capture?: ReadonlySet<string>): NetworkGraph {
    const { tuning, rates } = this.gpu.caps;
    const { bindingBytes } = this.gpu;
    const options = { tuning, rates, bindingBytes, ...(capture ? { capture } : {}) };
    return buildNetwork(this.architecture, this.config, batch, options);
  }

  /** What a batch takes of what there is, of the memory left or of a buffer's bytes, whichever is scarcer; above 1: too much. */
  #share(batch: number, spare = 0): number {
    const planned = this.#tryPlan(batch);
    const left = this.#bytesLeft();
    if (!planned || left <= 0) return Number.POSITIVE_INFINITY;
    const { plan, network } = planned;
    const largest = network.graph.tensors.reduce((most, t) => Math.max(most, tensorBytes(t, plan.precision)), 0);
    const images = SAMPLER_TENSORS + spare;
    const sampler = images * tensorBytes(network.x, plan.precision) + smallBytes(network.graph.nodes.length);
    const memory = plan.activationBytes + plan.externalBytes + sampler;
    return Math.max(largest / this.gpu.bindingBytes, memory / left);
  }

  #fits(batch: number): boolean {
    return this.#share(batch) <= 1;
  }

  /** @throws NcvsdError BAD_ARGUMENT when the model is closed, DEVICE_LOST */
  check(): void {
    this.gpu.check();
    if (this.#idle.closed) throw bad(`The model ${this.checkpoint.name} is closed: load it again with loadModel().`);
  }

  async #checkout(batch: number, capture: ReadonlySet<string> = new Set()): Promise<PreparedNetwork> {
    this.check();
    const kept = capture.size > 0 ? undefined : this.#idle.take(batch);
    if (kept) {
      if (SAMPLER_TENSORS * 4 * kept.network.x.length + smallBytes(0) > this.#bytesLeft()) this.gpu.reclaim();
      return kept;
    }
    if (!this.#fits(batch)) {
      // What is kept for reuse may be in the way.
      this.gpu.reclaim();
      if (!this.#fits(batch)) throw this.#tooLarge(batch);
    }
    const { network, plan } =
      capture.size > 0 ? { network: this.#build(batch, capture), plan: undefined } : this.planFor(batch);
    const label = `${this.architecture} network at batch ${batch}`;
    try {
      await this.weights.load(network.graph);
      const program = await Program.create(this.gpu, {
        ...{ label, graph: network.graph, constants: this.weights },
        ...(plan && { plan }),
      });
      return new PreparedNetwork(network, program);
    } catch (error) {
      // Closed meanwhile, it may have failed in many ways.
      this.check();
      throw error instanceof NcvsdError && error.code === "OUT_OF_MEMORY" ? this.#tooLarge(batch, error) : error;
    }
  }

  #tooLarge(batch: number, cause?: NcvsdError): NcvsdError {
    const largest = this.largestBatch(batch - 1);
    // An adapter that does not say how much memory it has can only be tried.
    const unknown = cause !== undefined && this.gpu.memoryLimit === undefined && batch > 1;
    const fits = largest > 0 ? `the largest batch that fits is ${largest}` : "not even a batch of 1 fits this adapter";
    const advice = unknown ? `try a batch of ${batch >> 1}` : fits;
    const planned = this.#tryPlan(batch)?.plan;
    const needs = planned ? ` (${mib(planned.activationBytes + planned.externalBytes)} beside the weights)` : "";
    const message = `A batch of ${batch}${needs} is more than ${this.gpu.info.name} can hold in its memory or in one buffer: ${advice}.`;
    return new NcvsdError("OUT_OF_MEMORY", message, { cause });
  }

  /** Undefined: tensors so large that a kernel cannot index them; the network is sound at a batch of 1. */
  #tryPlan(batch: number): Planned | undefined {
    try {
      return this.planFor(batch);
    } catch (error) {
      if (error instanceof NcvsdError && batch > 1) return undefined;
      throw error;
    }
  }

  #bytesLeft(): number {
    const { memoryLimit = Number.POSITIVE_INFINITY, allocatedBytes } = this.gpu;
    return memoryLimit - allocatedBytes;
  }

  #release(net: PreparedNetwork): void {
    this.#idle.give(net.network.batch, net);
  }
}

/** A network planned and allocated for one batch. */
class PreparedNetwork {
  readonly network: NetworkGraph;
  readonly program: Program;
  injection: { program: Program; z: GPUBuffer } | undefined;

  constructor(network: NetworkGraph, program: Program) {
    this.network = network;
    this.program = program;
  }

  buffer(tensor: Parameters<Program["buffer"]>[0]): GPUBuffer {
    return this.program.buffer(tensor);
  }

  get bytes(): number {
    return this.program.bytes + (this.injection?.program.bytes ?? 0);
  }

  destroy(): void {
    this.injection?.program.destroy();
    this.program.destroy();
  }
}

async function notFinite(net: PreparedNetwork, what: string): Promise<NcvsdError> {
  const node = await nonFiniteNode(net.program);
  return new NcvsdError(
    "NOT_FINITE",
    `${what} gave values that are not finite, first at node ${node ?? "precond_out"}: check the inputs and the checkpoint.`,
  );
}
