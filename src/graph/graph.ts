import { NcvsdError } from "../errors.js";
import { type AnyKernel, type ElementType, elementBytes, type Kernel, type Precision } from "../gpu/contract.js";

/**
 * `external`: a buffer that outlives a run (network inputs and outputs, sampler state);
 * `constant`: weights, from a store shared by all plans; `activation`: planned onto arenas by liveness.
 */
export type TensorKind = "external" | "constant" | "activation";

export interface Tensor {
  readonly id: number;
  readonly name: string;
  readonly kind: TensorKind;
  readonly shape: readonly number[];
  readonly length: number;
  readonly type: ElementType;
}

/** How a constant is made from the tensors of a checkpoint. */
export interface Recipe {
  /** Names of checkpoint tensors. */
  readonly sources: readonly string[];
  /** Their values as f32, in that order, to the constant's values in the layout that the kernel wants. */
  make(sources: readonly Float32Array[]): Float32Array;
  /** The same a piece at a time, where the whole is large, each valid until the next; all but the last of a multiple of 4 values. */
  pieces?(sources: readonly Float32Array[]): Iterable<Float32Array>;
}

export interface Node {
  readonly name: string;
  readonly kernel: AnyKernel;
  readonly params: object;
  /** By WGSL variable name. */
  readonly reads: Readonly<Record<string, Tensor>>;
  readonly writes: Readonly<Record<string, Tensor>>;
}

/** Bytes of a tensor's buffer: a multiple of 16, so that vec4 views are whole. */
export function tensorBytes(tensor: Pick<Tensor, "length" | "type">, precision: Precision): number {
  return Math.ceil((tensor.length * elementBytes(tensor.type, precision)) / 16) * 16;
}

/** A static graph: nodes in execution order over typed tensors whose lengths are checked against the kernels' contracts. */
export class Graph {
  readonly nodes: Node[] = [];
  readonly tensors: Tensor[] = [];
  /** Recipes of the constants, by tensor name. */
  readonly recipes = new Map<string, Recipe>();
  /** Activations that someone reads after the run: they keep their place to the end. */
  readonly kept = new Set<Tensor>();
  readonly #byName = new Map<string, Tensor>();

  external(name: string, shape: readonly number[], type: ElementType = "f32"): Tensor {
    return this.#tensor(name, "external", shape, type);
  }

  /** The same name gives the same tensor, so that a weight used twice is bound once. */
  constant(name: string, shape: readonly number[], type: ElementType, recipe: Recipe): Tensor {
    this.recipes.set(name, recipe);
    return this.#byName.get(`constant ${name}`) ?? this.#tensor(name, "constant", shape, type);
  }

  /**
   * Appends a node. `outputs` gives for each written buffer its shape (a new activation) or an existing external tensor.
   * Shapes are inferred and checked through the kernel's own contract.
   * @returns the written tensors by buffer name
   */
  run<P extends object, W extends string>(
    name: string,
    kernel: Kernel<P>,
    params: P,
    inputs: Readonly<Record<string, Tensor | undefined>>,
    outputs: Readonly<Record<W, readonly number[] | Tensor>>,
  ): Record<W, Tensor> {
    kernel.check(params);
    const reads: Record<string, Tensor> = {};
    const writes: Record<string, Tensor> = {};
    for (const buffer of kernel.buffers(params)) {
      if (buffer.length === 0) continue;
      const wanted = buffer.access === "write" ? outputs[buffer.name as W] : inputs[buffer.name];
      const what = `node ${name} (kernel ${kernel.name}): ${buffer.name}`;
      if (wanted === undefined) throw new NcvsdError("BAD_ARGUMENT", `${what} is not connected.`);
      const tensor = isTensor(wanted)
        ? wanted
        : this.#tensor(`${name}${buffer.name === "y" ? "" : `.${buffer.name}`}`, "activation", wanted, buffer.type);
      if (tensor.length !== buffer.length) {
        throw new NcvsdError(
          "BAD_ARGUMENT",
          `${what} needs ${buffer.length} elements, but ${tensor.name} [${tensor.shape}] has ${tensor.length}.`,
        );
      }
      if (tensor.type !== buffer.type) {
        throw new NcvsdError("BAD_ARGUMENT", `${what} has type ${buffer.type}, but ${tensor.name} has ${tensor.type}.`);
      }
      if (buffer.access !== "write") reads[buffer.name] = tensor;
      if (buffer.access !== "read") writes[buffer.name] = tensor;
    }
    this.nodes.push({ name, kernel, params, reads, writes });
    return writes as Record<W, Tensor>;
  }

  /** Makes an activation an external tensor of this name: its node writes into a buffer that outlives the run. */
  publish(tensor: Tensor, name: string): Tensor {
    if (tensor.kind !== "activation") throw new Error(`${tensor.name} is no activation`);
    // The nodes hold the tensor itself.
    return Object.assign(tensor as { kind: TensorKind; name: string }, { kind: "external", name }) as Tensor;
  }

  #tensor(name: string, kind: TensorKind, shape: readonly number[], type: ElementType): Tensor {
    const length = shape.reduce((a, b) => a * b, 1);
    const tensor: Tensor = { id: this.tensors.length, name, kind, shape, length, type };
    this.tensors.push(tensor);
    this.#byName.set(`${kind} ${name}`, tensor);
    return tensor;
  }
}

function isTensor(value: readonly number[] | Tensor): value is Tensor {
  return !Array.isArray(value);
}
