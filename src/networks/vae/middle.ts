/**
 * The middle of the decoder: at once where it fits, else with the attention over some queries at a time. Every query sees all
 * keys, so that nothing but memory changes; logits of all pairs would be 340 MiB for latents of 96x96.
 */
import { NcvsdError } from "../../errors.js";
import { Graph, type Target, targetOf, tensorBytes } from "../../graph/graph.js";
import { Program } from "../../graph/program.js";
import { addHead, addTail, buildMiddle, MIDDLE_ATTENTION, startGraph } from "./decoder.js";
import { attentionOperands, attentionOutput, attentionValues, settle } from "./layers.js";
import { misfit } from "./memory.js";
import type { LoadedVae, VaeStructure } from "./structure.js";
import { upload } from "./upload.js";

/** A feature map of one image in the host's memory. */
export interface HostMap {
  readonly data: Float32Array;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/** One raw latent [1, C, H, W] to the input of the up blocks. @param rows most rows of queries at a time */
export async function decodeMiddle(
  vae: LoadedVae,
  latent: Float32Array,
  height: number,
  width: number,
  rows?: number,
): Promise<HostMap> {
  const { gpu, structure } = vae;
  const network = buildMiddle(structure, height, width, targetOf(gpu));
  const size = { channels: structure.channels[0]!, height, width };
  if (rows !== undefined || misfit(vae, network.graph, network.result) !== undefined) {
    return { ...size, data: await inQueries(vae, latent, size, rows ?? height) };
  }
  const data = await using(vae, "middle of the VAE decoder", network.graph, async (program) => {
    upload(gpu, program, network.latent, latent);
    await program.run();
    return (await program.readTensor(network.result)).slice();
  });
  return { ...size, data };
}

interface Size {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

async function inQueries(vae: LoadedVae, latent: Float32Array, size: Size, rows: number): Promise<Float32Array> {
  const { gpu, structure } = vae;
  const head = buildHeadGraph(structure, size, targetOf(gpu));
  // Buffers of their own, so that the head's memory is free before the attention's is chosen.
  const kept = new Map<string, GPUBuffer>();
  const release = (...names: readonly string[]) => {
    for (const name of names) {
      const buffer = kept.get(name);
      if (buffer) gpu.destroyBuffer(buffer);
      kept.delete(name);
    }
    gpu.flushDestroyed();
  };
  try {
    for (const tensor of [head.k, head.v, head.x]) {
      const allocate = () => gpu.storage(tensor.name, tensorBytes(tensor, gpu.precision));
      kept.set(tensor.name, await gpu.scoped(`Allocating ${tensor.name} of the VAE decoder`, allocate));
    }
    const start = async (program: Program) => {
      upload(gpu, program, head.latent, latent);
      await program.run();
      return (await program.readTensor(head.q)).slice();
    };
    const q = await using(vae, "head of the VAE decoder", head.graph, start, kept);
    const values = await valuesInQueries(vae, size, q, kept, Math.ceil((rows * size.width) / 4) * 4);
    release("k", "v");
    const tail = buildTailGraph(structure, size, targetOf(gpu));
    const end = async (program: Program) => {
      upload(gpu, program, tail.values, values);
      await program.run();
      return (await program.readTensor(tail.result)).slice();
    };
    return await using(vae, "end of the middle of the VAE decoder", tail.graph, end, kept);
  } finally {
    release(...kept.keys());
  }
}

/**
 * softmax(q k^T / sqrt(C)) v, some queries at a time: q and the result are [C, pixels].
 * @param operands the buffers of k and v [C, pixels], in the storage type
 * @param most queries at a time, a multiple of 4
 * @throws NcvsdError OUT_OF_MEMORY where four queries at a time do not fit
 */
export async function valuesInQueries(
  vae: Pick<LoadedVae, "gpu" | "weights">,
  size: Size,
  q: Float32Array,
  operands: ReadonlyMap<string, GPUBuffer>,
  most: number,
): Promise<Float32Array> {
  const pixels = size.height * size.width;
  const count = chooseQueries(vae, size, Math.min(pixels, most));
  const part = buildValuesGraph(size, count);
  const values = new Float32Array(q.length);
  const action = async (program: Program) => {
    for (let next = 0; next < pixels; next += count) {
      // The last part begins early rather than being a shorter one, which would need a program of its own.
      const first = Math.min(next, pixels - count);
      upload(vae.gpu, program, part.q, columns(q, pixels, first, count));
      await program.run();
      const some = await program.readTensor(part.values);
      for (let c = 0; c < size.channels; c++) {
        values.set(some.subarray(c * count, (c + 1) * count), c * pixels + first);
      }
    }
  };
  await using(vae, `attention over ${count} queries`, part.graph, action, operands);
  return values;
}

/** The decoder up to the operands of its attention, all of which others read. */
function buildHeadGraph(structure: VaeStructure, { channels, height, width }: Size, target: Target) {
  const { graph, latent } = startGraph(structure, height, width, target);
  const external = (name: string) => graph.external(name, [1, channels, height, width], "act");
  const to = { q: external("q"), k: external("k"), v: external("v") };
  const x = external("x");
  const map = settle(graph, "decoder.mid_block.resnets.0", addHead(graph, structure, latent), x);
  attentionOperands(graph, MIDDLE_ATTENTION, structure.attention, map, to);
  return { graph, latent: latent.tensor, x, ...to };
}

function buildValuesGraph({ channels, height, width }: Size, queries: number) {
  const graph = new Graph();
  const keys = height * width;
  const external = (name: string, count: number) => graph.external(name, [channels, count], "act");
  const operands = { q: external("q", queries), k: external("k", keys), v: external("v", keys) };
  const values = external("values", queries);
  attentionValues(graph, MIDDLE_ATTENTION, { channels, keys, queries }, operands, values);
  return { graph, ...operands, values };
}

function buildTailGraph(structure: VaeStructure, { channels, height, width }: Size, target: Target) {
  const graph = new Graph(target);
  const external = (name: string) => graph.external(name, [1, channels, height, width], "act");
  const values = external("values");
  const x = { tensor: external("x"), channels, height, width };
  const result = external("middle");
  const y = addTail(graph, attentionOutput(graph, MIDDLE_ATTENTION, structure.attention, values, x));
  settle(graph, "decoder.mid_block", y, result);
  return { graph, values, result };
}

/** `count` columns of [C, P] from column `first` on. */
function columns(data: Float32Array, pixels: number, first: number, count: number): Float32Array {
  const channels = data.length / pixels;
  const out = new Float32Array(channels * count);
  for (let c = 0; c < channels; c++) {
    out.set(data.subarray(c * pixels + first, c * pixels + first + count), c * count);
  }
  return out;
}

/** As many queries as fit, a multiple of 4 up to `most`. */
function chooseQueries(vae: Pick<LoadedVae, "gpu" | "weights">, size: Size, most: number): number {
  for (let queries = most; ; queries = Math.ceil(queries / 8) * 4) {
    const { graph, values, k, v } = buildValuesGraph(size, queries);
    const reason = misfit(vae, graph, values, { shared: [k, v] });
    if (reason === undefined) return queries;
    if (queries > 4) continue;
    throw new NcvsdError(
      "OUT_OF_MEMORY",
      `Decoding latents of ${size.height}x${size.width} with the VAE does not fit ${vae.gpu.info.name}, not even four queries of its attention at a time: ${reason}.`,
    );
  }
}

/** Runs `action` with a program that exists as long. */
async function using<T>(
  { gpu, weights }: Pick<LoadedVae, "gpu" | "weights">,
  label: string,
  graph: Graph,
  action: (program: Program) => Promise<T>,
  externals: ReadonlyMap<string, GPUBuffer> = new Map(),
): Promise<T> {
  await weights.load(graph);
  const program = await Program.create(gpu, { label, graph, constants: weights, externals });
  try {
    return await action(program);
  } finally {
    program.destroy();
  }
}
