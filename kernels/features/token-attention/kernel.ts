import { grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { addressable, inRange, positiveInteger } from "../../lib/check.js";
import source from "./kernel.wgsl.js";
import { reference, type TokenAttentionParams } from "./reference.js";

/** qkv [N, 3 heads headDim, P] (all q, all k, all v) to y [N, heads headDim, P]. */
export const tokenAttention: Kernel<TokenAttentionParams> = {
  name: "token-attention",
  source: [{ file: "kernels/features/token-attention/kernel.wgsl", text: source }],
  check(params) {
    const { images, heads, headDim, tokens } = params;
    for (const name of ["images", "heads", "headDim", "tokens"] as const)
      positiveInteger("token-attention", name, params[name]);
    inRange("token-attention", "headDim", headDim, 1, 128);
    addressable("token-attention", "qkv", images, 3, heads, headDim, tokens);
  },
  buffers({ images, heads, headDim, tokens }) {
    const length = images * heads * headDim * tokens;
    return [read("qkv", 3 * length), write("y", length)];
  },
  variant: ({ headDim }) => ({ key: `d${headDim}`, prelude: `const HEAD: u32 = ${headDim}u;\n` }),
  uniforms: ({ images, heads, headDim, tokens }) => ({ images, heads, tokens, scale: 1 / Math.sqrt(headDim) }),
  grid: ({ images, heads, tokens }, _variant, caps) => grid1d(images * heads * tokens, 64, caps),
  cost({ images, heads, headDim, tokens }) {
    const length = images * heads * headDim * tokens;
    return { flops: 4 * length * tokens, bytes: 16 * length };
  },
  reference,
  cases: [
    { name: "one token", params: { images: 1, heads: 1, headDim: 1, tokens: 1 } },
    { name: "odd sizes", params: { images: 2, heads: 3, headDim: 5, tokens: 17 } },
    { name: "heads of 64", params: { images: 2, heads: 3, headDim: 64, tokens: 37 } },
    {
      name: "large logits",
      params: { images: 1, heads: 2, headDim: 8, tokens: 21 },
      inputs: (_name, length, random) => Float32Array.from({ length }, () => 6 * random()),
    },
  ],
  tolerance: { f32: 4e-6, f16: 4e-6 },
};
