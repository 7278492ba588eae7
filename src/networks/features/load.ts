import { type Checkpoint, type CheckpointInput, type FetchOptions, openCheckpoint } from "../../checkpoint/index.js";
import { besideInput, openSource } from "../../checkpoint/source.js";
import { bad, checkKeys, NcvsdError } from "../../errors.js";
import type { Precision } from "../../gpu/contract.js";
import type { Gpu } from "../../gpu/device.js";
import { Graph, type Tensor } from "../../graph/graph.js";
import { type Pooled, ProgramPool } from "../../graph/pool.js";
import { Program } from "../../graph/program.js";
import { type WeightSource, WeightStore } from "../../layers/weights.js";
import { type Dinov2Config, dinov2Graph, PATCH } from "./dinov2.js";
import { type Dinov2File, dinov2File } from "./dinov2-weights.js";
import { INCEPTION_SIDE, inceptionGraph } from "./inception.js";
import { type InceptionFile, inceptionFile } from "./inception-weights.js";
import { TensorHash } from "./named-tensors.js";
import { type Preparation, prepared } from "./preparation.js";

/** Of a file behind an address also how it is fetched, as for `loadModel`. */
export interface LoadFeaturesOptions extends FetchOptions {
  /**
   * How pictures are resized and scaled, a property of the evaluation and not of the file. Inception: "nvidia" (default; the
   * original FID, EDM2, StyleGAN) or "pytorch-fid". DINOv2: "hub" (default; the authors' code, EDM2), "pil" (Pillow's resizing
   * in 8 bits) or "huggingface" (positions resized by the grids' ratio alone, as its newer versions do).
   */
  readonly variant?: string;
}

export interface FeatureInput {
  /** 8-bit pictures, 0 to 255, [N, C, H, W]; a fourth channel is dropped, a single one repeated. */
  readonly images: Uint8Array;
  /** [N, C, H, W] with 1, 3 or 4 channels; any size. */
  readonly shape: readonly [batch: number, channels: number, height: number, width: number];
}

/** A feature network of an evaluation on a device. */
export interface FeatureNetwork {
  /** "inception-v3-fid", "dinov2-vitl14", "dinov2-vits14-reg4", … */
  readonly name: string;
  /** Length of a feature vector. */
  readonly dims: number;
  readonly variant: string;
  /** Of the tensors: the same in every container and layout. */
  readonly sha256: string;
  /**
   * Features [N, dims], in float32: of Inception the means of the last block, of DINOv2 the normalised class token. A picture's
   * features do not depend on the others.
   * @throws BAD_ARGUMENT when images and shape do not fit together, NOT_FINITE when a feature is none
   */
  features(input: FeatureInput): Promise<Float32Array>;
  close(): Promise<void>;
}

/** What the two kinds of network have in common: a graph for a batch of prepared pictures. */
export interface FeatureModel {
  readonly name: string;
  readonly dims: number;
  readonly variants: readonly [string, ...string[]];
  /** Most pictures of one submission. */
  readonly most: number;
  source(hash: TensorHash): WeightSource;
  preparation(variant: string): Preparation;
  build(graph: Graph, variant: string, batch: number, height: number, width: number): { images: Tensor; y: Tensor };
}

/**
 * Opens a feature network of FID or FD-DINOv2 in any layout in which it is published: Inception-v3 as NVIDIA's pickle or
 * TorchScript or as pytorch-fid's file, DINOv2 (S, B, L, g; with registers; with SwiGLU) as `dinov2_*_pretrain.pth` in Hugging
 * Face's layout or in timm's. It is recognised by names and shapes of its tensors.
 * @throws BAD_CHECKPOINT when the file holds none of these, or another network of the kind; BAD_ARGUMENT for a variant that it
 *   does not have
 */
export async function loadFeatures(
  gpu: Gpu,
  input: CheckpointInput,
  options: LoadFeaturesOptions = {},
): Promise<FeatureNetwork> {
  checkKeys("loadFeatures", options, { variant: true, signal: true, onBytes: true, sha256: true, offline: true });
  const { variant: wanted, ...fetching } = options;
  const network = await openFeatureNetwork(gpu, input, wanted, fetching);
  const { name, dims, variant, sha256 } = network;
  return {
    name,
    dims,
    variant,
    sha256,
    features: (pictures) => network.features(pictures),
    close: () => network.close(),
  };
}

/** The network itself, which also takes prepared pictures. */
export async function openFeatureNetwork(
  gpu: Gpu,
  input: CheckpointInput,
  variant?: string,
  fetching: FetchOptions = {},
): Promise<OpenNetwork> {
  const file = await openCheckpoint(input, { ...fetching, ofAnyKind: true });
  try {
    const model = await featureModel({ software: gpu.caps.software, precision: gpu.precision }, file, input);
    const chosen = variant ?? model.variants[0];
    if (!model.variants.includes(chosen))
      throw bad(`${model.name} has no variant ${JSON.stringify(chosen)}: there is ${model.variants.join(", ")}`);
    return await OpenNetwork.open(gpu, file, model, chosen);
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** What a feature network's graph depends on. */
interface Adapter {
  readonly software: boolean;
  readonly precision: Precision;
}

/** The network that a file holds. @throws BAD_CHECKPOINT when it holds none that is known, or not all of it */
export async function featureModel(adapter: Adapter, file: Checkpoint, input: CheckpointInput): Promise<FeatureModel> {
  const inception = inceptionFile(file);
  if (inception) return inceptionModel(adapter, inception);
  const dinov2 = dinov2File(file);
  if (dinov2) return dinov2Model(adapter, dinov2, await headsOf(file, dinov2, input));
  const names = [...file.tensors.keys()];
  const lpips = names.some((name) => /(^|\.)features\.(28|10)\.weight$/.test(name) || /^lin\d/.test(name));
  const what = lpips
    ? "it holds weights of LPIPS, which gives distances of pairs and no features"
    : `its tensors (${names.slice(0, 3).join(", ")}${names.length > 3 ? ", ..." : ""}) are neither those of Inception-v3 of FID nor of DINOv2`;
  throw new NcvsdError("BAD_CHECKPOINT", `${file.name} holds no feature network that is known: ${what}`);
}

function inceptionModel(adapter: Adapter, { widths, dims, source }: InceptionFile): FeatureModel {
  return {
    name: "inception-v3-fid",
    dims,
    variants: ["nvidia", "pytorch-fid"],
    most: 8,
    source,
    preparation: (variant) => ({ size: [INCEPTION_SIDE, INCEPTION_SIDE], rule: variant as "nvidia" | "pytorch-fid" }),
    build: (graph, _variant, batch) =>
      inceptionGraph(graph, batch, widths, adapter.software && adapter.precision === "f32"),
  };
}

/** Names of the published sizes, by width. */
const SIZES: Readonly<Record<number, string>> = { 384: "vits", 768: "vitb", 1024: "vitl", 1536: "vitg" };
/** Side of the pictures that EDM2's metric gives to DINOv2. */
const SIDE = 16 * PATCH;

function dinov2Model(adapter: Adapter, { config, source }: Dinov2File, heads: number): FeatureModel {
  const { width, registers } = config;
  const whole: Dinov2Config = { ...config, heads };
  return {
    name: `dinov2-${SIZES[width] ?? `vit${width}x${config.blocks}-`}14${registers > 0 ? `-reg${registers}` : ""}`,
    dims: width,
    variants: ["hub", "pil", "huggingface"],
    most: 4,
    source,
    preparation: (variant) => ({ size: [SIDE, SIDE], rule: variant === "pil" ? "pil" : "imagenet" }),
    build: (graph, variant, batch, height, pixels) =>
      dinov2Graph(graph, whole, {
        batch,
        height,
        width: pixels,
        positions: variant === "huggingface" ? "by-size" : "hub",
        products: adapter.precision === "f32",
      }),
  };
}

/** Width of a head of every published network. */
const HEAD = 64;

/** Heads that no shape tells: the file's own metadata, config.json beside it, or heads of 64. */
async function headsOf(file: Checkpoint, { config }: Dinov2File, input: CheckpointInput): Promise<number> {
  const { width } = config;
  const told = numberOfHeads(file.metadata.config) ?? (width % HEAD === 0 ? undefined : await headsBeside(input));
  const heads = told ?? width / HEAD;
  if (Number.isInteger(heads) && heads > 0 && width % heads === 0 && width / heads <= 128) return heads;
  const why =
    told === undefined
      ? `its width ${width} is no multiple of ${HEAD}, and no config.json beside it says num_attention_heads`
      : `${told} heads do not divide its width ${width}`;
  throw new NcvsdError("BAD_CHECKPOINT", `${file.name}: how many heads this DINOv2 has is not known: ${why}`);
}

async function headsBeside(input: CheckpointInput): Promise<number | undefined> {
  const own = /([^/\\]+)\.safetensors$/.exec(String(input))?.[1];
  for (const name of ["config.json", ...(own ? [`${own}.config.json`] : [])]) {
    const beside = await besideInput(input, name);
    const text = beside === undefined ? undefined : await textOf(beside);
    const heads = numberOfHeads(text);
    if (heads !== undefined) return heads;
  }
  return undefined;
}

async function textOf(input: CheckpointInput): Promise<string | undefined> {
  try {
    const source = await openSource(input);
    try {
      return new TextDecoder().decode(await source.read(0, Math.min(source.size, 2 ** 20)));
    } finally {
      await source.close();
    }
  } catch {
    return undefined;
  }
}

function numberOfHeads(text: string | undefined): number | undefined {
  try {
    const config = JSON.parse(text ?? "null") as Record<string, unknown> | null;
    const heads = config?.num_heads ?? config?.num_attention_heads;
    return typeof heads === "number" ? heads : undefined;
  } catch {
    return undefined;
  }
}

interface Prepared extends Pooled {
  readonly program: Program;
  readonly images: Tensor;
  readonly y: Tensor;
}

class OpenNetwork {
  readonly name: string;
  readonly dims: number;
  readonly variant: string;
  sha256 = "";
  readonly #gpu: Gpu;
  readonly #file: Checkpoint;
  readonly #model: FeatureModel;
  readonly #weights: WeightStore;
  readonly #hash = new TensorHash();
  /** By batch and size. */
  readonly #idle: ProgramPool<string, Prepared>;
  readonly #forget: () => void;

  private constructor(gpu: Gpu, file: Checkpoint, model: FeatureModel, variant: string) {
    this.name = model.name;
    this.dims = model.dims;
    this.variant = variant;
    this.#gpu = gpu;
    this.#file = file;
    this.#model = model;
    this.#weights = new WeightStore(gpu, model.source(this.#hash));
    this.#idle = new ProgramPool(gpu);
    this.#forget = gpu.onClose(() => void file.close());
  }

  /** All weights are read here, once. */
  static async open(gpu: Gpu, file: Checkpoint, model: FeatureModel, variant: string): Promise<OpenNetwork> {
    const network = new OpenNetwork(gpu, file, model, variant);
    const { size } = model.preparation(variant);
    try {
      const graph = new Graph();
      model.build(graph, variant, 1, ...size);
      await network.#weights.load(graph);
      network.sha256 = await network.#hash.sha256();
      return network;
    } catch (error) {
      await network.close();
      throw error;
    }
  }

  async features({ images, shape }: FeatureInput): Promise<Float32Array> {
    const [batch, channels, height, width] = checkedShape(this.name, images, shape);
    const { size, rule } = this.#model.preparation(this.variant);
    const one = channels * height * width;
    const out = new Float32Array(batch * this.dims);
    for (let first = 0; first < batch; first += this.#model.most) {
      const count = Math.min(this.#model.most, batch - first);
      const values = new Float32Array(count * 3 * size[0] * size[1]);
      for (let n = 0; n < count; n++) {
        const image = images.subarray((first + n) * one, (first + n + 1) * one);
        values.set(prepared(image, [channels, height, width], { size, rule }), (n * values.length) / count);
      }
      out.set(await this.evaluate(values, count, ...size), first * this.dims);
    }
    const wrong = out.findIndex((v) => !Number.isFinite(v));
    if (wrong >= 0)
      throw new NcvsdError(
        "NOT_FINITE",
        `feature ${wrong % this.dims} of picture ${Math.floor(wrong / this.dims)} of ${this.name} is ${out[wrong]}: check the network's file`,
      );
    return out;
  }

  /** Features of pictures that are resized and normalised already, [N, 3, H, W]; of Inception 299x299. */
  async evaluate(values: Float32Array, batch: number, height: number, width: number): Promise<Float32Array> {
    if (this.#idle.closed) throw bad(`The feature network ${this.name} is closed: open it again.`);
    const key = `${batch}x${height}x${width}`;
    const ready = this.#idle.take(key) ?? (await this.#prepare(batch, height, width));
    try {
      this.#gpu.write(ready.program.buffer(ready.images), values);
      await ready.program.run();
      return await this.#gpu.readF32(ready.program.buffer(ready.y), batch * this.dims);
    } finally {
      this.#idle.give(key, ready);
    }
  }

  async #prepare(batch: number, height: number, width: number): Promise<Prepared> {
    const graph = new Graph();
    const { images, y } = this.#model.build(graph, this.variant, batch, height, width);
    await this.#weights.load(graph);
    const label = `${this.name} at batch ${batch}`;
    const program = await Program.create(this.#gpu, { label, graph, constants: this.#weights });
    return { program, images, y, bytes: program.bytes, destroy: () => program.destroy() };
  }

  async close(): Promise<void> {
    this.#forget();
    this.#idle.close();
    this.#weights.destroy();
    await this.#file.close();
  }
}

function checkedShape(name: string, images: Uint8Array, shape: FeatureInput["shape"]) {
  const [batch, channels, height, width] = shape;
  if (shape.length !== 4 || !shape.every((n) => Number.isInteger(n) && n > 0))
    throw bad(`the shape of pictures is [N, C, H, W] of positive integers, not [${[...shape].join(", ")}]`);
  if (![1, 3, 4].includes(channels))
    throw bad(`${name} takes pictures of 3 channels (or 1, repeated, or 4, the last dropped), not ${channels}`);
  if (!(images instanceof Uint8Array || (images as unknown) instanceof Uint8ClampedArray))
    throw bad(`${name} takes pictures of 8 bits, as a Uint8Array with values from 0 to 255`);
  const length = batch * channels * height * width;
  if (images.length !== length)
    throw bad(`${images.length} values are no pictures of [${shape.join(", ")}], which have ${length}`);
  return [batch, channels, height, width] as const;
}
