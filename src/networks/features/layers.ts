import { conv2d } from "../../../kernels/features/conv2d/kernel.js";
import { conv2dWeightLength, packConv2dWeight } from "../../../kernels/features/conv2d/weight.js";
import { layerNorm } from "../../../kernels/features/layer-norm/kernel.js";
import { pool2d } from "../../../kernels/features/pool2d/kernel.js";
import { tokenAttention } from "../../../kernels/features/token-attention/kernel.js";
import type { ChannelRange } from "../../../kernels/lib/channel-range.js";
import { outputSize } from "../../../kernels/lib/window.js";
import type { Graph, Tensor } from "../../graph/graph.js";
import { plainRecipe } from "../../layers/weights.js";

/**
 * Layers of feature networks over [N, C, H, W] tensors, all f32: features do not depend on the plan's precision. The pixels of
 * a transformer are its tokens, so that a linear layer on every token is a convolution of kernel 1.
 */

export interface Conv2dLayer {
  /** `${name}.weight` [outChannels, Cin, kh, kw] and `${name}.bias` [outChannels] in the checkpoint. */
  readonly name: string;
  readonly outChannels: number;
  /** Height and width, or one number for both. */
  readonly kernel: number | readonly [number, number];
  /** Default 1. */
  readonly stride?: number;
  /** Zeros on each side; default none. */
  readonly padding?: number | readonly [number, number];
  readonly activation?: "none" | "relu";
  /** The channels are these of the tensor that they are written to. */
  readonly into?: ChannelRange;
  /** Sums that lose less to rounding; default plain ones. */
  readonly precise?: boolean;
}

/** Convolution, bias and activation. */
export function convolution(graph: Graph, layer: Conv2dLayer, x: Tensor, to?: Tensor | readonly number[]): Tensor {
  return apply(graph, layer, x, x.shape as Shape, to);
}

/** Height and width of a layer's result. */
export function convolutionSize({ kernel, stride = 1, padding = 0 }: Conv2dLayer, x: Tensor) {
  const [, , height, width] = x.shape as Shape;
  const [kernelHeight, kernelWidth] = pair(kernel);
  const [padHeight, padWidth] = pair(padding);
  return outputSize({ height, width, kernelHeight, kernelWidth, stride, padHeight, padWidth });
}

/** Linear layer on the flattened (channel, row, column) values of every image: a 1x1 convolution of one pixel. */
export function dense(
  graph: Graph,
  layer: { readonly name: string; readonly outFeatures: number; readonly activation?: "none" | "relu" },
  x: Tensor,
  to?: Tensor,
): Tensor {
  const { name, outFeatures, activation = "none" } = layer;
  const batch = x.shape[0]!;
  const flat: Shape = [batch, x.length / batch, 1, 1];
  return apply(graph, { name, outChannels: outFeatures, kernel: 1, activation }, x, flat, to);
}

type Shape = readonly [batch: number, channels: number, height: number, width: number];

/** @param to where the result goes, or the shape of a new activation; default: one of the layer's size */
function apply(
  graph: Graph,
  layer: Conv2dLayer,
  x: Tensor,
  shape: Shape,
  to: Tensor | readonly number[] | undefined,
): Tensor {
  const { name, outChannels, kernel, stride = 1, padding = 0, activation = "none", into, precise } = layer;
  const [batch, inChannels, height, width] = shape;
  const [kernelHeight, kernelWidth] = pair(kernel);
  const [padHeight, padWidth] = pair(padding);
  const taps = kernelHeight * kernelWidth;
  const w = graph.constant(`${name}.weight`, [conv2dWeightLength(outChannels, inChannels, taps)], "f32", {
    sources: [`${name}.weight`],
    make: ([raw]) => packConv2dWeight(raw!, outChannels, inChannels, taps),
  });
  const b = graph.constant(`${name}.bias`, [outChannels], "f32", plainRecipe(`${name}.bias`));
  const window = { height, width, kernelHeight, kernelWidth, stride, padHeight, padWidth };
  const { outHeight, outWidth } = outputSize(window);
  const params = {
    batch,
    inChannels,
    outChannels,
    activation,
    ...window,
    ...(into ? { into } : {}),
    ...(precise ? { precise } : {}),
  };
  return graph.run(name, conv2d, params, { x, w, b }, { y: to ?? [batch, outChannels, outHeight, outWidth] }).y;
}

/** Pooling; the border that fills no window is dropped, and what is padded takes no part in a mean. */
export function pooling(
  graph: Graph,
  name: string,
  layer: {
    readonly mode: "max" | "mean";
    readonly kernel: number;
    readonly stride: number;
    /** Pixels on each side; default none. */
    readonly padding?: number;
    /** The channels are these of `to`. */
    readonly into?: ChannelRange;
  },
  x: Tensor,
  to?: Tensor,
): Tensor {
  const [batch, channels, height, width] = x.shape as [number, number, number, number];
  const { mode, kernel, stride, padding: pad = 0, into } = layer;
  const window = { height, width, kernelHeight: kernel, kernelWidth: kernel, stride, padHeight: pad, padWidth: pad };
  const { outHeight, outWidth } = outputSize(window);
  const params = { mode, planes: batch * channels, ...window, ...(into ? { into: { ...into, channels } } : {}) };
  return graph.run(name, pool2d, params, { x }, { y: to ?? [batch, channels, outHeight, outWidth] }).y;
}

/** Layer normalisation over the channels of every token, with `${name}.weight` and `${name}.bias` [C] of the checkpoint. */
export function layerNormalisation(
  graph: Graph,
  { name, eps = 1e-6 }: { readonly name: string; readonly eps?: number },
  x: Tensor,
  to?: Tensor,
): Tensor {
  const [images = 0, channels = 0] = x.shape;
  const [gamma, beta] = ["weight", "bias"].map((part) =>
    graph.constant(`${name}.${part}`, [channels], "f32", plainRecipe(`${name}.${part}`)),
  );
  const params = { images, channels, tokens: x.length / (images * channels), eps };
  return graph.run(name, layerNorm, params, { x, gamma, beta }, { y: to ?? x.shape }).y;
}

/**
 * Self-attention over tokens as vision transformers have it: the layers `${name}.qkv` (all q, all k, all v, each of `heads`
 * heads) and `${name}.proj` of the checkpoint, with the products between them.
 */
export function selfAttention(
  graph: Graph,
  { name, heads }: { readonly name: string; readonly heads: number },
  x: Tensor,
): Tensor {
  const [images = 0, channels = 0] = x.shape;
  const qkv = convolution(graph, { name: `${name}.qkv`, outChannels: 3 * channels, kernel: 1 }, x);
  const params = { images, heads, headDim: channels / heads, tokens: x.length / (images * channels) };
  const { y } = graph.run(name, tokenAttention, params, { qkv }, { y: x.shape });
  return convolution(graph, { name: `${name}.proj`, outChannels: channels, kernel: 1 }, y);
}

export function pair(value: number | readonly [number, number]): readonly [number, number] {
  return typeof value === "number" ? [value, value] : value;
}
