import { resample } from "../../../kernels/network/resample/kernel.js";
import { channelAffine } from "../../../kernels/vae/channel-affine/kernel.js";
import { groupFold } from "../../../kernels/vae/group-fold/kernel.js";
import { groupStats } from "../../../kernels/vae/group-stats/kernel.js";
import { matmul } from "../../../kernels/vae/matmul/kernel.js";
import { softmax } from "../../../kernels/vae/softmax/kernel.js";
import { subsample } from "../../../kernels/vae/subsample/kernel.js";
import type { Graph, Recipe, Tensor } from "../../graph/graph.js";
import { convolve } from "../../layers/convolution.js";
import { plainRecipe } from "../../layers/weights.js";

/** Groups of every group normalisation, and what is added to the variance (diffusers: norm_num_groups, norm_eps). */
export const GROUPS = 32;
export const EPS = 1e-6;

/** A feature map of one image, [1, C, H, W], in the storage type. */
export interface FeatureMap {
  readonly tensor: Tensor;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /**
   * Per channel, still to be added: biases wait for the next normalisation, whose shift takes them in, so that most of them
   * never cost a pass over memory.
   */
  readonly bias?: Recipe;
}

const pixelsOf = (map: FeatureMap) => map.height * map.width;

/** Sum of two waiting biases. */
function plus(a: Recipe | undefined, b: Recipe): Recipe {
  if (!a) return b;
  const { length } = a.sources;
  return {
    sources: [...a.sources, ...b.sources],
    make(sources) {
      const first = a.make(sources.slice(0, length));
      const second = b.make(sources.slice(length));
      return first.map((value, i) => value + second[i]!);
    },
  };
}

/**
 * Convolution of stride 1 with zero padding; its bias waits. `x` may have none waiting.
 * @param name `${name}.weight` [outChannels, inChannels, k, k] (or [out, in]) and `${name}.bias` in the checkpoint
 * @param residual is added to the result
 */
export function convolution(
  graph: Graph,
  name: string,
  layer: { readonly outChannels: number; readonly kernel: 1 | 3; readonly residual?: FeatureMap },
  x: FeatureMap,
): FeatureMap {
  if (x.bias) throw new Error(`${name}: its input has a bias waiting`);
  const { outChannels, kernel, residual } = layer;
  const { channels: inChannels, height, width } = x;
  const fanIn = inChannels * kernel ** 2;
  const weight = {
    name: `${name}.weight`,
    sources: [`${name}.weight`],
    rows: ([raw]: readonly Float32Array[], first: number, count: number) =>
      raw!.subarray(first * fanIn, (first + count) * fanIn),
  };
  const epilogue = residual ? { kind: "sum_clip" as const, residual: 1, clip: null } : { kind: "none" as const };
  const spec = { inChannels, outChannels, height, width, kernel, weight, epilogue, r: residual?.tensor };
  const tensor = convolve({ graph, batch: 1 }, name, spec, x.tensor);
  const bias = plus(residual?.bias, plainRecipe(`${name}.bias`));
  return { tensor, channels: outChannels, height, width, bias };
}

/** Adds the bias that waits, in a pass of its own. @param to where the result goes; default: a new activation */
export function settle(graph: Graph, name: string, x: FeatureMap, to?: Tensor): FeatureMap {
  const { bias, ...map } = x;
  if (!bias && !to) return map;
  const sources = bias?.sources ?? [];
  const affine = graph.constant(`${name}.affine (${sources})`, [x.channels, 2], "f32", {
    sources,
    make: (sources) => {
      const shift = bias?.make(sources);
      return Float32Array.from({ length: 2 * x.channels }, (_, i) => (i % 2 ? (shift?.[i >> 1] ?? 0) : 1));
    },
  });
  return { ...map, tensor: affineNode(graph, `${name}.bias`, x, affine, false, false, to) };
}

function affineNode(
  graph: Graph,
  name: string,
  x: FeatureMap,
  affine: Tensor,
  perImage: boolean,
  silu: boolean,
  to?: Tensor,
): Tensor {
  const { channels, height, width } = x;
  const params = { batch: 1, channels, pixels: pixelsOf(x), perImage, silu };
  const y = to ?? [1, channels, height, width];
  return graph.run(name, channelAffine, params, { x: x.tensor, affine }, { y }).y;
}

/** Scale and shift [C, 2] of the group normalisation `name` for this map, the bias that waits included. */
export function normOf(graph: Graph, name: string, x: FeatureMap): Tensor {
  const { channels } = x;
  // What waits depends on how the decoder is cut into graphs: part of the name.
  const bias = x.bias && graph.constant(`${name}.waiting (${x.bias.sources})`, [channels], "f32", x.bias);
  const vector = (part: string) => graph.constant(`${name}.${part}`, [channels], "f32", plainRecipe(`${name}.${part}`));
  const params = { batch: 1, channels, pixels: pixelsOf(x), groups: GROUPS, bias: bias !== undefined };
  const partials = graph.run(
    `${name}.stats`,
    groupStats,
    params,
    { x: x.tensor, bias },
    { partials: [groupStats.buffers(params)[2]!.length] },
  ).partials;
  const inputs = { partials, bias, gamma: vector("weight"), beta: vector("bias") };
  return graph.run(`${name}.fold`, groupFold, { ...params, eps: EPS }, inputs, { affine: [channels, 2] }).affine;
}

/** The normalised map, with SiLU if asked for. `norm` has taken in the bias that waited. */
export function normalise(graph: Graph, name: string, x: FeatureMap, norm: Tensor, silu: boolean): FeatureMap {
  const { bias: _, ...map } = x;
  return { ...map, tensor: affineNode(graph, name, x, norm, true, silu) };
}

/** First half of a ResnetBlock2D: conv1(silu(norm1(x))). */
export function resnetHead(graph: Graph, name: string, outChannels: number, x: FeatureMap, norm: Tensor): FeatureMap {
  const normal = normalise(graph, `${name}.norm1`, x, norm, true);
  return convolution(graph, `${name}.conv1`, { outChannels, kernel: 3 }, normal);
}

/** Second half: shortcut(x) + conv2(silu(norm2(h))), the shortcut a 1x1 convolution where the channels change. */
export function resnetTail(graph: Graph, name: string, h: FeatureMap, norm: Tensor, x: FeatureMap): FeatureMap {
  const outChannels = h.channels;
  const normal = normalise(graph, `${name}.norm2`, h, norm, true);
  const residual =
    x.channels === outChannels
      ? x
      : convolution(graph, `${name}.conv_shortcut`, { outChannels, kernel: 1 }, settle(graph, `${name}.in`, x));
  return convolution(graph, `${name}.conv2`, { outChannels, kernel: 3, residual }, normal);
}

export function resnet(graph: Graph, name: string, outChannels: number, x: FeatureMap): FeatureMap {
  const h = resnetHead(graph, name, outChannels, x, normOf(graph, `${name}.norm1`, x));
  return resnetTail(graph, name, h, normOf(graph, `${name}.norm2`, h), x);
}

/** Names of the four linear layers of an attention block, without prefix: diffusers renamed them once. */
export interface AttentionNames {
  readonly q: string;
  readonly k: string;
  readonly v: string;
  readonly out: string;
}

/** Queries, keys and values of an attention block, each [1, C, H, W] with no bias waiting. */
export interface AttentionOperands {
  readonly q: Tensor;
  readonly k: Tensor;
  readonly v: Tensor;
}

/** @param to where they go; default: new activations */
export function attentionOperands(
  graph: Graph,
  name: string,
  names: AttentionNames,
  x: FeatureMap,
  to?: AttentionOperands,
): AttentionOperands {
  const normal = normalise(graph, `${name}.group_norm`, x, normOf(graph, `${name}.group_norm`, x), false);
  const project = (part: keyof AttentionOperands) => {
    const layer = `${name}.${names[part]}`;
    return settle(graph, layer, convolution(graph, layer, { outChannels: x.channels, kernel: 1 }, normal), to?.[part])
      .tensor;
  };
  return { q: project("q"), k: project("k"), v: project("v") };
}

/**
 * softmax(q k^T / sqrt(C)) v for some of the queries: q [C, queries], k and v [C, keys]; both multiples of 4.
 * @param y where [C, queries] goes, or the shape of a new activation
 */
export function attentionValues(
  graph: Graph,
  name: string,
  size: { readonly channels: number; readonly keys: number; readonly queries: number },
  { q, k, v }: AttentionOperands,
  y: Tensor | readonly number[],
): Tensor {
  const { channels, keys, queries } = size;
  // Logits and weights as [key, query]: the sums over keys then run down the rows of both products' operands.
  const first = { images: 1, m: keys, k: channels, n: queries, transposed: true, scale: 1 / Math.sqrt(channels) };
  const shape = [keys, queries];
  const logits = graph.run(`${name}.logits`, matmul, first, { a: k, b: q }, { y: shape }).y;
  const columns = { images: 1, rows: keys, columns: queries };
  const weights = graph.run(`${name}.softmax`, softmax, columns, { x: logits }, { y: shape }).y;
  const second = { images: 1, m: channels, k: keys, n: queries, transposed: false, scale: 1 };
  return graph.run(`${name}.values`, matmul, second, { a: v, b: weights }, { y }).y;
}

/** The block's last layer: projects the values and adds x. */
export function attentionOutput(
  graph: Graph,
  name: string,
  names: AttentionNames,
  values: Tensor,
  x: FeatureMap,
): FeatureMap {
  const { bias: _, ...map } = x;
  const layer = { outChannels: x.channels, kernel: 1 as const, residual: x };
  return convolution(graph, `${name}.${names.out}`, layer, { ...map, tensor: values });
}

/** Attention of one head over all pixels, added to x; height times width has to be a multiple of 4. */
export function attend(graph: Graph, name: string, names: AttentionNames, x: FeatureMap): FeatureMap {
  const pixels = pixelsOf(x);
  const operands = attentionOperands(graph, name, names, x);
  const size = { channels: x.channels, keys: pixels, queries: pixels };
  const values = attentionValues(graph, name, size, operands, x.tensor.shape);
  return attentionOutput(graph, name, names, values, x);
}

/** Doubles height and width by repetition, then a 3x3 convolution. */
export function upsample(graph: Graph, name: string, x: FeatureMap): FeatureMap {
  const { channels } = x;
  const { tensor, height, width } = settle(graph, name, x);
  const params = { batch: 1, channels, height, width, filter: [1, 1], mode: "up" as const };
  const large = { height: 2 * height, width: 2 * width };
  const shape = [1, channels, large.height, large.width];
  const repeated = graph.run(`${name}.repeat`, resample, params, { x: tensor }, { y: shape }).y;
  return convolution(
    graph,
    `${name}.conv`,
    { outChannels: channels, kernel: 3 },
    { tensor: repeated, channels, ...large },
  );
}

/**
 * Halves height and width, which are even: a 3x3 convolution of stride 2 with zeros on the right and below, computed as every
 * second value of the one of stride 1.
 */
export function downsample(graph: Graph, name: string, x: FeatureMap): FeatureMap {
  const { channels } = x;
  const { tensor, height, width, bias } = convolution(
    graph,
    `${name}.conv`,
    { outChannels: channels, kernel: 3 },
    settle(graph, name, x),
  );
  const small = { height: height / 2, width: width / 2 };
  const shape = [1, channels, small.height, small.width];
  const picked = graph.run(
    `${name}.pick`,
    subsample,
    { planes: channels, height, width },
    { x: tensor },
    { y: shape },
  ).y;
  return { tensor: picked, channels, ...small, ...(bias ? { bias } : {}) };
}
