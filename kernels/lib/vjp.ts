import type { ElementType, Kernel } from "../../src/gpu/contract.js";

/** A tensor of a graph, as far as derivatives look at it. */
export interface Value {
  readonly shape: readonly number[];
  readonly length: number;
  readonly type: ElementType;
}

/** What derivatives append their nodes to: a `Graph`. */
export interface Tape {
  run<P extends object, W extends string>(
    name: string,
    kernel: Kernel<P>,
    params: P,
    inputs: Readonly<Record<string, Value | undefined>>,
    outputs: Readonly<Record<W, readonly number[] | Value>>,
  ): Record<W, Value>;
}

/** A node whose gradients are asked for. */
export interface Pulled<P> {
  readonly tape: Tape;
  /** For the names of the nodes that are appended. */
  readonly name: string;
  readonly params: P;
  /** What the node reads and writes, by the kernel's names. */
  readonly reads: Readonly<Record<string, Value>>;
  readonly writes: Readonly<Record<string, Value>>;
  /** Gradients of what it writes; absent where nothing that is asked for depends on it. */
  readonly gradients: Readonly<Record<string, Value | undefined>>;
  /** Whether the gradient of an input is of use. */
  wanted(input: string): boolean;
}

/**
 * The vector-Jacobian product of a kernel: appends nodes that compute the gradients of its inputs from those of its outputs.
 * Inputs left out have none.
 */
export type Vjp<P> = (pulled: Pulled<P>) => Readonly<Record<string, Value | undefined>>;
