/**
 * The contract of a hand-written kernel: one list from which layouts, checks, tests, benchmarks and the
 * plan's figures are derived. A kernel folder exports one `Kernel`; nothing else knows its WGSL.
 */

/**
 * Storage type of activations and weights; accumulation is always f32. `f16-weights` keeps activations in f32 and needs
 * nothing of the adapter: kernels unpack the weights.
 */
export type Precision = "f32" | "f16" | "f16-weights";

/**
 * Element type of a buffer. `act` is the storage type of the network's activations: f32, or f16 when the plan's precision
 * says so (WGSL sees it as the alias `S`). `weight` is that of packed weights, bound as `array<W4>` and read four at a time
 * with `weight4(w[i])`. Sampler state, sigmas and labels are always f32.
 */
export type ElementType = "f32" | "u32" | "act" | "weight";

/** What a kernel may ask of the adapter when it picks a variant. Never the batch: a seed's bits must not depend on it. */
export interface Caps {
  readonly precision: Precision;
  /** The `subgroups` feature is there; sizes are the adapter's bounds, 0 where unknown. */
  readonly subgroups: boolean;
  readonly subgroupMinSize: number;
  readonly subgroupMaxSize: number;
  /** A CPU adapter (lavapipe, SwiftShader): barriers and workgroup memory cost there what they save on a GPU. */
  readonly software: boolean;
  readonly maxWorkgroupSize: number;
  readonly maxWorkgroupsPerDimension: number;
  /** What cost models count with on a GPU; absent: nothing is known of it, or it is software. */
  readonly rates?: DeviceRates;
  /** Matrices of halves with sums of f32 that a subgroup multiplies at once; absent: none, or they are not to be used. */
  readonly matrices?: MatrixShape;
  /** What a tuner chose on this adapter, by `tuneKey`; where it says nothing, a kernel's own cost model picks. */
  readonly tuning?: ReadonlyMap<string, string>;
}

/** m x k by k x n. */
export interface MatrixShape {
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/** How fast a GPU is at best. */
export interface DeviceRates {
  /**
   * Units that run workgroups of their own: streaming multiprocessors, cores, Xe cores. A dispatch of fewer workgroups leaves some
   * of them idle.
   */
  readonly multiprocessors: number;
  /** f32 operations a second, a multiply-add counted as two. */
  readonly flops: number;
  /** Bytes a second to and from memory. */
  readonly bandwidth: number;
  /** Seconds from the end of one dispatch to the work of the next that waits for it. */
  readonly dispatch: number;
}

export interface BufferUse {
  /** The WGSL variable's name; buffers are listed in binding order from @binding(1) (0 is the uniform `p`). */
  readonly name: string;
  readonly access: "read" | "write" | "update";
  readonly type: ElementType;
  /** Number of elements; 0: not used by these parameters (a dummy is bound). */
  readonly length: number;
}

export interface Variant {
  /** Distinguishes pipelines of one kernel. */
  readonly key: string;
  /** `const`, `alias` lines in front of the WGSL; `enable` lines are made by the engine (see `needs`). */
  readonly prelude: string;
  /** The prelude's end where only some adapters need it: imported when the variant is compiled, so that a page loads no other's. */
  readonly text?: () => Promise<string>;
  readonly needs?: readonly ("subgroups" | "f16" | "chromium_experimental_subgroup_matrix")[];
}

export interface SourcePart {
  /** Path in this repository, for messages: `kernels/network/conv/kernel.wgsl`. */
  readonly file: string;
  readonly text: string;
}

export interface Cost {
  /** Floating point operations, a multiply-add counted as two. */
  readonly flops: number;
  /** Bytes read and written, each element once. */
  readonly bytes: number;
}

/** Multiply-adds: those asked for, and those that the grid makes, idle rows, columns and depths of its tiles among them. */
export interface Products {
  readonly asked: number;
  readonly made: number;
}

/** Values of the buffers that a reference reads, by name. */
export type Inputs = Readonly<Record<string, ArrayLike<number>>>;

export interface Case<P> {
  readonly name: string;
  readonly params: P;
  /** Replaces the default input (standard normal values) of a buffer. */
  readonly inputs?: (name: string, length: number, random: () => number) => Float32Array | Uint32Array | undefined;
}

export interface Kernel<P = never> {
  readonly name: string;
  /** WGSL without the generated prelude: shared parts from kernels/lib first, kernel.wgsl last. */
  readonly source: readonly SourcePart[];
  /** Throws `NcvsdError("BAD_ARGUMENT")` naming the kernel, the parameter and the rule. Runs before every planning. */
  check(params: P): void;
  buffers(params: P): readonly BufferUse[];
  variant(params: P, caps: Caps): Variant;
  /** Where several variants fit: a name of the shape for `Caps.tuning`. Without the batch: a seed's bits must not depend on it. */
  tuneKey?(params: P): string;
  /** The values of `Caps.tuning` that fit the shape and the adapter, the cost model's own choice first. */
  choices?(params: P, caps: Caps): readonly string[];
  /** Values of the members of the uniform struct `Params`, by name. Arrays and vectors as lists. */
  uniforms(params: P): Readonly<Record<string, number | readonly number[]>>;
  /** Workgroups in x, y, z. */
  grid(params: P, variant: Variant, caps: Caps): readonly [number, number, number];
  cost(params: P, bytesPerAct: 2 | 4, bytesPerWeight: 2 | 4): Cost;
  /** Of kernels made of matrix products: the multiply-adds of the products. */
  products?(params: P, caps: Caps): Products;
  /** Plain loops in float64, from the same inputs; returns every written buffer. */
  reference(params: P, inputs: Inputs): Record<string, Float64Array>;
  readonly cases: readonly Case<P>[];
  /** Largest allowed ||out - ref|| / ||ref|| of any written buffer, by the type of activations. u32 buffers must be equal. */
  readonly tolerance: { readonly f32: number; readonly f16: number };
}

// biome-ignore lint/suspicious/noExplicitAny: a list of kernels with different parameters
export type AnyKernel = Kernel<any>;

/** Bytes of one element. */
export function elementBytes(type: ElementType, precision: Precision): 2 | 4 {
  if (type === "weight") return precision === "f32" ? 4 : 2;
  return type === "act" && precision === "f16" ? 2 : 4;
}

/** Of activations: what `tolerance` is told by. */
export function actType(precision: Precision): "f32" | "f16" {
  return precision === "f16" ? "f16" : "f32";
}

/** The largest error allowed for a written buffer: that of f16 where activations, or it itself, are stored as halves. */
export function toleranceOf<P>(kernel: Kernel<P>, params: P, buffer: string, precision: Precision): number {
  const type = kernel.buffers(params).find(({ name }) => name === buffer)?.type ?? "f32";
  const halves = precision === "f16" || elementBytes(type, precision) === 2;
  return type === "u32" ? 0 : kernel.tolerance[halves ? "f16" : "f32"];
}

/** A kernel's cost at a precision. */
export function costOf<P>(kernel: Kernel<P>, params: P, precision: Precision): Cost {
  return kernel.cost(params, elementBytes("act", precision), elementBytes("weight", precision));
}

/** Workgroups for `threads` invocations in workgroups of `size`, folded into two dimensions past the device limit. */
export function grid1d(threads: number, size: number, caps: Pick<Caps, "maxWorkgroupsPerDimension">) {
  const groups = Math.max(1, Math.ceil(threads / size));
  const x = Math.min(groups, caps.maxWorkgroupsPerDimension);
  return [x, Math.ceil(groups / x), 1] as const;
}
