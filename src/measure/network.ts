import { openCheckpoint } from "../checkpoint/index.js";
import { NcvsdError } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import { Program } from "../graph/program.js";
import { normalSource } from "../graph/run-kernel.js";
import { nonFiniteNode } from "../graph/trace.js";
import { WeightStore } from "../layers/weights.js";
import { parseConfig } from "../networks/edm2/config.js";
import { validateTensors } from "../networks/edm2/names.js";
import { type BuildOptions, buildNetwork, type NetworkGraph } from "../networks/edm2/network.js";
import { multiplyAdds } from "../networks/edm2/presets.js";
import { networkFile } from "../networks/edm2/published.js";
import { labelRows } from "../networks/inputs.js";
import type { Stopwatch } from "../runs/stopwatch.js";
import { hasTimestamps, type Peak, type Timeline, timeline } from "./peaks.js";

/** Times in milliseconds over all runs. */
export interface Spread {
  readonly median: number;
  readonly min: number;
}

/** What evaluating a network costs. */
export type NetworkTimes = Awaited<ReturnType<typeof measureNetwork>>;

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}

/**
 * Reads a checkpoint's head and plans its network, before a GPU is looked for: what is wrong is told first.
 * @throws NcvsdError BAD_CHECKPOINT; BAD_ARGUMENT for a batch whose tensors no kernel can index
 */
export async function planNetwork(
  path: string,
  batch: number,
  options: Pick<BuildOptions, "tuning" | "rates" | "bindingBytes" | "merged"> = {},
) {
  const checkpoint = await openCheckpoint(networkFile(path));
  try {
    const { architecture, config } = parseConfig(checkpoint);
    validateTensors(checkpoint, architecture, config);
    return {
      network: buildNetwork(architecture, config, batch, options),
      flops: 2 * batch * multiplyAdds(architecture, config),
    };
  } catch (cause) {
    if (!(cause instanceof NcvsdError) || cause.code !== "BAD_ARGUMENT" || batch === 1) throw cause;
    const reason = cause.message.replace(/\.$/, "");
    const message = `--batch ${batch} is too large for this network (${reason}): give a smaller one.`;
    throw new NcvsdError("BAD_ARGUMENT", message, { cause });
  } finally {
    await checkpoint.close();
  }
}

/**
 * A network made ready for one batch, its weights and inputs uploaded, evaluated once. `watch` gets the parts' times.
 * @throws NcvsdError OUT_OF_MEMORY, NOT_FINITE
 */
export async function startNetwork(gpu: Gpu, path: string, network: NetworkGraph, watch: Stopwatch): Promise<Program> {
  return (await startNetworks(gpu, path, [network], watch))[0]!;
}

/** The same for several plans of one checkpoint, which share their weights. */
export async function startNetworks(
  gpu: Gpu,
  path: string,
  networks: readonly NetworkGraph[],
  watch: Stopwatch,
): Promise<Program[]> {
  const checkpoint = await openCheckpoint(networkFile(path));
  const weights = new WeightStore(gpu, checkpoint);
  try {
    for (const { graph } of networks) await weights.load(graph);
  } finally {
    await checkpoint.close();
  }
  watch.lap("weights");
  const programs: Program[] = [];
  for (const network of networks) programs.push(await startProgram(gpu, network, weights, watch));
  return programs;
}

async function startProgram(gpu: Gpu, network: NetworkGraph, weights: WeightStore, watch: Stopwatch): Promise<Program> {
  const label = `The network at batch ${network.batch}`;
  const options = { label, graph: network.graph, constants: weights };
  const program = await Program.create(gpu, options).catch((cause) => {
    if (!(cause instanceof NcvsdError) || cause.code !== "OUT_OF_MEMORY" || network.batch === 1) throw cause;
    throw new NcvsdError(cause.code, `${cause.message.replace(/\.$/, "")}: give a smaller --batch.`, { cause });
  });
  watch.lap("pipelines");
  const random = normalSource(1);
  const { x, condX, sigma, condSigma, labels, denoised, batch } = network;
  for (const image of [x, condX])
    if (image) gpu.write(program.buffer(image), Float32Array.from({ length: image.length }, random));
  for (const level of [sigma, condSigma]) if (level) gpu.write(program.buffer(level), new Float32Array(batch).fill(1));
  if (labels) gpu.write(program.buffer(labels), labelRows([0], batch, labels.length / batch));
  await program.run();
  const values = await program.readTensor(denoised);
  watch.lap("first evaluation");
  if (values.some((v) => !Number.isFinite(v))) {
    const node = await nonFiniteNode(program);
    const message = `The evaluation is not finite, first at node ${node ?? "precond_out"}: check the checkpoint, or use --precision f32.`;
    throw new NcvsdError("NOT_FINITE", message);
  }
  return program;
}

/** Submits evaluations, with timestamps around all of one where the adapter has them (else `gpu` is NaN). Milliseconds. */
export function replayOf(program: Program) {
  const { gpu } = program;
  const count = 2;
  const querySet = hasTimestamps(gpu) ? gpu.device.createQuerySet({ type: "timestamp", count }) : undefined;
  const stamps = gpu.createBuffer("timestamps", 8 * count, GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC);
  const timestampWrites = querySet && { querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 };
  return async () => {
    const start = performance.now();
    const encoder = gpu.device.createCommandEncoder();
    const pass = encoder.beginComputePass(timestampWrites ? { timestampWrites } : {});
    program.encode(pass);
    pass.end();
    if (querySet) encoder.resolveQuerySet(querySet, 0, count, stamps, 0);
    gpu.device.queue.submit([encoder.finish()]);
    const host = performance.now() - start;
    await gpu.idle();
    const wall = performance.now() - start;
    const [begin, end] = new BigUint64Array(await gpu.read(stamps, 8 * count));
    return { host, wall, gpu: querySet ? Number(end! - begin!) / 1e6 : Number.NaN };
  };
}

/**
 * Measures evaluations, their nodes and the adapter's peaks in turns, so that other load meets them all alike. What only the
 * GPU's clock can tell is null on an adapter without timestamp queries.
 */
export async function measureNetwork(
  program: Program,
  about: { net: string; batch: number; flops: number; runs: number },
  peaks: readonly Peak[],
) {
  const { gpu } = program;
  const { net, batch, flops, runs } = about;
  const replay = replayOf(program);
  await replay();
  const times: Awaited<ReturnType<typeof replay>>[] = [];
  const profiles: Timeline[] = [];
  let allocations = 0;
  for (let run = 0; run < runs; run++) {
    const before = gpu.allocations;
    times.push(await replay());
    allocations += gpu.allocations - before;
    profiles.push(await timeline(program));
    for (const peak of peaks) await peak.measure();
  }
  const spread = (values: number[]): Spread => ({ median: median(values), min: Math.min(...values) });
  const wallMs = spread(times.map((t) => t.wall));
  const stamped = hasTimestamps(gpu);
  const sumOf = ({ nodes }: Timeline) => nodes.reduce((sum, { ms }) => sum + ms, 0);
  const kernelSumMs = stamped ? median(profiles.map(sumOf)) : null;
  return {
    net,
    batch,
    runs,
    wallMs,
    gpuMs: stamped ? spread(times.map((t) => t.gpu)) : null,
    msPerImage: wallMs.median / batch,
    /** Operations of one evaluation, convolutions as direct sums. */
    gflop: flops / 1e9,
    gflopsPerSecond: flops / wallMs.median / 1e6,
    /** Until an evaluation is submitted. */
    hostMs: median(times.map((t) => t.host)),
    /** Each node in a pass of its own, which adds to the time of small ones: the sum may exceed an evaluation's. */
    kernelSumMs,
    wallOverSum: kernelSumMs === null ? null : wallMs.median / kernelSumMs,
    /** GPU buffers created by the evaluations after the first. */
    allocations,
    /** Medians, in the order of execution. */
    nodes: profiles[0]!.nodes.map((node, i) => ({ ...node, ms: median(profiles.map(({ nodes }) => nodes[i]!.ms)) })),
    /** The run whose nodes took the least. */
    timeline: profiles.reduce((a, b) => (sumOf(b) < sumOf(a) ? b : a)),
  };
}
