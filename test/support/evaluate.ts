import type { Gpu } from "../../src/gpu/device.js";
import type { Graph, Tensor } from "../../src/graph/graph.js";
import { interpret } from "../../src/graph/interpret.js";
import { Program } from "../../src/graph/program.js";

type Values = ArrayLike<number>;

/** The values of some tensors of a graph: in float64 through the references, or from the device. */
export async function evaluate(
  gpu: Gpu | undefined,
  graph: Graph,
  given: ReadonlyMap<string, Values>,
  wanted: readonly Tensor[],
): Promise<Values[]> {
  for (const tensor of wanted) if (tensor.kind === "activation") graph.kept.add(tensor);
  if (!gpu) {
    const all = interpret(graph, given);
    return wanted.map((tensor) => all.get(tensor)!);
  }
  const program = await Program.create(gpu, { label: "case", graph });
  try {
    for (const tensor of graph.tensors) {
      const values = given.get(tensor.name);
      if (tensor.kind !== "external" || values === undefined) continue;
      gpu.write(program.buffer(tensor), tensor.type === "u32" ? Uint32Array.from(values) : Float32Array.from(values));
    }
    await program.run();
    const found: Values[] = [];
    for (const tensor of wanted) found.push(await program.readTensor(tensor));
    return found;
  } finally {
    program.destroy();
  }
}
