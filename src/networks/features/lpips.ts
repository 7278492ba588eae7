import { type Checkpoint, openCheckpoint } from "../../checkpoint/index.js";
import { NcvsdError } from "../../errors.js";
import type { Gpu } from "../../gpu/device.js";
import { Graph, type Tensor } from "../../graph/graph.js";
import { type Pooled, ProgramPool } from "../../graph/pool.js";
import { Program } from "../../graph/program.js";
import { WeightStore } from "../../layers/weights.js";
import type { ImageShape } from "../session.js";
import { type Conv2dLayer, convolution, convolutionSize, pooling } from "./layers.js";
import { productConvolutions, winogradConvolution } from "./products.js";

interface Layer {
  /** In torchvision's `features`. */
  readonly index: number;
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
}

/** The network whose features are compared: those behind each block's last ReLU. */
interface Trunk {
  readonly name: "VGG16" | "AlexNet";
  readonly blocks: readonly (readonly Layer[])[];
  /** Pooling in front of the blocks behind the first; null: none. */
  readonly pools: readonly ({ readonly kernel: number; readonly stride: number } | null)[];
  /** Of what is in front of the last block, something must be left. */
  readonly leastSide: number;
  /** Values are clipped to [0, 1] first. */
  readonly clips: boolean;
}

const three = (...indices: number[]) => indices.map((index) => ({ index, kernel: 3, stride: 1, padding: 1 }));
const halved = { kernel: 2, stride: 2 };
const overlapping = { kernel: 3, stride: 2 };

const VGG16: Trunk = {
  name: "VGG16",
  blocks: [three(0, 2), three(5, 7), three(10, 12, 14), three(17, 19, 21), three(24, 26, 28)],
  pools: [halved, halved, halved, halved],
  leastSide: 16,
  clips: true,
};

const ALEX_NET: Trunk = {
  name: "AlexNet",
  blocks: [
    [{ index: 0, kernel: 11, stride: 4, padding: 2 }],
    [{ index: 3, kernel: 5, stride: 1, padding: 2 }],
    ...[6, 8, 10].map((index) => three(index)),
  ],
  pools: [overlapping, overlapping, null, null],
  leastSide: 31,
  clips: false,
};

/** Mean and standard deviation of ImageNet's channels, for values in [0, 1]. */
const MEAN = [0.485, 0.456, 0.406];
const STD = [0.229, 0.224, 0.225];
const EPS = 1e-10;
/** Layers of so few channels average no rounding out: they are summed as if in twice the precision. */
const NARROW = 16;

/** Under which names files keep a block's convolution and its linear weights (torchvision, lpips, taming-transformers). */
const convNames = (block: number, index: number) => [
  `features.${index}`,
  `net.slice${block + 1}.${index}`,
  `vgg.features.${index}`,
  `vgg.slice${block + 1}.${index}`,
  `slice${block + 1}.${index}`,
];
const linNames = (block: number) => [
  `lin${block}.model.1.weight`,
  `lins.${block}.model.1.weight`,
  `lin${block}.weight`,
  // A list without names.
  `${block}`,
];

interface Prepared extends Pooled {
  readonly program: Program;
  readonly images: Tensor;
  readonly features: readonly Tensor[];
}

/**
 * LPIPS (Zhang et al. 2018). With VGG16 as the reference evaluates it with piq: values mapped to [0, 1], clipped and
 * normalised for ImageNet; features after the last ReLU of each block normalised per position over the channels
 * (x / (norm + 1e-10)); squared differences weighted by the file's linear layers, averaged over positions, summed over blocks.
 * Between blocks it averages 2x2 pixels ("mean", the reference's replace_pooling) or takes their maximum ("max", the original
 * VGG16). With AlexNet as the package `lpips` (0.1) does by default: not clipped, always maxima.
 * The convolutions run on the GPU. The network is told by its first convolution.
 */
export class Lpips {
  readonly #gpu: Gpu;
  readonly #file: Checkpoint;
  readonly #weights: WeightStore;
  readonly #linear: readonly Float32Array[];
  readonly #trunk: Trunk;
  readonly #mode: "mean" | "max";
  /** By batch and size. */
  readonly #idle: ProgramPool<string, Prepared>;

  private constructor(gpu: Gpu, file: Checkpoint, trunk: Trunk, linear: readonly Float32Array[], mode: "mean" | "max") {
    this.#gpu = gpu;
    this.#file = file;
    this.#weights = new WeightStore(gpu, file);
    this.#linear = linear;
    this.#trunk = trunk;
    this.#mode = trunk === VGG16 ? mode : "max";
    this.#idle = new ProgramPool(gpu);
    gpu.onClose(() => void file.close());
  }

  /**
   * @param paths convolutions of VGG16 or AlexNet and LPIPS's five linear layers: in one file, or the trunk (torchvision's
   *   `vgg16-*.pth`, `alexnet-*.pth`) and the layers (lpips's `vgg.pth`, `alex.pth`, piq's list of five tensors) in two; safetensors or torch.save, read as data
   * @throws NcvsdError BAD_CHECKPOINT when one is missing or misshapen
   */
  static async open(gpu: Gpu, paths: readonly string[], mode: "mean" | "max"): Promise<Lpips> {
    const file = await together(paths);
    try {
      const linear: Float32Array[] = [];
      const [, [, , side]] = found(file, convNames(0, 0), ".weight");
      const trunk = side === ALEX_NET.blocks[0]![0]!.kernel ? ALEX_NET : VGG16;
      for (const [block, layers] of trunk.blocks.entries()) {
        const [, shape] = found(file, convNames(block, layers.at(-1)!.index), ".weight");
        const [name] = found(file, linNames(block), "");
        linear.push(await file.readF32(name, { weights: true }));
        if (linear.at(-1)!.length !== shape[0])
          throw missing(file, `${name} has ${linear.at(-1)!.length} weights for ${shape[0]} channels`);
      }
      return new Lpips(gpu, file, trunk, linear, mode);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** SHA-256 of the weights. */
  sha256(): Promise<string> {
    return this.#file.sha256();
  }

  /**
   * Distances of N images from their truths; 0 for identical ones.
   * @param x, truth N*C*H*W values in [-1, 1]; grey is repeated
   * @throws NcvsdError BAD_ARGUMENT for images below 16x16, of AlexNet 31x31
   */
  async distances(x: Float32Array, truth: Float32Array, shape: ImageShape): Promise<Float64Array> {
    const [c, h, w] = shape;
    const { name, leastSide, clips } = this.#trunk;
    if (Math.min(h, w) < leastSide)
      throw new NcvsdError(
        "BAD_ARGUMENT",
        `--lpips with ${name} needs images of at least ${leastSide}x${leastSide}, not ${w}x${h}`,
      );
    const batch = x.length / (c * h * w);
    const key = `${batch}x${h}x${w}`;
    const prepared = this.#idle.take(key) ?? (await this.#prepare(batch, h, w));
    const { program, images, features } = prepared;
    const read = async (values: Float32Array) => {
      this.#gpu.write(program.buffer(images), forImageNet(values, shape, clips));
      await program.run();
      const maps: Float32Array[] = [];
      for (const f of features) maps.push(await this.#gpu.readF32(program.buffer(f), f.length));
      return maps;
    };
    let [a, b]: Float32Array[][] = [[], []];
    try {
      [a, b] = [await read(x), await read(truth)];
    } finally {
      this.#idle.give(key, prepared);
    }
    const sum = new Float64Array(batch);
    features.forEach((f, block) => {
      const [, channels, rows, columns] = f.shape as [number, number, number, number];
      blockDistances(a[block]!, b[block]!, this.#linear[block]!, channels, rows * columns).forEach((d, n) => {
        sum[n]! += d;
      });
    });
    return sum;
  }

  async #prepare(batch: number, h: number, w: number): Promise<Prepared> {
    const graph = new Graph();
    const images = graph.external("images", [batch, 3, h, w]);
    const features: Tensor[] = [];
    let x = images;
    for (const [block, layers] of this.#trunk.blocks.entries()) {
      const pool = block > 0 ? this.#trunk.pools[block - 1] : null;
      if (pool) x = pooling(graph, `pool${block}`, { mode: this.#mode, ...pool }, x);
      for (const [i, { index, kernel, stride, padding }] of layers.entries()) {
        const [name, shape] = found(this.#file, convNames(block, index), ".weight");
        const [outChannels = 0, inside] = shape;
        const wanted = [x.shape[1]!, kernel, kernel];
        if (shape.length !== 4 || inside !== wanted[0] || shape[2] !== kernel || shape[3] !== kernel)
          throw missing(
            this.#file,
            `${name}.weight is [${shape.join(", ")}] where [.., ${wanted.join(", ")}] is needed`,
          );
        const precise = outChannels <= NARROW;
        const layer: Conv2dLayer = { name, outChannels, kernel, stride, padding, activation: "relu", precise };
        const { outHeight, outWidth } = convolutionSize(layer, x);
        const size = [batch, outChannels, outHeight, outWidth];
        const last = i === layers.length - 1;
        x = this.#convolution(graph, layer, x, last ? graph.external(`features ${block}`, size) : size);
        if (last) features.push(x);
      }
    }
    await this.#weights.load(graph);
    const program = await Program.create(this.#gpu, {
      label: `LPIPS at batch ${batch}`,
      graph,
      constants: this.#weights,
    });
    return { program, images, features, bytes: program.bytes, destroy: () => program.destroy() };
  }

  #convolution(graph: Graph, layer: Conv2dLayer, x: Tensor, to: Tensor | readonly number[]): Tensor {
    const { caps, precision } = this.#gpu;
    if (layer.precise || !caps.software || precision !== "f32") return convolution(graph, layer, x, to);
    return layer.kernel === 3
      ? winogradConvolution(graph, { layer, to }, x)
      : productConvolutions(graph, [{ layer, to }], x)[0]!;
  }
}

/** Several files as one; a tensor is the first one's that has it. */
async function together(paths: readonly string[]): Promise<Checkpoint> {
  const files: Checkpoint[] = [];
  const close = async () => {
    await Promise.all(files.map((file) => file.close()));
  };
  try {
    for (const path of paths) files.push(await openCheckpoint(path, { ofAnyKind: true }));
  } catch (error) {
    await close();
    throw error;
  }
  const [first, ...more] = files;
  if (more.length === 0) return first!;
  const of = (name: string) => files.find((file) => file.tensors.has(name)) ?? first!;
  return {
    name: files.map(({ name }) => name).join(" and "),
    metadata: {},
    tensors: new Map(files.toReversed().flatMap((file) => [...file.tensors])),
    readBytes: (name) => of(name).readBytes(name),
    readF32: (name, options) => of(name).readF32(name, options),
    sha256: async () => (await Promise.all(files.map((file) => file.sha256()))).join("+"),
    close,
  };
}

const missing = (file: Checkpoint, what: string) =>
  new NcvsdError("BAD_CHECKPOINT", `${file.name} holds no weights of LPIPS with VGG16 or AlexNet: ${what}`);

/** The first of the names that the file has, and its shape. */
function found(file: Checkpoint, names: readonly string[], ending: string): [name: string, shape: readonly number[]] {
  const name = names.find((n) => file.tensors.has(n + ending));
  if (name === undefined) throw missing(file, `neither ${names.map((n) => n + ending).join(" nor ")} is there`);
  return [name, file.tensors.get(name + ending)!.shape];
}

/** [-1, 1] to three channels normalised for ImageNet. */
function forImageNet(values: Float32Array, [c, h, w]: ImageShape, clips: boolean): Float32Array {
  const plane = h * w;
  const batch = values.length / (c * plane);
  const out = new Float32Array(batch * 3 * plane);
  for (let n = 0; n < batch; n++)
    for (let ch = 0; ch < 3; ch++)
      for (let p = 0; p < plane; p++) {
        const value = values[(n * c + Math.min(ch, c - 1)) * plane + p]! / 2 + 0.5;
        const v = clips ? Math.min(Math.max(value, 0), 1) : value;
        out[(n * 3 + ch) * plane + p] = (v - MEAN[ch]!) / STD[ch]!;
      }
  return out;
}

/** Mean over the positions of sum_c w_c (a_c / |a| - b_c / |b|)^2, per image. */
function blockDistances(
  a: Float32Array,
  b: Float32Array,
  weights: Float32Array,
  channels: number,
  positions: number,
): Float64Array {
  const batch = a.length / (channels * positions);
  return Float64Array.from({ length: batch }, (_, n) => {
    let total = 0;
    for (let p = 0; p < positions; p++) {
      const at = n * channels * positions + p;
      let [aa, bb] = [0, 0];
      for (let c = 0; c < channels; c++) {
        aa += a[at + c * positions]! ** 2;
        bb += b[at + c * positions]! ** 2;
      }
      const [na, nb] = [Math.sqrt(aa) + EPS, Math.sqrt(bb) + EPS];
      for (let c = 0; c < channels; c++)
        total += weights[c]! * (a[at + c * positions]! / na - b[at + c * positions]! / nb) ** 2;
    }
    return total / positions;
  });
}
