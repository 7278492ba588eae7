/**
 * The middle of the decoder: at once where it fits, else with the attention over some queries at a time. Every query sees all
 * keys, so that nothing but memory changes; logits of all pairs would be 340 MiB for latents of 96x96.
 */
import { NcvsdError } from "../errors.js";
import { mib } from "../gpu/device.js";
import { Graph, type Tensor, tensorBytes } from "../graph/graph.js";
import { planMemory } from "../graph/plan.js";
import { Program } from "../graph/program.js";
import { addHead, addTail, buildMiddle, MIDDLE_ATTENTION, startGraph } from "./decoder.js";
import { attentionOperands, attentionOutput, attentionValues, settle } from "./layers.js";
import type { VaeStructure } from "./structure.js";
import { upload } from "./upload.js";
import type { Vae } from "./vae.js";

/** A feature map of one image in the host's memory. */
export interface HostMap {
  readonly data: Float32Array;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/** One raw latent [1, C, H, W] to the input of the up blocks. @param rows most rows of queries at a time */
export async function decodeMiddle(
  vae: Vae,
  latent: Float32Array,
  height: number,
  width: number,
  rows?: number,
): Promise<HostMap> {
  const { gpu, structure } = vae;
  const network = buildMiddle(structure, height, width);
  const size = { channels: structure.channels[0]!, height, width };
  if (rows !== undefined || misfit(vae, network.graph) !== undefined) {
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

async function inQueries(vae: Vae, latent: Float32Array, size: Size, rows: number): Promise<Float32Array> {
  const { gpu, structure } = vae;
  const pixels = size.height * size.width;
  const queries = chooseQueries(vae, size, Math.min(pixels, Math.ceil((rows * size.width) / 4) * 4));
  const head = buildHeadGraph(structure, size);
  return using(vae, "head of the VAE decoder", head.graph, async (program) => {
    upload(gpu, program, head.latent, latent);
    await program.run();
    const q = (await program.readTensor(head.q)).slice();
    const shared = (...tensors: readonly Tensor[]) => new Map(tensors.map((t) => [t.name, program.buffer(t)]));
    const values = new Float32Array(q.length);
    for (let first = 0; first < pixels; ) {
      // All parts of one length by one program.
      const count = Math.min(queries, pixels - first);
      const end = count === queries ? pixels - (pixels % queries) : pixels;
      const part = buildValuesGraph(size, count);
      const externals = shared(head.k, head.v);
      await using(
        vae,
        `attention over ${count} queries`,
        part.graph,
        async (attention) => {
          for (; first < end; first += count) {
            upload(gpu, attention, part.q, columns(q, pixels, first, count));
            await attention.run();
            const some = await attention.readTensor(part.values);
            for (let c = 0; c < size.channels; c++) {
              values.set(some.subarray(c * count, (c + 1) * count), c * pixels + first);
            }
          }
        },
        externals,
      );
    }
    const tail = buildTailGraph(structure, size);
    const run = async (last: Program) => {
      upload(gpu, last, tail.values, values);
      await last.run();
      return (await last.readTensor(tail.result)).slice();
    };
    return using(vae, "end of the middle of the VAE decoder", tail.graph, run, shared(head.x));
  });
}

/** The decoder up to the operands of its attention, all of which others read. */
function buildHeadGraph(structure: VaeStructure, { channels, height, width }: Size) {
  const { graph, latent } = startGraph(structure, height, width);
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
  return { graph, q: operands.q, values };
}

function buildTailGraph(structure: VaeStructure, { channels, height, width }: Size) {
  const graph = new Graph();
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
function chooseQueries(vae: Vae, size: Size, most: number): number {
  for (let queries = most; ; queries = Math.ceil(queries / 8) * 4) {
    const reason = misfit(vae, buildValuesGraph(size, queries).graph);
    if (reason === undefined) return queries;
    if (queries > 4) continue;
    throw new NcvsdError(
      "OUT_OF_MEMORY",
      `Decoding latents of ${size.height}x${size.width} with the VAE does not fit ${vae.gpu.info.name}, not even four queries of its attention at a time: ${reason}.`,
    );
  }
}

/** Why a graph does not fit the adapter, in words. */
function misfit({ gpu, weights }: Vae, graph: Graph): string | undefined {
  const { device, precision, memoryLimit = Number.POSITIVE_INFINITY, allocatedBytes } = gpu;
  const { maxStorageBufferBindingSize, maxBufferSize } = device.limits;
  const bytesOf = (tensor: Tensor) => tensorBytes(tensor, precision);
  const large = graph.tensors.find((tensor) => bytesOf(tensor) > Math.min(maxStorageBufferBindingSize, maxBufferSize));
  if (large) return `the tensor ${large.name} needs ${mib(bytesOf(large))} in one binding`;
  const plan = planMemory(graph, precision, maxBufferSize);
  const missing = graph.tensors.filter((t) => t.kind === "constant" && !weights.buffers.has(t.name));
  const needs = missing.reduce((sum, t) => sum + bytesOf(t), plan.activationBytes + plan.externalBytes);
  return 1.1 * needs > memoryLimit - allocatedBytes ? `${mib(needs)} of memory` : undefined;
}

/** Runs `action` with a program that exists as long. */
async function using<T>(
  { gpu, weights }: Vae,
  label: string,
  graph: Graph,
  action: (program: Program) => Promise<T>,
  externals: ReadonlyMap<string, GPUBuffer> = new Map(),
): Promise<T> {
  await weights.load(graph);
  const program = await Program.create(gpu, { label, graph, constants: weights.buffers, externals });
  try {
    return await action(program);
  } finally {
    program.destroy();
  }
}
