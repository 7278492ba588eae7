import { convWeightBackward } from "../../kernels/network/conv-weight-backward/kernel.js";
import type { Tensor } from "../graph/graph.js";
import type { ConvShape } from "./conv-algorithm.js";
import type { ConvContext } from "./convolution.js";

/**
 * Weight gradient of a convolution (stride 1, zero padding), summed over the batch:
 * dw[o,c,i,j] = sum over n, h, w of g[n,o,h,w] x[n,c,h+i-p,w+j-p], p = (kernel - 1) / 2.
 * @param x [N, inChannels, H, W]  @param g [N, outChannels, H, W]  @returns [outChannels, inChannels, kernel, kernel] f32
 */
export function convWeightGradient(
  { graph, batch }: ConvContext,
  name: string,
  shape: ConvShape,
  x: Tensor,
  g: Tensor,
): Tensor {
  const { inChannels, outChannels, height, width, kernel } = shape;
  const params = { batch, inChannels, outChannels, height, width, kernel };
  return graph.run(name, convWeightBackward, params, { x, g }, { dw: [outChannels, inChannels, kernel, kernel] }).dw;
}
