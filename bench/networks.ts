/** The networks that are measured, made ready and checked. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { openCheckpoint } from "../src/checkpoint/index.js";
import type { Gpu } from "../src/gpu/device.js";
import { Program } from "../src/graph/program.js";
import { relativeError } from "../src/graph/run-kernel.js";
import { WeightStore } from "../src/layers/weights.js";
import { replayOf } from "../src/measure/network.js";
import { timeline } from "../src/measure/peaks.js";
import type { Architecture, NetworkConfig } from "../src/networks/edm2/arguments.js";
import { parseConfig } from "../src/networks/edm2/config.js";
import { buildNetwork } from "../src/networks/edm2/network.js";
import { multiplyAdds, parameterCount } from "../src/networks/edm2/presets.js";
import { labelRows } from "../src/networks/inputs.js";
import { networkInput, randomWeights, SMALL_UNET, type SmallUnetReference } from "./random-network.js";

// Of the bundle in .cache/bench/, and of the source for tests.
const root = new URL(import.meta.url.includes("/.cache/") ? "../../" : "../", import.meta.url);
export const BUNDLED = fileURLToPath(new URL("weights/ncvsd-fashion32.safetensors", root));
const REFERENCE = fileURLToPath(new URL("bench/small-unet.json", root));

export interface Network {
  readonly program: Program;
  readonly batch: number;
  /** Of one evaluation, convolutions as direct sums. */
  readonly flops: number;
  /** ||out - ref|| / ||ref|| of F against float64; null: there is no recording for it here. */
  readonly error: number | null;
  /** Of the checkpoint. */
  readonly parameters: number;
  /** Values in and out. */
  readonly elements: number;
}

export interface Plan {
  readonly architecture: Architecture;
  readonly config: NetworkConfig;
  readonly batch: number;
}

/** Calls `lap` after each part of the work. The weights stay in `store` for other batches of the same network. */
export async function startNetwork(
  gpu: Gpu,
  plan: Plan,
  store: WeightStore,
  lap: (part: string) => void = () => {},
): Promise<Network & { readonly x: Float32Array; readonly denoised: Float32Array }> {
  const { architecture, config, batch } = plan;
  const { tuning, rates } = gpu.caps;
  const network = buildNetwork(architecture, config, batch, { tuning, rates });
  await store.load(network.graph);
  lap("weights");
  const options = { label: `${architecture} at batch ${batch}`, graph: network.graph, constants: store.buffers };
  const program = await Program.create(gpu, options);
  lap("pipelines");
  const x = networkInput(network.x.length);
  for (const image of [network.x, network.condX]) if (image) gpu.write(program.buffer(image), x);
  const ones = new Float32Array(batch).fill(1);
  for (const level of [network.sigma, network.condSigma]) if (level) gpu.write(program.buffer(level), ones);
  const { labels } = network;
  if (labels) gpu.write(program.buffer(labels), labelRows([0], batch, labels.length / batch));
  await program.run();
  const denoised = await program.readTensor(network.denoised);
  lap("first evaluation");
  const { name } = gpu.info;
  if (denoised.some((v) => !Number.isFinite(v))) throw new Error(`${options.label} on ${name} is not finite`);
  if (denoised.every((v) => v === denoised[0])) throw new Error(`${options.label} on ${name} gives a constant`);
  return {
    program,
    batch,
    flops: 2 * batch * multiplyAdds(architecture, config),
    error: null,
    parameters: parameterCount(architecture, config),
    elements: (network.condX ? 3 : 2) * x.length,
    x,
    denoised,
  };
}

/** The random U-Net of the comparison, batch 1, checked against float64. */
export async function startSmallUnet(gpu: Gpu, lap?: (part: string) => void): Promise<Network> {
  const plan: Plan = { architecture: "edm2", config: SMALL_UNET, batch: 1 };
  const store = new WeightStore(gpu, randomWeights("edm2", SMALL_UNET));
  const { denoised, x, ...network } = await startNetwork(gpu, plan, store, lap);
  const { sigma, f } = JSON.parse(readFileSync(REFERENCE, "utf8")) as SmallUnetReference;
  const bytes = Uint8Array.from(Buffer.from(f, "base64"));
  // D = c_skip x + c_out F: the error is that of F, which is all that the network computes.
  const q = sigma ** 2 + SMALL_UNET.sigma_data ** 2;
  const skip = SMALL_UNET.sigma_data ** 2 / q;
  const out = (sigma * SMALL_UNET.sigma_data) / Math.sqrt(q);
  const found = Float64Array.from(denoised, (d, i) => (d - skip * x[i]!) / out);
  return { ...network, error: relativeError(found, new Float32Array(bytes.buffer)) };
}

/** The bundled NCVSD network; test/networks/network.test.ts compares it with recordings. */
export async function startBundled(gpu: Gpu, batch: number, lap?: (part: string) => void): Promise<Network> {
  const checkpoint = await openCheckpoint(BUNDLED);
  try {
    const { architecture, config } = parseConfig(checkpoint);
    const store = new WeightStore(gpu, checkpoint);
    return await startNetwork(gpu, { architecture, config, batch }, store, lap);
  } finally {
    await checkpoint.close();
  }
}

export interface NetworkSpec {
  readonly name: string;
  start(gpu: Gpu, lap?: (part: string) => void): Promise<Network>;
}

export const NETWORKS: readonly NetworkSpec[] = [
  { name: "small U-Net, batch 1", start: startSmallUnet },
  { name: "bundled, batch 16", start: (gpu, lap) => startBundled(gpu, 16, lap) },
];

/** One evaluation in one pass, then one with its nodes in passes of their own. */
export interface Evaluation {
  /** From the host's first call until it knows that the GPU is done. */
  readonly wallMs: number;
  /** By timestamps around the pass; NaN without them. */
  readonly gpuMs: number;
  /** Until the evaluation is submitted. */
  readonly hostMs: number;
  /** Sum over the nodes. */
  readonly kernelSumMs: number;
  /** GPU buffers created by the first of the two. */
  readonly allocations: number;
}

export function evaluationOf({ program }: Network): () => Promise<Evaluation> {
  const replay = replayOf(program);
  const { gpu } = program;
  return async () => {
    const before = gpu.allocations;
    const { wall, host, gpu: gpuMs } = await replay();
    const allocations = gpu.allocations - before;
    const { nodes } = await timeline(program);
    const kernelSumMs = nodes.reduce((sum, { ms }) => sum + ms, 0);
    return { wallMs: wall, gpuMs, hostMs: host, kernelSumMs, allocations };
  };
}
