import type { Gpu } from "../gpu/device.js";
import { Graph, type Tensor } from "../graph/graph.js";
import { Program } from "../graph/program.js";

/** Inputs that an operator's stage may have; zy: the second draw. */
type InputName = "x" | "y" | "z" | "zy" | "level";

/** Lengths of the inputs, in values. */
export type InputShapes = Readonly<Record<InputName, readonly number[]>>;

/**
 * The graph of one stage of an operator, with the tables that it reads and, apart, what depends on the measurement alone.
 * The last node writes `out`.
 */
export class StageGraph {
  readonly graph = new Graph();
  readonly batch: number;
  readonly #shapes: InputShapes;
  readonly #tensors = new Map<string, Tensor>();
  readonly #tables = new Map<string, { tensor: Tensor; values: Float32Array | Uint32Array }>();
  #prepared: StageGraph | undefined;

  constructor(batch: number, shapes: InputShapes) {
    this.batch = batch;
    this.#shapes = shapes;
  }

  input(name: InputName): Tensor {
    return this.#tensor(name, this.#shapes[name]);
  }

  out(shape: readonly number[]): Tensor {
    return this.#tensor("out", shape);
  }

  /** Constant values; the same name gives the same tensor. */
  table(name: string, make: () => Float32Array | Uint32Array): Tensor {
    let entry = this.#tables.get(name);
    if (!entry) {
      const values = make();
      const type = values instanceof Uint32Array ? "u32" : "f32";
      entry = { tensor: this.graph.external(name, [values.length], type), values };
      this.#tables.set(name, entry);
    }
    return entry.tensor;
  }

  /** Something computed from y, once per measurement: `build` must put it into `to`. A stage has at most one. */
  prepared(shape: readonly number[], build: (stage: StageGraph, to: Tensor) => void): Tensor {
    this.#prepared = new StageGraph(this.batch, this.#shapes);
    build(this.#prepared, this.#prepared.out(shape));
    return this.graph.external("prepared", shape);
  }

  /** Plans and allocates; `buffers` are the inputs that someone else owns. */
  async open(gpu: Gpu, label: string, buffers: ReadonlyMap<string, GPUBuffer>): Promise<OpenStage> {
    const externals = new Map(buffers);
    const preparation = await this.#prepared?.open(gpu, `${label} (measurement)`, buffers);
    try {
      if (preparation) externals.set("prepared", preparation.buffer("out")!);
      const program = await Program.create(gpu, { label, graph: this.graph, externals });
      for (const { tensor, values } of this.#tables.values()) gpu.write(program.buffer(tensor), values);
      return new OpenStage(program, preparation, this.#tensors);
    } catch (error) {
      preparation?.destroy();
      throw error;
    }
  }

  #tensor(name: string, shape: readonly number[]): Tensor {
    let tensor = this.#tensors.get(name);
    if (!tensor) {
      tensor = this.graph.external(name, shape);
      this.#tensors.set(name, tensor);
    }
    return tensor;
  }
}

/** A stage on the device. */
export class OpenStage {
  readonly program: Program;
  readonly prepare: OpenStage | undefined;
  readonly #tensors: ReadonlyMap<string, Tensor>;

  constructor(program: Program, prepare: OpenStage | undefined, tensors: ReadonlyMap<string, Tensor>) {
    this.program = program;
    this.prepare = prepare;
    this.#tensors = tensors;
  }

  encode(pass: GPUComputePassEncoder): void {
    this.program.encode(pass);
  }

  buffer(name: InputName | "out"): GPUBuffer | undefined {
    const tensor = this.#tensors.get(name);
    return tensor && this.program.buffer(tensor);
  }

  get bytes(): number {
    return this.program.bytes + (this.prepare?.bytes ?? 0);
  }

  destroy(): void {
    this.program.destroy();
    this.prepare?.destroy();
  }
}
