import { bad } from "../errors.js";
import { type Graph, type Tensor, whole } from "./graph.js";

/**
 * Runs a graph node by node in float64 through its kernels' references: what a device should compute, without one.
 * @param given values of external and constant tensors, by name; of copies one after another
 * @returns every tensor's values, but for those that are parts of others
 */
export function interpret(graph: Graph, given: ReadonlyMap<string, ArrayLike<number>>): Map<Tensor, ArrayLike<number>> {
  const values = new Map<Tensor, ArrayLike<number>>();
  for (const tensor of graph.tensors)
    if (tensor.kind !== "activation") values.set(tensor, given.get(tensor.name) ?? []);
  const span = ({ view, length }: Tensor, copy: number) => {
    const from = ((view?.first ?? 0) + copy) * length;
    return [from, from + length] as const;
  };
  for (const { name, kernel, params, copies, reads, writes } of graph.nodes)
    for (let copy = 0; copy < copies; copy++) {
      const inputs: Record<string, ArrayLike<number>> = {};
      for (const [use, tensor] of Object.entries(reads)) {
        const all = values.get(whole(tensor));
        if (all?.length !== whole(tensor).copies * tensor.length)
          throw bad(`interpret: node ${name} reads ${use} (${tensor.name}), which was not given.`);
        const one = whole(tensor).copies === 1;
        inputs[use] = one ? all : Array.prototype.slice.call(all, ...span(tensor, copy));
      }
      const outputs = kernel.reference(params as never, inputs);
      for (const [use, tensor] of Object.entries(writes)) {
        const target = whole(tensor);
        const before = values.get(target);
        const all = new Float64Array(target.copies * target.length).fill(Number.NaN);
        all.set(outputs[use]!, span(tensor, copy)[0]);
        values.set(target, merged(all, before));
      }
    }
  return values;
}

/** A node that writes a part of its tensor leaves NaN elsewhere: what other nodes wrote stays. */
function merged(written: Float64Array, before: ArrayLike<number> | undefined): Float64Array {
  if (before?.length !== written.length) return written;
  return written.map((value, i) => (Number.isNaN(value) ? before[i]! : value));
}
