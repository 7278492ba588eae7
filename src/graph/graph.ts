import { NcvsdError } from "../errors.js";
import {
  type AnyKernel,
  type Caps,
  type Cost,
  costOf,
  type DeviceRates,
  type ElementType,
  elementBytes,
  type Kernel,
  type Precision,
} from "../gpu/contract.js";

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
  /** Elements of one copy. */
  readonly length: number;
  readonly type: ElementType;
  /** So many tensors of this shape side by side, each from a multiple of 256 bytes on. */
  readonly copies: number;
  /** It is some copies of another tensor, from `first` on. */
  readonly view?: { readonly of: Tensor; readonly first: number };
}

/** How a constant is made from the tensors of a checkpoint. */
export interface Recipe {
  /** Names of checkpoint tensors. */
  readonly sources: readonly string[];
  /** Of several copies, each: what it is called where it is a constant by itself, and its sources. */
  readonly copies?: readonly { readonly name: string; readonly sources: readonly string[] }[];
  /** Their values as f32, in that order, to the constant's values in the layout that the kernel wants. */
  make(sources: readonly Float32Array[]): Float32Array;
  /** The same a piece at a time, where the whole is large, each valid until the next; all but the last of a multiple of 4 values. */
  pieces?(sources: readonly Float32Array[]): Iterable<Float32Array>;
}

export interface Node {
  readonly name: string;
  readonly kernel: AnyKernel;
  readonly params: object;
  /** It is computed so often: for each copy of its tensors, which all have as many. */
  readonly copies: number;
  /** Each copy's name where it is a node by itself. */
  readonly names?: readonly string[];
  /** By WGSL variable name. */
  readonly reads: Readonly<Record<string, Tensor>>;
  readonly writes: Readonly<Record<string, Tensor>>;
}

/** Binding offsets are multiples of this on every adapter (WebGPU's default minStorageBufferOffsetAlignment). */
export const ALIGNMENT = 256;

/** Bytes of a tensor's buffer: a multiple of 16, so that vec4 views are whole. */
export function tensorBytes(
  { length, type, copies = 1 }: Pick<Tensor, "length" | "type"> & { readonly copies?: number },
  precision: Precision,
): number {
  if (copies > 1) return copies * copyBytes({ length, type }, precision);
  return Math.ceil((length * elementBytes(type, precision)) / 16) * 16;
}

/** Bytes from one copy of a tensor to the next. */
export function copyBytes({ length, type }: Pick<Tensor, "length" | "type">, precision: Precision): number {
  return Math.ceil((length * elementBytes(type, precision)) / ALIGNMENT) * ALIGNMENT;
}

/** The tensor whose memory this one is, or is a part of. */
export const whole = (tensor: Tensor): Tensor => tensor.view?.of ?? tensor;

/** A node's cost, over all copies. */
export function nodeCost({ kernel, params, copies }: Node, precision: Precision): Cost {
  const { flops, bytes } = costOf(kernel, params as never, precision);
  return { flops: copies * flops, bytes: copies * bytes };
}

/** What a node's kernel is told of the adapter: each copy has its share of a GPU. Tiles may depend on it, sums may not. */
export function nodeCaps({ copies }: Node, caps: Caps): Caps {
  if (copies === 1 || !caps.rates) return caps;
  const multiprocessors = Math.max(1, Math.floor(caps.rates.multiprocessors / copies));
  return { ...caps, rates: { ...caps.rates, multiprocessors } };
}

/** The adapter that a graph is planned for, as far as its layers choose by it; empty: software, or nothing is known of it. */
export interface Target {
  /** `Caps.rates`. */
  readonly rates?: DeviceRates | undefined;
  /** The most bytes of one binding. */
  readonly bindingBytes?: number | undefined;
}

/** A GPU as the target. A software adapter plans as without one: for its memory, small parts of large layers are better. */
export const targetOf = ({
  caps: { rates },
  bindingBytes,
}: {
  readonly caps: Caps;
  readonly bindingBytes: number;
}): Target => (rates ? { rates, bindingBytes } : {});

/** A static graph: nodes in execution order over typed tensors whose lengths are checked against the kernels' contracts. */
export class Graph {
  readonly nodes: Node[] = [];
  readonly tensors: Tensor[] = [];
  /** Recipes of the constants, by tensor name. */
  readonly recipes = new Map<string, Recipe>();
  /** Activations that someone reads after the run: they keep their place to the end. */
  readonly kept = new Set<Tensor>();
  readonly target: Target;
  readonly #byName = new Map<string, Tensor>();
  #prefixes: readonly string[] = [""];

  constructor(target: Target = {}) {
    this.target = target;
  }

  external(name: string, shape: readonly number[], type: ElementType = "f32"): Tensor {
    return this.#tensor(name, "external", shape, type);
  }

  /** The same name gives the same tensor, so that a weight used twice is bound once. */
  constant(name: string, shape: readonly number[], type: ElementType, recipe: Recipe): Tensor {
    const prefixes = this.#prefixes;
    const copies = this.#namesOf(name).map((own, i) => ({
      name: own,
      sources: recipe.sources.map((source) => swapped(source, prefixes[0]!, prefixes[i]!)),
    }));
    const copied = copies.length > 1 ? `${name} (${prefixes.join(" ")})` : name;
    this.recipes.set(copied, copies.length > 1 ? { ...recipe, copies } : recipe);
    return this.#byName.get(`constant ${copied}`) ?? this.#tensor(copied, "constant", shape, type, copies.length);
  }

  /**
   * Constants that `body` asks for get a copy for each prefix, made of tensors whose names begin with it where the first copy's
   * begin with the first: layers of one shape in several parts of a network become one node.
   */
  copied<T>(prefixes: readonly string[], body: () => T): T {
    const before = this.#prefixes;
    this.#prefixes = prefixes;
    try {
      return body();
    } finally {
      this.#prefixes = before;
    }
  }

  /** An activation of several copies, which nodes write one by one, through `part`. */
  room(name: string, shape: readonly number[], type: ElementType, copies: number): Tensor {
    return this.#tensor(name, "activation", shape, type, copies);
  }

  /** Some copies of an activation as a tensor: what is read or written through it is the activation's. */
  part(of: Tensor, first: number, copies = 1): Tensor {
    if (of.kind !== "activation" || of.view || first + copies > of.copies)
      throw new Error(`${of.name} has no copies ${first} to ${first + copies - 1}`);
    const name = `${of.name} [${first}]`;
    const known = this.#byName.get(`${copies} of ${name}`);
    if (known) return known;
    const tensor = { ...this.#tensor(name, "activation", of.shape, of.type, copies), view: { of, first } };
    this.tensors[tensor.id] = tensor;
    this.#byName.set(`${copies} of ${name}`, tensor);
    return tensor;
  }

  /**
   * Appends a node. `outputs` gives for each written buffer its shape (a new activation) or an existing external tensor.
   * Shapes are inferred and checked through the kernel's own contract. What it reads and writes has as many copies each.
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
    const copies = [...Object.values(inputs), ...Object.values<readonly number[] | Tensor>(outputs)].reduce(
      (most, tensor) => (tensor && isTensor(tensor) ? Math.max(most, tensor.copies) : most),
      1,
    );
    for (const buffer of kernel.buffers(params)) {
      if (buffer.length === 0) continue;
      const wanted = buffer.access === "write" ? outputs[buffer.name as W] : inputs[buffer.name];
      const what = `node ${name} (kernel ${kernel.name}): ${buffer.name}`;
      if (wanted === undefined) throw new NcvsdError("BAD_ARGUMENT", `${what} is not connected.`);
      const tensor = isTensor(wanted)
        ? wanted
        : this.#tensor(
            `${name}${buffer.name === "y" ? "" : `.${buffer.name}`}`,
            "activation",
            wanted,
            buffer.type,
            copies,
          );
      if (tensor.length !== buffer.length) {
        throw new NcvsdError(
          "BAD_ARGUMENT",
          `${what} needs ${buffer.length} elements, but ${tensor.name} [${tensor.shape}] has ${tensor.length}.`,
        );
      }
      if (tensor.type !== buffer.type) {
        throw new NcvsdError("BAD_ARGUMENT", `${what} has type ${buffer.type}, but ${tensor.name} has ${tensor.type}.`);
      }
      if (tensor.copies !== copies)
        throw new NcvsdError(
          "BAD_ARGUMENT",
          `${what} needs ${copies} copies, but ${tensor.name} has ${tensor.copies}.`,
        );
      if (buffer.access !== "write") reads[buffer.name] = tensor;
      if (buffer.access !== "read") writes[buffer.name] = tensor;
    }
    const names = copies > 1 && copies === this.#prefixes.length ? this.#namesOf(name) : undefined;
    this.nodes.push({ name, kernel, params, copies, reads, writes, ...(names && { names }) });
    return writes as Record<W, Tensor>;
  }

  /** Makes an activation an external tensor of this name: its node writes into a buffer that outlives the run. */
  publish(tensor: Tensor, name: string): Tensor {
    if (tensor.kind !== "activation") throw new Error(`${tensor.name} is no activation`);
    // The nodes hold the tensor itself.
    return Object.assign(tensor as { kind: TensorKind; name: string }, { kind: "external", name }) as Tensor;
  }

  /** `a+b.conv` or `a.conv`, of copies with the prefixes `a.` and `b.`, as `a.conv` and `b.conv`. */
  #namesOf(name: string): readonly string[] {
    const prefixes = this.#prefixes;
    const all = `${prefixes.map((prefix) => prefix.replace(/\.$/, "")).join("+")}.`;
    return prefixes.map((prefix) => swapped(swapped(name, all, prefixes[0]!), prefixes[0]!, prefix));
  }

  #tensor(name: string, kind: TensorKind, shape: readonly number[], type: ElementType, copies = 1): Tensor {
    const length = shape.reduce((a, b) => a * b, 1);
    const tensor: Tensor = { id: this.tensors.length, name, kind, shape, length, type, copies };
    this.tensors.push(tensor);
    this.#byName.set(`${kind} ${name}`, tensor);
    return tensor;
  }
}

const swapped = (name: string, from: string, to: string) =>
  name.startsWith(from) ? to + name.slice(from.length) : name;

function isTensor(value: readonly number[] | Tensor): value is Tensor {
  return !Array.isArray(value);
}
