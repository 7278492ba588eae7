import { read, write } from "../../lib/buffers.js";
import { inRange } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { reference, type TokenAttentionParams } from "./reference.js";

/** qkv [N, 3 heads headDim, P] (all q, all k, all v) to y [N, heads headDim, P]. */
export const tokenAttention = elementwise<TokenAttentionParams>({
  name: "token-attention",
  group: "features",
  source,
  counts: ({ images, heads, headDim, tokens }) => ({ images, heads, headDim, tokens }),
  check({ headDim, tokens, keys = tokens }) {
    inRange("token-attention", "headDim", headDim, 1, 128);
    inRange("token-attention", "keys", keys, 1, tokens);
  },
  threads: ({ images, heads, tokens }) => images * heads * tokens,
  buffers({ images, heads, headDim, tokens }) {
    const length = images * heads * headDim * tokens;
    return [read("qkv", 3 * length), write("y", length)];
  },
  variant: ({ headDim }) => ({ key: `d${headDim}`, prelude: `const HEAD: u32 = ${headDim}u;\n` }),
  uniforms: ({ headDim, tokens, keys = tokens }) => ({ keys, scale: 1 / Math.sqrt(headDim) }),
  flops: ({ images, heads, headDim, tokens, keys = tokens }) => 4 * images * heads * headDim * tokens * keys,
  reference,
  cases: [
    { name: "one token", params: { images: 1, heads: 1, headDim: 1, tokens: 1 } },
    { name: "odd sizes", params: { images: 2, heads: 3, headDim: 5, tokens: 17 } },
    { name: "heads of 64", params: { images: 2, heads: 3, headDim: 64, tokens: 37 } },
    { name: "three tokens of padding", params: { images: 2, heads: 2, headDim: 16, tokens: 20, keys: 17 } },
    {
      name: "large logits",
      params: { images: 1, heads: 2, headDim: 8, tokens: 21 },
      inputs: (_name, length, random) => Float32Array.from({ length }, () => 6 * random()),
    },
  ],
  tolerance: { f32: 4e-6, f16: 4e-6 },
});
