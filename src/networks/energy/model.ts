import { type CheckpointInput, openCheckpoint } from "../../checkpoint/index.js";
import { bad, checkKeys, NcvsdError } from "../../errors.js";
import type { Gpu } from "../../gpu/device.js";
import { ProgramPool } from "../../graph/pool.js";
import type { Encodable } from "../../graph/stage.js";
import { configOfCheckpoint, configOfTensors, type DiscoConfig, discoTensors, sigmaOf } from "./config.js";
import {
  type EnergyHvp,
  type EnergyProgram,
  type HvpBuffers,
  type LossBuffers,
  openEnergyHvp,
  openEnergyLoss,
} from "./derivatives.js";
import { EnergyParameters } from "./parameters.js";
import { flatRows, type PointRows } from "./rows.js";
import { type EnergySession, type EnergySessionOptions, openEnergySession } from "./session.js";

/** A `disco-mlp` weight file, or its tensors by name, each row-major. */
export type DiscoInput = CheckpointInput | ReadonlyMap<string, Float32Array>;

/** What tensors in memory do not say; a file says it itself. */
export type DiscoOptions = Partial<DiscoConfig>;

export interface DiscoRows {
  /** [rows, dims] */
  readonly x: PointRows;
  /** Indices of noise levels, 0 the largest, one per row or one for all; they need not be whole. Conditional networks only. */
  readonly labels?: ArrayLike<number>;
}

export interface DiscoEvaluation {
  /** rows x dims: the network's last layer. */
  readonly z: Float32Array;
  /** rows: |z|^2, so that log p(x) = phi / sigma(0)^2 + const. Absent where the network is direct. */
  readonly phi?: Float32Array;
  /** rows x dims: the gradient of phi, or z where the network is direct. */
  readonly output: Float32Array;
  /** rows x dims: output / sigma(0)^2, or output / sigma(label) where the network is conditional. */
  readonly score: Float32Array;
}

export interface DiscoLossInput extends DiscoRows {
  /** rows x dims: what the output is to be, x* - x for a draw x* of the data's posterior, or for its mean. */
  readonly target: PointRows;
  /** [rows]; default 1. */
  readonly weight?: ArrayLike<number>;
}

export interface DiscoGradients {
  readonly loss: number;
  readonly gradients: Map<string, Float32Array>;
}

/**
 * Loads a network of DISCO (Diffusion-free score matching): the time-independent score field of the data smoothed with sigma(0),
 * as the gradient of an energy or directly, or its diffusion counterpart with a label.
 * @param input a weight file (`architecture` "disco-mlp"), or its tensors; of tensors in memory everything is read off their lengths
 *   but `energy` (default true), `conditional` (default false) and the noise levels, which `options` give
 * @throws NcvsdError BAD_CHECKPOINT or BAD_ARGUMENT: what is wrong, in which file or with which tensor
 */
export async function loadDisco(gpu: Gpu, input: DiscoInput, options: DiscoOptions = {}): Promise<DiscoModel> {
  checkKeys("loadDisco", options, CONFIG_KEYS);
  const { config, tensors } = await discoTensorsOf("loadDisco", input, options);
  return new DiscoModel(await EnergyParameters.create(gpu, config, tensors));
}

const CONFIG_KEYS: { readonly [K in keyof Required<DiscoConfig>]: true } = {
  dim: true,
  width: true,
  conditional: true,
  energy: true,
  blocks: true,
  embed: true,
  negative_slope: true,
  norm_eps: true,
  sigma_min: true,
  sigma_max: true,
  levels: true,
  mean: true,
  std: true,
  columns: true,
  box_low: true,
  box_high: true,
};

/** Config and parameters of a network, from wherever they come. */
export async function discoTensorsOf(
  call: string,
  input: DiscoInput,
  options: DiscoOptions = {},
): Promise<{ readonly config: DiscoConfig; readonly tensors: ReadonlyMap<string, Float32Array> }> {
  if (input instanceof Map) return { config: configOfTensors(call, input, options), tensors: input };
  const checkpoint = await openCheckpoint(input as CheckpointInput);
  try {
    const config = { ...configOfCheckpoint(checkpoint), ...options };
    const tensors = new Map<string, Float32Array>();
    for (const name of discoTensors(config).keys()) tensors.set(name, await checkpoint.readF32(name));
    return { config, tensors };
  } finally {
    await checkpoint.close();
  }
}

interface Evaluator {
  readonly session: EnergySession;
  readonly bytes: number;
  destroy(): void;
}

/** Submits one run, watched by error scopes. */
async function submitted(gpu: Gpu, what: string, program: Encodable): Promise<void> {
  await gpu.scoped(what, () => {
    const encoder = gpu.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    program.encode(pass);
    pass.end();
    gpu.device.queue.submit([encoder.finish()]);
  });
}

/** A network of DISCO on a device. Close it, or the device, when done. */
export class DiscoModel {
  readonly gpu: Gpu;
  readonly config: DiscoConfig;
  /** Coordinates of a point. */
  readonly dims: number;
  /** Hidden units. */
  readonly width: number;
  /** Whether phi is there and `output` its gradient. */
  readonly energy: boolean;
  /** Whether it takes labels. */
  readonly conditional: boolean;
  readonly #parameters: EnergyParameters;
  /** By rows. */
  readonly #idle: ProgramPool<number, Evaluator>;

  constructor(parameters: EnergyParameters) {
    this.gpu = parameters.gpu;
    this.config = parameters.config;
    this.dims = this.config.dim;
    this.width = this.config.width;
    this.energy = this.config.energy;
    this.conditional = this.config.conditional;
    this.#parameters = parameters;
    this.#idle = new ProgramPool(this.gpu);
  }

  /** Opens a session for so many rows, for samplers: everything stays on the GPU. See `EnergySession`. */
  async open(rows: number, options: EnergySessionOptions = {}): Promise<EnergySession> {
    if (this.#idle.closed) throw bad("The disco-mlp network is closed: load it again.");
    return openEnergySession(this.#parameters, rows, options);
  }

  /**
   * Makes ready gradients of phi and Hessian-vector products of so many rows over the caller's buffers; see `EnergyHvp`. All rows go
   * through the network at once: it takes about 200 times 4 K bytes for each.
   */
  async openHvp(rows: number, buffers: HvpBuffers): Promise<EnergyHvp> {
    if (this.#idle.closed) throw bad("The disco-mlp network is closed: load it again.");
    return openEnergyHvp(this.#parameters, rows, buffers);
  }

  /**
   * Evaluates rows of points.
   * @throws BAD_ARGUMENT for rows that are not whole or labels that do not fit; NOT_FINITE naming the node
   */
  async evaluate(input: DiscoRows): Promise<DiscoEvaluation> {
    checkKeys("evaluate", input, { x: true, labels: true });
    const { x, rows } = this.#rowsOf("evaluate", input.x);
    const each = this.#labelsOf("evaluate", input.labels, rows);
    const evaluator = this.#idle.take(rows) ?? (await this.#evaluator(rows));
    const { session } = evaluator;
    try {
      this.gpu.write(session.x, x);
      if (each) this.gpu.write(session.labels!, each);
      await submitted(this.gpu, "disco-mlp evaluate", session);
      const output = await this.gpu.readF32(session.output, rows * this.dims);
      const z = this.energy ? await this.gpu.readF32(session.z!, rows * this.dims) : output.slice();
      const phi = session.phi ? { phi: await this.gpu.readF32(session.phi, rows) } : {};
      if (!output.every(Number.isFinite))
        throw new NcvsdError(
          "NOT_FINITE",
          `evaluate: the network gave values that are not finite, first in ${(await session.locateNonFinite()) ?? "its output"}.`,
        );
      return {
        z,
        ...phi,
        output,
        score: output.map((value, i) => value / this.#divisor(each, Math.floor(i / this.dims))),
      };
    } finally {
      this.#idle.give(rows, evaluator);
    }
  }

  /**
   * DISCO's loss, mean over the rows of weight times mean over the coordinates of (output - target)^2, and its gradient by every
   * parameter, by name, each row-major.
   * @throws BAD_ARGUMENT for inputs that do not fit each other; NOT_FINITE
   */
  async gradients(input: DiscoLossInput): Promise<DiscoGradients> {
    checkKeys("gradients", input, { x: true, labels: true, target: true, weight: true });
    const { x, rows } = this.#rowsOf("gradients", input.x);
    const labels = this.#labelsOf("gradients", input.labels, rows);
    const target = this.#sameLength("gradients", "target", input.target, rows * this.dims);
    const weight = this.#sameLength("gradients", "weight", input.weight ?? new Float32Array(rows).fill(1), rows);
    const { layout } = this.#parameters;
    const inputs = { x, ...(labels ? { labels } : {}), goal: target, weight };
    const outputs = { gradients: layout.elements, loss: 1 };
    const open = (buffers: Record<string, GPUBuffer>) =>
      openEnergyLoss(this.#parameters, rows, buffers as unknown as LossBuffers);
    const results = await this.#once("gradients", inputs, outputs, open);
    return { loss: results.loss![0]!, gradients: layout.tensors(results.gradients!) };
  }

  /**
   * The Hessian of phi times a direction, [rows, dims] each.
   * @throws BAD_ARGUMENT where the network is direct; NOT_FINITE
   */
  async hvp(input: DiscoRows & { readonly direction: PointRows }): Promise<Float32Array> {
    checkKeys("hvp", input, { x: true, labels: true, direction: true });
    const { x, rows } = this.#rowsOf("hvp", input.x);
    const labels = this.#labelsOf("hvp", input.labels, rows);
    const direction = this.#sameLength("hvp", "direction", input.direction, rows * this.dims);
    const inputs = { x, ...(labels ? { labels } : {}), direction };
    const outputs = { output: rows * this.dims, hvp: rows * this.dims };
    const open = (buffers: Record<string, GPUBuffer>) =>
      openEnergyHvp(this.#parameters, rows, buffers as unknown as HvpBuffers);
    return (await this.#once("hvp", inputs, outputs, open)).hvp!;
  }

  close(): void {
    if (this.#idle.closed) return;
    this.#idle.close();
    this.#parameters.destroy();
  }

  /** What turns a row's output into its score. */
  #divisor(labels: Float32Array | undefined, row: number): number {
    return labels ? sigmaOf(this.config, labels[row]!) : this.config.sigma_min ** 2;
  }

  /** Whole rows, at least one. */
  #rowsOf(call: string, given: PointRows): { readonly x: Float32Array<ArrayBuffer>; readonly rows: number } {
    const x = flatRows(call, "x", given);
    if (x.length === 0 || x.length % this.dims !== 0)
      throw bad(`${call}: x must have rows of ${this.dims} coordinates, got ${x.length} values.`);
    return { x, rows: x.length / this.dims };
  }

  #labelsOf(call: string, labels: ArrayLike<number> | undefined, rows: number): Float32Array<ArrayBuffer> | undefined {
    if (!this.conditional) {
      if (labels !== undefined) throw bad(`${call}: the network takes no labels.`);
      return undefined;
    }
    if (labels === undefined || (labels.length !== rows && labels.length !== 1))
      throw bad(
        `${call}: the network needs labels, one for each of ${rows} rows or one for all, got ${labels?.length ?? "none"}.`,
      );
    const each = Float32Array.from({ length: rows }, (_, i) => labels[labels.length === 1 ? 0 : i]!);
    if (!each.every(Number.isFinite)) throw bad(`${call}: labels must be finite numbers.`);
    return each;
  }

  #sameLength(call: string, name: string, given: PointRows, length: number): Float32Array<ArrayBuffer> {
    const values = flatRows(call, name, given);
    if (values.length !== length) throw bad(`${call}: ${name} must have ${length} values, got ${values.length}.`);
    return values;
  }

  /** Runs a program made for this call alone: inputs are written, outputs of the lengths given are read. */
  async #once<K extends string>(
    call: string,
    inputs: Readonly<Record<string, Float32Array>>,
    outputs: Readonly<Record<K, number>>,
    open: (buffers: Record<string, GPUBuffer>) => Promise<EnergyProgram>,
  ): Promise<Record<K, Float32Array>> {
    if (this.#idle.closed) throw bad("The disco-mlp network is closed: load it again.");
    const { gpu } = this;
    const buffers: Record<string, GPUBuffer> = {};
    let program: EnergyProgram | undefined;
    try {
      for (const [name, values] of Object.entries(inputs)) {
        buffers[name] = gpu.storage(`disco ${name}`, values.byteLength);
        gpu.write(buffers[name], values);
      }
      for (const [name, length] of Object.entries<number>(outputs))
        buffers[name] = gpu.storage(`disco ${name}`, 4 * length);
      program = await open(buffers);
      await submitted(gpu, `disco-mlp ${call}`, program);
      const results = {} as Record<K, Float32Array>;
      for (const [name, length] of Object.entries<number>(outputs) as [K, number][]) {
        results[name] = await gpu.readF32(buffers[name]!, length);
        if (name !== "gradients" && !results[name].every(Number.isFinite))
          throw new NcvsdError("NOT_FINITE", `${call}: the network gave values that are not finite.`);
      }
      return results;
    } finally {
      program?.destroy();
      for (const buffer of Object.values(buffers)) gpu.destroyBuffer(buffer);
      gpu.flushDestroyed();
    }
  }

  async #evaluator(rows: number): Promise<Evaluator> {
    const session = await this.open(rows, { z: true });
    return { session, bytes: session.bytes, destroy: () => session.release() };
  }
}
