import { type ConvEpilogue, epilogueReference } from "../../kernels/lib/conv-epilogue.js";
import { narrowF16, widenF16 } from "../checkpoint/half.js";
import type { AnyKernel, Caps, DeviceRates } from "../gpu/contract.js";
import type { Gpu } from "../gpu/device.js";
import { Graph, type Node, type Tensor, tensorBytes } from "../graph/graph.js";
import { Program } from "../graph/program.js";
import { normalSource } from "../graph/run-kernel.js";
import { type ConvShape, convKey } from "../layers/conv-algorithm.js";
import type { ConvContext } from "../layers/convolution.js";
import { mpConv } from "../layers/folded.js";
import { foldWeight, WeightStore } from "../layers/weights.js";

/** Convolutions of one shape and one epilogue in a network. */
export interface Layer {
  readonly shape: ConvShape;
  readonly epilogue: ConvEpilogue["kind"];
  /** How many of them the network has. */
  readonly count: number;
}

/** The convolutions of a network, found by the nodes that write their results. */
export function layersOf(graph: Graph): Layer[] {
  const found = new Map<string, Layer>();
  const written = new Set<Tensor>();
  const producers = new Map(graph.nodes.flatMap((node) => Object.values(node.writes).map((tensor) => [tensor, node])));
  for (const node of graph.nodes) {
    const y = node.writes.y;
    const params = node.params as { epilogue?: ConvEpilogue; kernel?: 1 | 3 };
    // A large layer is computed in parts, which write into one tensor.
    if (params.epilogue === undefined || y?.shape.length !== 4 || written.has(y)) continue;
    written.add(y);
    // The operands between the nodes of a Winograd convolution are flat.
    let x = node.reads.x ?? node.reads.m;
    while (x && x.shape.length === 1) x = imageOf(producers.get(x));
    if (!x) continue;
    const [batch, outChannels, height, width] = y.shape as [number, number, number, number];
    const inChannels = x.length / (batch * height * width);
    const kernel = params.kernel ?? (node.kernel.name === "gemm" ? 1 : 3);
    const shape: ConvShape = { inChannels, outChannels, height, width, kernel };
    const key = `${convKey(shape)} ${params.epilogue.kind}`;
    const count = (found.get(key)?.count ?? 0) + node.copies;
    found.set(key, { shape, epilogue: params.epilogue.kind, count });
  }
  return [...found.values()];
}

const imageOf = (node: Node | undefined) => node?.reads.x ?? node?.reads.m;

/** Multiply-adds of the direct sum for one image. */
export function layerWork({ inChannels, outChannels, height, width, kernel }: ConvShape): number {
  return inChannels * outChannels * height * width * kernel * kernel;
}

/** A kernel that sees these choices, whatever those of the device are. */
function withTuning(kernel: AnyKernel, tuning: ReadonlyMap<string, string>): AnyKernel {
  const caps = (given: Caps): Caps => ({ ...given, tuning });
  return {
    ...kernel,
    variant: (params, given) => kernel.variant(params, caps(given)),
    grid: (params, variant, given) => kernel.grid(params, variant, caps(given)),
  };
}

/** Makes all nodes see these choices. */
export function tuneGraph(graph: Graph, tuning: ReadonlyMap<string, string>): void {
  graph.nodes.forEach((node, i) => {
    graph.nodes[i] = { ...node, kernel: withTuning(node.kernel, tuning) };
  });
}

/** The layer by itself, computed as `tuning` says. */
export function layerGraph(
  { shape, epilogue: kind }: Layer,
  batch: number,
  tuning: ReadonlyMap<string, string>,
  rates?: DeviceRates,
) {
  const { inChannels, outChannels, height, width } = shape;
  const graph = new Graph();
  const build: ConvContext = { graph, batch, tuning, rates };
  const x = graph.external("x", [batch, inChannels, height, width], "act");
  const c = kind === "scale_silu" ? graph.external("c", [batch, outChannels]) : undefined;
  const r = kind === "sum_clip" ? graph.external("r", [batch, outChannels, height, width], "act") : undefined;
  const epilogue = epilogueOf(kind, outChannels);
  const y = mpConv(build, "layer", { ...shape, weight: "w", epilogue, ...(c ? { c } : {}), ...(r ? { r } : {}) }, x);
  graph.kept.add(y);
  tuneGraph(graph, tuning);
  return { graph, x, y, externals: [x, c, r].filter((tensor): tensor is Tensor => tensor !== undefined) };
}

function epilogueOf(kind: ConvEpilogue["kind"], outChannels: number): ConvEpilogue {
  if (kind === "scale_silu") return { kind, offset: 0, stride: outChannels };
  return kind === "sum_clip" ? { kind, residual: 0.7, clip: 256 } : { kind };
}

/** Normal values repeat after this many, a prime: drawing them is slower than computing with them. */
const PERIOD = 65537;
/** Outputs that are compared with float64, the first and the last among them. */
const SAMPLES = 400;

/** A layer with random weights and inputs on the GPU, for as many ways to compute it as one likes. */
export class LayerBench {
  readonly layer: Layer;
  readonly batch: number;
  readonly #gpu: Gpu;
  readonly #weights: Float32Array<ArrayBuffer>;
  readonly #store: WeightStore;
  readonly #values = new Map<string, Float32Array>();
  readonly #buffers = new Map<string, GPUBuffer>();
  #samples: { index: number; value: number }[] | undefined;

  constructor(gpu: Gpu, layer: Layer, batch: number) {
    const { inChannels, outChannels, kernel } = layer.shape;
    this.layer = layer;
    this.batch = batch;
    this.#gpu = gpu;
    this.#weights = normalValues(outChannels * inChannels * kernel * kernel, 1);
    this.#store = new WeightStore(gpu, { readF32: async () => this.#weights });
  }

  /** @throws NcvsdError when a kernel does not compile or the memory does not suffice */
  async prepare(tuning: ReadonlyMap<string, string>) {
    const { graph, y, externals } = layerGraph(this.layer, this.batch, tuning, this.#gpu.caps.rates);
    const label = `${convKey(this.layer.shape)} at batch ${this.batch}`;
    await this.#gpu.scoped(`Preparing ${label}`, () => {
      for (const tensor of externals) this.#upload(tensor);
    });
    await this.#store.load(graph);
    const program = await Program.create(this.#gpu, {
      label,
      graph,
      constants: this.#store,
      externals: this.#buffers,
    });
    return { program, output: () => program.readTensor(y) };
  }

  #upload(tensor: Tensor): void {
    if (this.#buffers.has(tensor.name)) return;
    const gpu = this.#gpu;
    const half = tensor.type === "act" && gpu.precision === "f16";
    const drawn = normalValues(tensor.length, tensor.name.charCodeAt(0));
    const stored = half ? narrowF16(drawn) : drawn;
    const bytes = new Uint8Array(tensorBytes(tensor, gpu.precision));
    bytes.set(new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength));
    const buffer = gpu.storage(tensor.name, bytes.length);
    this.#buffers.set(tensor.name, buffer);
    this.#values.set(tensor.name, half ? widenF16(stored as Uint16Array) : drawn);
    gpu.write(buffer, bytes);
  }

  /** ||out - ref|| / ||ref|| over some outputs, the reference being the direct sum in float64. */
  sampledError(out: Float32Array): number {
    this.#samples ??= this.#reference(out.length);
    let [difference, norm] = [0, 0];
    for (const { index, value } of this.#samples) {
      difference += (out[index]! - value) ** 2;
      norm += value * value;
    }
    const error = Math.sqrt(difference / norm);
    return Number.isNaN(error) ? Number.POSITIVE_INFINITY : error;
  }

  #reference(length: number): { index: number; value: number }[] {
    const { inChannels, outChannels, height, width, kernel } = this.layer.shape;
    const x = this.#values.get("x")!;
    const [c, r] = ["c", "r"].map((name) => this.#values.get(name) ?? new Float32Array());
    const epilogue = epilogueOf(this.layer.epilogue, outChannels);
    const w = foldWeight(this.#weights, outChannels, 1);
    const half = kernel >> 1;
    const step = Math.max(1, (length - 1) / SAMPLES);
    const indices = new Set(Array.from({ length: SAMPLES + 1 }, (_, i) => Math.min(length - 1, Math.round(i * step))));
    return [...indices].map((index) => {
      const col = index % width;
      const row = Math.floor(index / width) % height;
      const o = Math.floor(index / (width * height)) % outChannels;
      const n = Math.floor(index / (width * height * outChannels));
      let sum = 0;
      for (let i = 0; i < inChannels; i++) {
        for (let ky = 0; ky < kernel; ky++) {
          for (let kx = 0; kx < kernel; kx++) {
            const [sy, sx] = [row + ky - half, col + kx - half];
            if (sy < 0 || sy >= height || sx < 0 || sx >= width) continue;
            const weight = w[((o * inChannels + i) * kernel + ky) * kernel + kx]!;
            sum += weight * x[((n * inChannels + i) * height + sy) * width + sx]!;
          }
        }
      }
      return { index, value: epilogueReference(epilogue, sum, n, o, index, c!, r!) };
    });
  }

  destroy(): void {
    this.#store.destroy();
    for (const buffer of this.#buffers.values()) this.#gpu.destroyBuffer(buffer);
    this.#buffers.clear();
    this.#gpu.flushDestroyed();
  }
}

function normalValues(length: number, seed: number): Float32Array<ArrayBuffer> {
  const values = new Float32Array(length);
  const drawn = Float32Array.from({ length: Math.min(length, PERIOD) }, normalSource(seed));
  for (let at = 0; at < length; at += PERIOD) values.set(drawn.subarray(0, length - at), at);
  return values;
}
