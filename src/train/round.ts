import { total } from "../../kernels/network/total/kernel.js";
import { normal } from "../../kernels/sampling/normal/kernel.js";
import { vjps } from "../../kernels/vjps.js";
import { bad } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import { gradient } from "../graph/gradient.js";
import type { Graph, Tensor } from "../graph/graph.js";
import type { MemoryPlan } from "../graph/plan.js";
import { type NodeTime, profile } from "../graph/profile.js";
import { Program, type Region } from "../graph/program.js";
import { stage } from "../graph/stage.js";
import type { Trained } from "../layers/trained.js";
import { labelRows } from "../networks/inputs.js";
import type { Labels } from "../networks/session.js";
import type { Bank, BankLayout } from "./bank.js";
import type { TrainingPrecision } from "./precision.js";
import { RowStages, type StoredLayers } from "./row-stages.js";

/** The part of a bank that holds one tensor. */
function regionOf({ buffer, layout }: Bank, name: string): Region {
  const { offset, length } = layout.entry(name);
  return { buffer, offset: 4 * offset, size: 16 * Math.ceil(length / 4) };
}

const gradientName = (name: string) => `gradient of ${name}`;

/**
 * Appends the gradients of a network's parameters, as external tensors, of weights those of the effective ones; a parameter that the loss
 * does not depend on has none. Those of gains follow from their weights'.
 * @param seeds gradients of the loss, by tensor
 * @returns the names of the parameters that have one
 */
export function parameterGradients(
  graph: Graph,
  { stored, weights, rules }: Trained,
  layout: BankLayout,
  seeds: ReadonlyMap<Tensor, Tensor>,
  others: readonly Trained[] = [],
): string[] {
  const wanted = [...stored].flatMap(([name, tensor]) => {
    const weight = weights.get(name);
    if (weight) return [[name, weight.scale] as const];
    return layout.entry(name).kind === "buffer" ? [] : [[name, tensor] as const];
  });
  const all = new Map([rules, ...others.map((other) => other.rules)].flatMap((each) => [...each]));
  const wrt = wanted.map(([, tensor]) => tensor);
  const found = gradient(graph, seeds, wrt, { vjps, rules: all });
  return wanted.flatMap(([name, tensor]) => {
    const its = found.get(tensor);
    if (!its) return [];
    graph.publish(its, gradientName(name));
    return [name];
  });
}

/** Everything that makes one round of an update, as a graph; what is fed to it and what it leaves. */
export interface RoundSpec {
  /** What it is, for messages. */
  readonly label: string;
  readonly graph: Graph;
  readonly batch: number;
  /** Rounds of an update. */
  readonly rounds: number;
  /** Images and classes, as external tensors. */
  readonly images: Tensor;
  readonly labels: Tensor | undefined;
  /** External tensors of standard normal values, image-sized: the number of the draw that fills one when it is not given. */
  readonly noises: readonly { readonly tensor: Tensor; readonly draw: number }[];
  /** External tensors of one level per image. */
  readonly levels: readonly Tensor[];
  /** Losses by entry, of which the sums are kept, and quantities to look at, by name. */
  readonly losses: Readonly<Record<string, Tensor>>;
  readonly recorded: Readonly<Record<string, Tensor>>;
  /** Parameters whose gradients it leaves, and where. */
  readonly gradients: readonly string[];
  readonly round: Bank;
  /** All networks of the graph, the one that learns first. */
  readonly networks: readonly StoredLayers[];
  /** Of activations and packed weights. */
  readonly precision: TrainingPrecision;
}

/** Images and draws of a round: arrays by the tensors' names, levels always. */
export interface RoundValues {
  readonly images: Float32Array;
  readonly labels?: Labels | undefined;
  readonly levels: Readonly<Record<string, Float32Array>>;
  readonly noises: Readonly<Record<string, Float32Array | undefined>>;
}

/** What a round was given, checked. */
export type TakenValues = ReadonlyMap<Tensor, Float32Array>;

/** A round made ready: replaying it allocates nothing. */
export class Round {
  readonly #gpu: Gpu;
  readonly #spec: RoundSpec;
  readonly #program: Program;
  readonly #fill: ReadonlyMap<string, Program>;
  readonly #totals: readonly Program[];
  readonly #rows: readonly RowStages[];
  readonly #keys: GPUBuffer;
  readonly #draw: GPUBuffer;
  readonly #sum: GPUBuffer;
  /** [rounds][losses] */
  readonly #sums: GPUBuffer;
  readonly #owned: { destroy(): void }[];

  private constructor(gpu: Gpu, spec: RoundSpec, parts: Prepared) {
    this.#gpu = gpu;
    this.#spec = spec;
    this.#program = parts.program;
    this.#fill = parts.fill;
    this.#totals = parts.totals;
    this.#rows = parts.rows;
    this.#keys = parts.keys;
    this.#draw = parts.draw;
    this.#sum = parts.sum;
    this.#sums = parts.sums;
    this.#owned = parts.owned;
  }

  static async create(gpu: Gpu, spec: RoundSpec): Promise<Round> {
    const { label, graph, batch, rounds, noises, losses, recorded, gradients, round, precision } = spec;
    for (const tensor of [...Object.values(losses), ...Object.values(recorded)])
      if (tensor.kind === "activation") graph.kept.add(tensor);
    const count = Object.keys(losses).length;
    const owned: { destroy(): void }[] = [];
    const own = <T extends { destroy(): void }>(item: T): T => {
      owned.push(item);
      return item;
    };
    try {
      const buffer = (name: string, length: number) => {
        const made = gpu.storage(name, 4 * length);
        owned.push({ destroy: () => gpu.destroyBuffer(made) });
        return made;
      };
      const [keys, draw, sum, sums] = await gpu.scoped(label, () => [
        buffer("keys", batch),
        buffer("draw", 1),
        buffer("sum of a loss", 1),
        buffer("sums of the losses", rounds * count),
      ]);
      const targets = gradients.map((name) => [gradientName(name), regionOf(round, name)] as const);
      const externals = new Map<string, GPUBuffer | Region>([...targets, ["keys", keys!]]);
      const rows: RowStages[] = [];
      for (const [i, network] of spec.networks.entries()) {
        const { layers, rows: its } = network;
        for (const [name, tensor] of layers.stored) externals.set(tensor.name, regionOf(its.bank, name));
        rows.push(own(await RowStages.create(gpu, network, i === 0 ? round : undefined)));
        for (const [name, region] of rows[i]!.externals) externals.set(name, region);
      }
      // What is summed up must lie in a buffer of its own.
      for (const [name, tensor] of Object.entries(losses))
        externals.set(tensor.name, await gpu.scoped(label, () => buffer(name, tensor.length)));
      const program = own(await Program.create(gpu, { label, graph, externals, precision }));
      const fill = new Map<string, Program>();
      for (const { tensor } of noises) {
        const z = program.buffer(tensor);
        const params = { batch, elements: tensor.length / batch };
        fill.set(tensor.name, own(await stage(gpu, tensor.name, normal, params, { seeds: keys!, draw: draw!, z })));
      }
      const totals: Program[] = [];
      for (const tensor of Object.values(losses)) {
        const params = { count: tensor.length, index: 0, length: 1 };
        totals.push(own(await stage(gpu, "loss", total, params, { x: program.buffer(tensor), y: sum! })));
      }
      const parts = { program, fill, totals, rows, keys: keys!, draw: draw!, sum: sum!, sums: sums!, owned };
      return new Round(gpu, spec, parts);
    } catch (error) {
      for (const item of owned.reverse()) item.destroy();
      gpu.flushDestroyed();
      throw error;
    }
  }

  /** Checks what a round is given, before anything is changed for it. @throws NcvsdError BAD_ARGUMENT */
  take({ images, labels, levels, noises }: RoundValues): TakenValues {
    const spec = this.#spec;
    const taken = new Map<Tensor, Float32Array>();
    const take = (tensor: Tensor, values: Float32Array) => {
      if (!(values instanceof Float32Array) || values.length !== tensor.length)
        throw bad(
          `a round's ${tensor.name} [${tensor.shape}] must be a Float32Array of ${tensor.length} values, got ${values?.length}.`,
        );
      taken.set(tensor, values);
    };
    take(spec.images, images);
    for (const tensor of spec.levels) take(tensor, levels[tensor.name]!);
    if (spec.labels) take(spec.labels, labelRows(labels, spec.batch, spec.labels.length / spec.batch));
    for (const { tensor } of spec.noises) if (noises[tensor.name]) take(tensor, noises[tensor.name]!);
    return taken;
  }

  /**
   * Leaves the gradients in the round's bank.
   * @param keys of the images' draws  @param index of the round in its update, for its losses
   */
  async run(taken: TakenValues, keys: readonly number[], index: number): Promise<void> {
    const gpu = this.#gpu;
    const spec = this.#spec;
    const program = this.#program;
    for (const [tensor, values] of taken) gpu.write(program.buffer(tensor), values);
    gpu.write(this.#keys, Uint32Array.from(keys));
    for (const { tensor, draw } of spec.noises) {
      if (taken.has(tensor)) continue;
      gpu.write(this.#draw, Uint32Array.of(draw));
      await this.#fill.get(tensor.name)!.run();
    }
    for (const rows of this.#rows) await rows.scale();
    await program.run();
    for (const rows of this.#rows) await rows.finish();
    for (const [i, sum] of this.#totals.entries()) {
      await sum.run();
      const encoder = gpu.device.createCommandEncoder();
      encoder.copyBufferToBuffer(this.#sum, 0, this.#sums, 4 * (index * this.#totals.length + i), 4);
      gpu.device.queue.submit([encoder.finish()]);
    }
  }

  /** Mean over images and entries of each loss, by name, for each of the first `rounds` rounds of the update. */
  async losses(rounds: number): Promise<Record<string, number[]>> {
    const entries = Object.entries(this.#spec.losses);
    const sums = rounds === 0 ? [] : await this.#gpu.readF32(this.#sums, rounds * entries.length);
    return Object.fromEntries(
      entries.map(([name, { length }], i) => [
        name,
        Array.from({ length: rounds }, (_, r) => sums[r * entries.length + i]! / length),
      ]),
    );
  }

  /** Times of the nodes of one more run, with what lies in its buffers, and of what comes before and after them. */
  async profile(): Promise<NodeTime[]> {
    const times = await profile(this.#program);
    for (const { programs } of this.#rows) for (const program of programs) times.push(...(await profile(program)));
    return times;
  }

  get plan(): MemoryPlan {
    return this.#program.plan;
  }

  /** What the last round computed, by name. */
  async recorded(): Promise<Map<string, Float32Array>> {
    const read = new Map<string, Float32Array>();
    for (const [name, tensor] of Object.entries(this.#spec.recorded))
      read.set(name, await this.#program.readTensor(tensor));
    return read;
  }

  destroy(): void {
    for (const item of this.#owned) item.destroy();
    this.#gpu.flushDestroyed();
  }
}

interface Prepared {
  readonly program: Program;
  readonly fill: ReadonlyMap<string, Program>;
  readonly totals: readonly Program[];
  readonly rows: readonly RowStages[];
  readonly keys: GPUBuffer;
  readonly draw: GPUBuffer;
  readonly sum: GPUBuffer;
  readonly sums: GPUBuffer;
  readonly owned: { destroy(): void }[];
}
