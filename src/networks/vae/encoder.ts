import { Graph, type Target, type Tensor } from "../../graph/graph.js";
import { attend, convolution, downsample, type FeatureMap, normalise, normOf, resnet, settle } from "./layers.js";
import type { VaeStructure } from "./structure.js";

export interface EncoderGraph {
  readonly graph: Graph;
  /** [1, imageChannels, H, W], in the storage type. */
  readonly image: Tensor;
  /** [1, 2 * latentChannels, H / factor, W / factor]: means, then logarithms of variances. */
  readonly moments: Tensor;
}

/** The encoder for one picture (AutoencoderKL of diffusers). Height and width are multiples of 2^(blocks - 1). */
export function buildEncoder(
  structure: VaeStructure,
  height: number,
  width: number,
  target: Target = {},
): EncoderGraph {
  const { imageChannels, latentChannels, channels, resnets, attention } = structure;
  const graph = new Graph(target);
  const image = graph.external("image", [1, imageChannels, height, width], "act");
  const widths = channels.toReversed();
  const input: FeatureMap = { tensor: image, channels: imageChannels, height, width };
  let x = convolution(graph, "encoder.conv_in", { outChannels: widths[0]!, kernel: 3 }, input);
  widths.forEach((own, i) => {
    for (let j = 0; j < resnets - 1; j++) x = resnet(graph, `encoder.down_blocks.${i}.resnets.${j}`, own, x);
    if (i < widths.length - 1) x = downsample(graph, `encoder.down_blocks.${i}.downsamplers.0`, x);
  });
  const inner = widths.at(-1)!;
  x = resnet(graph, "encoder.mid_block.resnets.0", inner, x);
  x = attend(graph, "encoder.mid_block.attentions.0", attention, x);
  x = resnet(graph, "encoder.mid_block.resnets.1", inner, x);
  const name = "encoder.conv_norm_out";
  x = normalise(graph, name, x, normOf(graph, name, x), true);
  x = convolution(graph, "encoder.conv_out", { outChannels: 2 * latentChannels, kernel: 3 }, x);
  x = settle(graph, "encoder.conv_out", x);
  x = convolution(graph, "quant_conv", { outChannels: 2 * latentChannels, kernel: 1 }, x);
  const moments = graph.external("moments", x.tensor.shape, "act");
  settle(graph, "quant_conv", x, moments);
  return { graph, image, moments };
}
