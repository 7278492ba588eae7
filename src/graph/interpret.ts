import { bad } from "../errors.js";
import type { Graph, Tensor } from "./graph.js";

/**
 * Runs a graph node by node in float64 through its kernels' references: what a device should compute, without one.
 * @param given values of external and constant tensors, by name
 * @returns every tensor's values
 */
export function interpret(graph: Graph, given: ReadonlyMap<string, ArrayLike<number>>): Map<Tensor, ArrayLike<number>> {
  const values = new Map<Tensor, ArrayLike<number>>();
  for (const tensor of graph.tensors)
    if (tensor.kind !== "activation") values.set(tensor, given.get(tensor.name) ?? []);
  for (const { name, kernel, params, reads, writes } of graph.nodes) {
    const inputs = Object.fromEntries(Object.entries(reads).map(([use, tensor]) => [use, values.get(tensor)!]));
    for (const [use, { length }] of Object.entries(reads))
      if (inputs[use]?.length !== length)
        throw bad(`interpret: node ${name} reads ${use} (${reads[use]!.name}), which was not given.`);
    const outputs = kernel.reference(params as never, inputs);
    for (const [use, tensor] of Object.entries(writes)) values.set(tensor, merged(outputs[use]!, values.get(tensor)));
  }
  return values;
}

/** A node that writes a part of its tensor leaves NaN elsewhere: what other nodes wrote stays. */
function merged(written: Float64Array, before: ArrayLike<number> | undefined): Float64Array {
  if (before?.length !== written.length) return written;
  return written.map((value, i) => (Number.isNaN(value) ? before[i]! : value));
}
