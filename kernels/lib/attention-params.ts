import type { SourcePart } from "../../src/gpu/contract.js";
import text from "./attention-params.wgsl.js";

/** `struct Params` of attention and of the kernels over pairs of its backward pass. */
export const attentionParams: SourcePart = { file: "kernels/lib/attention-params.wgsl", text };

/** Its members. */
export function attentionUniforms(sizes: {
  readonly batch: number;
  readonly heads: number;
  readonly headDim: number;
  readonly pixels: number;
}) {
  const { batch, heads, headDim, pixels } = sizes;
  return {
    headDim,
    pixels,
    quads: Math.ceil(pixels / 4),
    heads: batch * heads,
    scale: 1 / Math.sqrt(headDim),
    invDim: 1 / headDim,
  };
}
