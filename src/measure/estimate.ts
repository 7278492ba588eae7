import type { Gpu } from "../gpu/device.js";
import { type Graph, type Node, nodeCost } from "../graph/graph.js";
import { prepareKernel } from "../graph/run-kernel.js";

/** Kernels that together take less than this of the arithmetic and of the traffic are not measured. */
const SHARE = 0.02;
/** FLOPs per byte from which a kernel's time is told by its arithmetic, not by what it moves. */
const DENSE = 4;

/**
 * About how long one evaluation of a network takes on this adapter, in seconds, without its weights: the largest node of every
 * kernel that matters is run twice on constant values, and the others of that kernel are taken to be as fast.
 */
export async function estimateEvaluation(gpu: Gpu, graph: Graph): Promise<number> {
  const groups = new Map<string, { node: Node; work: number; sum: number; dense: boolean }>();
  const all = graph.nodes.map((node) => ({ node, ...nodeCost(node, gpu.precision) }));
  const [flops, bytes] = [all.reduce((s, c) => s + c.flops, 0), all.reduce((s, c) => s + c.bytes, 0)];
  for (const cost of all) {
    const { name } = cost.node.kernel;
    const dense = groups.get(name)?.dense ?? cost.flops > DENSE * cost.bytes;
    const work = dense ? cost.flops : cost.bytes;
    const group = groups.get(name);
    if (!group) groups.set(name, { node: cost.node, work, sum: work, dense });
    else Object.assign(group, { sum: group.sum + work }, work > group.work ? { node: cost.node, work } : {});
  }
  let [seconds, told, rest] = [0, 0, 0];
  for (const { node, work, sum, dense } of groups.values()) {
    const share = sum / (dense ? flops : bytes);
    if (share < SHARE) {
      rest += share;
      continue;
    }
    seconds += node.copies * (await secondsOf(gpu, node)) * (sum / work);
    told += share;
  }
  return told > 0 ? seconds * (1 + rest / told) : 0;
}

async function secondsOf(gpu: Gpu, { name, kernel, params }: Node): Promise<number> {
  const { program } = await prepareKernel(gpu, kernel, {
    name,
    params,
    inputs: (_name, length) => new Float32Array(length).fill(0.5),
  });
  try {
    // The first run touches the memory and may still compile.
    await program.run();
    await gpu.idle();
    const begun = performance.now();
    await program.run();
    await gpu.idle();
    return (performance.now() - begun) / 1000;
  } finally {
    program.destroy();
  }
}
