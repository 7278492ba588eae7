import type { Vjp } from "../../kernels/lib/vjp.js";
import { axpby } from "../../kernels/network/axpby/kernel.js";
import { bad } from "../errors.js";
import type { AnyKernel } from "../gpu/contract.js";
import type { Graph, Node, Tensor } from "./graph.js";

// biome-ignore lint/suspicious/noExplicitAny: derivatives of kernels with different parameters
export type Vjps = ReadonlyMap<AnyKernel, Vjp<any>>;

/** A derivative of several nodes at once, by the tensor that the last of them writes: a convolution, whatever its algorithm. */
export interface Rule {
  /** From the gradient of that tensor, those of what the nodes were made of. */
  pull(gradient: Tensor, wanted: (tensor: Tensor) => boolean): Iterable<readonly [tensor: Tensor, gradient: Tensor]>;
}

export interface Derivatives {
  /** Of single kernels (kernels/vjps.ts). */
  readonly vjps: Vjps;
  /** These go first. */
  readonly rules?: ReadonlyMap<Tensor, Rule>;
}

/**
 * Reverse mode: appends nodes to `graph` that compute gradients of a scalar, which itself need not be in the graph.
 * Where several gradients of a tensor meet they are added in the reverse order of the nodes that made them, so that the bits
 * are the same in every run.
 * @param seeds gradients that are there already, by tensor
 * @param wrt tensors whose gradients are asked for
 * @returns their gradients; a tensor on which no seeded one depends has none
 */
export function gradient(
  graph: Graph,
  seeds: ReadonlyMap<Tensor, Tensor>,
  wrt: readonly Tensor[],
  { vjps, rules = new Map() }: Derivatives,
): Map<Tensor, Tensor> {
  const nodes = [...graph.nodes];
  const reached = dependents(nodes, wrt);
  const totals = new Map<Tensor, Tensor>(seeds);
  const done = new Set<Rule>();
  const add = (tensor: Tensor, part: Tensor) => {
    if (!reached.has(tensor)) return;
    const before = totals.get(tensor);
    totals.set(tensor, before ? sum(graph, `d ${tensor.name} +`, before, part) : part);
  };
  for (const node of nodes.reverse()) {
    const written = Object.values(node.writes);
    if (!written.some((tensor) => totals.has(tensor) && reached.has(tensor))) continue;
    const rule = written.map((tensor) => rules.get(tensor)).find((found) => found !== undefined);
    if (rule) {
      // A layer in parts has several nodes that write its result.
      if (done.has(rule)) continue;
      done.add(rule);
      const output = written.find((tensor) => rules.get(tensor) === rule)!;
      for (const [tensor, part] of rule.pull(totals.get(output)!, (asked) => reached.has(asked))) add(tensor, part);
      continue;
    }
    if (!Object.values(node.reads).some((tensor) => reached.has(tensor))) continue;
    for (const [input, part] of Object.entries(pull(graph, node, totals, reached, vjps)))
      if (part) add(node.reads[input]!, part as Tensor);
  }
  return new Map(wrt.flatMap((tensor) => (totals.has(tensor) ? [[tensor, totals.get(tensor)!]] : [])));
}

/** All tensors that depend on one of these, and these. */
function dependents(nodes: readonly Node[], roots: readonly Tensor[]): Set<Tensor> {
  const reached = new Set(roots);
  for (const { reads, writes } of nodes)
    if (Object.values(reads).some((tensor) => reached.has(tensor)))
      for (const tensor of Object.values(writes)) reached.add(tensor);
  return reached;
}

function pull(
  tape: Graph,
  { name, kernel, params, reads, writes }: Node,
  totals: ReadonlyMap<Tensor, Tensor>,
  reached: ReadonlySet<Tensor>,
  vjps: Vjps,
) {
  const vjp = vjps.get(kernel);
  const what = `gradient: node ${name} (kernel ${kernel.name})`;
  if (!vjp) throw bad(`${what} has no derivative.`);
  if (Object.entries(writes).some(([use, tensor]) => reads[use] === tensor))
    throw bad(`${what} changes its input in place: what its derivative needs is gone.`);
  const gradients = Object.fromEntries(Object.entries(writes).map(([use, tensor]) => [use, totals.get(tensor)]));
  const wanted = (input: string) => reads[input] !== undefined && reached.has(reads[input]);
  return vjp({ tape, name: `d ${name}`, params, reads, writes, gradients, wanted });
}

/** a + b as a node. */
function sum(graph: Graph, name: string, a: Tensor, b: Tensor): Tensor {
  const params = { elements: a.length, type: a.type as "f32" | "act", alpha: 1, beta: 1 };
  return graph.run(name, axpby, params, { a, b }, { y: a.shape }).y;
}
