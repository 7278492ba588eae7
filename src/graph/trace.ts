import type { Program } from "./program.js";

/** Name of the first node of a program that writes a non-finite value with the present inputs; undefined: none does. */
export async function nonFiniteNode(program: Program): Promise<string | undefined> {
  // A tensor may be written by several nodes, a part by each: what it holds before the last is of no account.
  const lastWriter = new Map(
    program.graph.nodes.flatMap((node) => Object.values(node.writes).map((t) => [t, node] as const)),
  );
  let found: string | undefined;
  await program.trace(async (node, read) => {
    for (const tensor of Object.values(node.writes)) {
      if (lastWriter.get(tensor) !== node) continue;
      // A flat activation is an operand between the nodes of one layer: its padding may hold anything.
      if (tensor.type === "u32" || (tensor.kind === "activation" && tensor.shape.length === 1)) continue;
      const values = await read(tensor);
      const at = values.findIndex((v) => !Number.isFinite(v));
      if (at < 0) continue;
      found = node.names?.[Math.floor(at / tensor.length)] ?? node.name;
      return false;
    }
    return true;
  });
  return found;
}
