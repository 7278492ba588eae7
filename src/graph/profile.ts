import { NcvsdError } from "../errors.js";
import { nodeCost } from "./graph.js";
import type { Program } from "./program.js";

/** WebGPU allows no more in one query set. */
const MAX_QUERIES = 4096;

export interface NodeTime {
  readonly node: string;
  readonly kernel: string;
  readonly variant: string;
  /** When it began, in milliseconds after the first node did. */
  readonly startMs: number;
  readonly ms: number;
  readonly flops: number;
  readonly bytes: number;
}

/**
 * Begin and time of every node of a program on the GPU, from timestamps around a pass of its own.
 * @param host told what the host did meanwhile, in milliseconds of `performance.now()`
 * @throws BAD_ARGUMENT without `timestamp-query`.
 */
export async function profile(
  { gpu, dispatches, plan }: Program,
  host?: (part: "encode" | "submit" | "wait", begin: number, end: number) => void,
): Promise<NodeTime[]> {
  if (!gpu.device.features.has("timestamp-query")) {
    throw new NcvsdError(
      "BAD_ARGUMENT",
      `The adapter ${gpu.info.name} has no timestamp queries: nothing can be profiled.`,
    );
  }
  const total = 2 * dispatches.length;
  const resolved = gpu.createBuffer("timestamps", 8 * total, GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC);
  const querySets: GPUQuerySet[] = [];
  try {
    const times = [performance.now()];
    const encoder = gpu.device.createCommandEncoder();
    for (let first = 0; first < total; first += MAX_QUERIES) {
      const count = Math.min(MAX_QUERIES, total - first);
      const querySet = gpu.device.createQuerySet({ type: "timestamp", count });
      querySets.push(querySet);
      for (let query = 0; query < count; query += 2) {
        const { pipeline, bindGroup, grid } = dispatches[(first + query) / 2]!;
        const timestampWrites = { querySet, beginningOfPassWriteIndex: query, endOfPassWriteIndex: query + 1 };
        const pass = encoder.beginComputePass({ timestampWrites });
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, bindGroup);
        pass.dispatchWorkgroups(...grid);
        pass.end();
      }
      encoder.resolveQuerySet(querySet, 0, count, resolved, 8 * first);
    }
    const commands = encoder.finish();
    times.push(performance.now());
    gpu.device.queue.submit([commands]);
    times.push(performance.now());
    const stamps = new BigUint64Array(await gpu.read(resolved, 8 * total));
    times.push(performance.now());
    (["encode", "submit", "wait"] as const).forEach((part, i) => {
      host?.(part, times[i]!, times[i + 1]!);
    });
    return dispatches.map(({ node, variant }, i) => ({
      node: node.name,
      kernel: node.kernel.name,
      variant: variant.key,
      startMs: Number(stamps[2 * i]! - stamps[0]!) / 1e6,
      ms: Number(stamps[2 * i + 1]! - stamps[2 * i]!) / 1e6,
      ...nodeCost(node, plan.precision),
    }));
  } finally {
    for (const querySet of querySets) querySet.destroy();
    gpu.destroyBuffer(resolved);
  }
}
