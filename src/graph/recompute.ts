import type { Graph, Node, Tensor } from "./graph.js";

/** Nodes of a graph, by index: `from` up to but excluding `to`. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/**
 * Gives up memory for time: what is computed inside a span of the forward pass and read by its derivatives only is computed
 * again, by the same nodes with the same inputs and so to the same bits, before the first derivative that reads it. Between
 * the two only what other nodes read is alive.
 * Call it when the derivatives are in the graph.
 * @param spans in order, without overlap  @param forward nodes of the forward pass: derivatives come behind them
 */
export function recompute(graph: Graph, spans: readonly Span[], forward: number): void {
  const nodes = graph.nodes.splice(0);
  const derivatives = nodes.slice(forward);
  /** The span whose copy each tensor is taken from. */
  const owners = new Map<Tensor, Copy>();
  for (const span of spans) {
    const copy = new Copy(graph, nodes.slice(span.from, span.to));
    const outside = [...nodes.slice(0, span.from), ...nodes.slice(span.to, forward)];
    const boundary = new Set(outside.flatMap(({ reads }) => Object.values(reads)));
    for (const tensor of copy.written)
      if (tensor.kind === "activation" && !boundary.has(tensor) && !graph.kept.has(tensor)) owners.set(tensor, copy);
  }
  for (const { reads } of derivatives)
    for (const tensor of Object.values(reads)) owners.get(tensor)?.want(tensor, owners);
  graph.nodes.push(...nodes.slice(0, forward));
  for (const node of derivatives) {
    const reads = Object.entries(node.reads).map(([use, tensor]) => [use, owners.get(tensor)?.of(tensor) ?? tensor]);
    graph.nodes.push({ ...node, reads: Object.fromEntries(reads) });
  }
}

/** The nodes of a span again, as far as they are wanted. */
class Copy {
  readonly written: ReadonlySet<Tensor>;
  readonly #graph: Graph;
  readonly #nodes: readonly Node[];
  readonly #wanted = new Set<Node>();
  #copies: Map<Tensor, Tensor> | undefined;

  constructor(graph: Graph, nodes: readonly Node[]) {
    this.#graph = graph;
    this.#nodes = nodes;
    this.written = new Set(nodes.flatMap(({ writes }) => Object.values(writes)));
  }

  /** The nodes that make a tensor, and those that make what these read. */
  want(tensor: Tensor, owners: ReadonlyMap<Tensor, Copy>): void {
    for (const node of this.#nodes) {
      if (this.#wanted.has(node) || !Object.values(node.writes).includes(tensor)) continue;
      this.#wanted.add(node);
      for (const read of Object.values(node.reads)) if (owners.get(read) === this) this.want(read, owners);
    }
  }

  /** The copy of a tensor; the first call appends the nodes. */
  of(tensor: Tensor): Tensor {
    this.#copies ??= this.#append();
    return this.#copies.get(tensor)!;
  }

  #append(): Map<Tensor, Tensor> {
    const copies = new Map<Tensor, Tensor>();
    for (const node of this.#nodes) {
      if (!this.#wanted.has(node)) continue;
      const { name, kernel, params, reads, writes } = node;
      const inputs = Object.entries(reads).map(([use, read]) => [use, copies.get(read) ?? read]);
      // Several nodes may write parts of one tensor.
      const shapes = Object.entries(writes).map(([use, write]) => [use, copies.get(write) ?? write.shape]);
      const made = this.#graph.run<object, string>(
        `${name} (again)`,
        kernel,
        params,
        Object.fromEntries(inputs),
        Object.fromEntries(shapes),
      );
      for (const [use, write] of Object.entries(writes)) copies.set(write, made[use]!);
    }
    return copies;
  }
}
