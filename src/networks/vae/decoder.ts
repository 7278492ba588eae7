import { Graph, type Target, type Tensor } from "../../graph/graph.js";
import { attend, convolution, type FeatureMap, normalise, normOf, resnet, settle, upsample } from "./layers.js";
import type { VaeStructure } from "./structure.js";

export interface DecoderGraph {
  readonly graph: Graph;
  /** [1, latentChannels, H, W], in the storage type. */
  readonly latent: Tensor;
  /** What comes out, in the storage type. */
  readonly result: Tensor;
}

const MIDDLE = "decoder.mid_block";
export const MIDDLE_ATTENTION = `${MIDDLE}.attentions.0`;

/** The decoder up to the attention of its middle, at the latent's resolution: post_quant_conv, conv_in, the first ResNet. */
export function addHead(graph: Graph, structure: VaeStructure, latent: FeatureMap): FeatureMap {
  const { latentChannels, channels } = structure;
  const inner = channels[0]!;
  let x = convolution(graph, "post_quant_conv", { outChannels: latentChannels, kernel: 1 }, latent);
  x = settle(graph, "post_quant_conv", x);
  x = convolution(graph, "decoder.conv_in", { outChannels: inner, kernel: 3 }, x);
  return resnet(graph, `${MIDDLE}.resnets.0`, inner, x);
}

/** What follows the attention of the middle. */
export function addTail(graph: Graph, x: FeatureMap): FeatureMap {
  return resnet(graph, `${MIDDLE}.resnets.1`, x.channels, x);
}

function addMiddle(graph: Graph, structure: VaeStructure, latent: FeatureMap): FeatureMap {
  const x = addHead(graph, structure, latent);
  return addTail(graph, attend(graph, MIDDLE_ATTENTION, structure.attention, x));
}

export function startGraph(structure: VaeStructure, height: number, width: number, target: Target) {
  const graph = new Graph(target);
  const channels = structure.latentChannels;
  const tensor = graph.external("latent", [1, channels, height, width], "act");
  return { graph, latent: { tensor, channels, height, width } };
}

/** The middle alone, for decoding in strips: its result is [1, C, H, W] with no bias waiting. */
export function buildMiddle(structure: VaeStructure, height: number, width: number, target: Target = {}): DecoderGraph {
  const { graph, latent } = startGraph(structure, height, width, target);
  const x = addMiddle(graph, structure, latent);
  const result = graph.external("middle", x.tensor.shape, "act");
  settle(graph, MIDDLE, x, result);
  return { graph, latent: latent.tensor, result };
}

/**
 * The whole decoder of one latent of the VAE's own scale (Rombach et al. 2022; AutoencoderKL of diffusers):
 * [1, imageChannels, H * 2^(blocks - 1), W * 2^(blocks - 1)].
 */
export function buildDecoder(
  structure: VaeStructure,
  height: number,
  width: number,
  target: Target = {},
): DecoderGraph {
  const { graph, latent } = startGraph(structure, height, width, target);
  let x = addMiddle(graph, structure, latent);
  structure.channels.forEach((own, i) => {
    for (let j = 0; j < structure.resnets; j++) x = resnet(graph, `decoder.up_blocks.${i}.resnets.${j}`, own, x);
    if (i < structure.channels.length - 1) x = upsample(graph, `decoder.up_blocks.${i}.upsamplers.0`, x);
  });
  const name = "decoder.conv_norm_out";
  x = normalise(graph, name, x, normOf(graph, name, x), true);
  x = convolution(graph, "decoder.conv_out", { outChannels: structure.imageChannels, kernel: 3 }, x);
  const result = graph.external("image", [1, structure.imageChannels, x.height, x.width], "act");
  settle(graph, "decoder.conv_out", x, result);
  return { graph, latent: latent.tensor, result };
}
