import { type CheckpointInput, openCheckpoint } from "../../checkpoint/index.js";
import { bad, checkKeys, NcvsdError } from "../../errors.js";
import type { Gpu } from "../../gpu/device.js";
import { ProgramPool } from "../../graph/pool.js";
import { configOfCheckpoint, configOfTensors, type DiscoConfig, discoTensors, sigmaOf } from "./config.js";
import { EnergyParameters } from "./parameters.js";
import { type EnergySession, type EnergySessionOptions, openEnergySession } from "./session.js";

/** A `disco-mlp` weight file, or its tensors by name, each row-major. */
export type DiscoInput = CheckpointInput | ReadonlyMap<string, Float32Array>;

/** What tensors in memory do not say; a file says it itself. */
export type DiscoOptions = Partial<DiscoConfig>;

export interface DiscoRows {
  /** [rows, dims] */
  readonly x: Float32Array;
  /** Indices of noise levels, 0 the largest, one per row or one for all; they need not be whole. Conditional networks only. */
  readonly labels?: ArrayLike<number>;
}

export interface DiscoEvaluation {
  /** [rows, dims]: the network's last layer. */
  readonly z: Float32Array;
  /** [rows]: |z|^2, so that log p(x) = phi / sigma(0)^2 + const. Absent where the network is direct. */
  readonly phi?: Float32Array;
  /** [rows, dims]: the gradient of phi, or z where the network is direct. */
  readonly output: Float32Array;
  /** [rows, dims]: output / sigma(0)^2, or output / sigma(label) where the network is conditional. */
  readonly score: Float32Array;
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

const CONFIG_KEYS: { readonly [K in keyof DiscoConfig]: true } = {
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
};

/** Config and parameters of a network, from wherever they come. */
async function discoTensorsOf(
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
   * Evaluates rows of points.
   * @throws BAD_ARGUMENT for rows that are not whole or labels that do not fit; NOT_FINITE naming the node
   */
  async evaluate(input: DiscoRows): Promise<DiscoEvaluation> {
    checkKeys("evaluate", input, { x: true, labels: true });
    const { x, labels } = input;
    const rows = this.#rowsOf("evaluate", x);
    const each = this.#labelsOf("evaluate", labels, rows);
    const evaluator = this.#idle.take(rows) ?? (await this.#evaluator(rows));
    const { session } = evaluator;
    try {
      this.gpu.write(session.x, x);
      if (each) this.gpu.write(session.labels!, each);
      await this.gpu.scoped("Evaluating a disco-mlp network", () => {
        const encoder = this.gpu.device.createCommandEncoder();
        const pass = encoder.beginComputePass();
        session.encode(pass);
        pass.end();
        this.gpu.device.queue.submit([encoder.finish()]);
      });
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

  close(): void {
    if (this.#idle.closed) return;
    this.#idle.close();
    this.#parameters.destroy();
  }

  /** What turns a row's output into its score. */
  #divisor(labels: Float32Array | undefined, row: number): number {
    return labels ? sigmaOf(this.config, labels[row]!) : this.config.sigma_min ** 2;
  }

  #rowsOf(call: string, x: Float32Array): number {
    if (!(x instanceof Float32Array) || x.length === 0 || x.length % this.dims !== 0)
      throw bad(
        `${call}: x must be a Float32Array of rows of ${this.dims} coordinates, got ${x instanceof Float32Array ? `${x.length} values` : String(x)}.`,
      );
    if (!x.every(Number.isFinite)) throw bad(`${call}: x has values that are not finite.`);
    return x.length / this.dims;
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

  async #evaluator(rows: number): Promise<Evaluator> {
    const session = await this.open(rows, { z: true });
    return { session, bytes: session.bytes, destroy: () => session.release() };
  }
}
