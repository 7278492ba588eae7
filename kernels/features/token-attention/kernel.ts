import { type Caps, grid1d, type Kernel, type Variant } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { addressable, inRange, positiveInteger } from "../../lib/check.js";
import exp from "../../lib/exp.wgsl.js";
import source from "./kernel.wgsl.js";
import plain from "./plain.wgsl.js";
import { reference, type TokenAttentionParams } from "./reference.js";
import { SUBGROUP_CHANNELS, SUBGROUP_QUERIES, subgroupSource } from "./subgroup.js";

function bySubgroups({ headDim, tokens }: TokenAttentionParams, caps: Caps): boolean {
  const { software, subgroups, subgroupMinSize, subgroupMaxSize } = caps;
  const lanes = software && subgroups && subgroupMinSize === 8 && subgroupMaxSize === 8;
  return lanes && headDim <= SUBGROUP_CHANNELS && tokens % 4 === 0;
}

/** qkv [N, 3 heads headDim, P] (all q, all k, all v) to y [N, heads headDim, P]. */
export const tokenAttention: Kernel<TokenAttentionParams> = {
  name: "token-attention",
  source: [
    { file: "kernels/lib/exp.wgsl", text: exp },
    { file: "kernels/features/token-attention/kernel.wgsl", text: source },
  ],
  check(params) {
    const { images, heads, headDim, tokens, keys = tokens } = params;
    for (const name of ["images", "heads", "headDim", "tokens"] as const)
      positiveInteger("token-attention", name, params[name]);
    inRange("token-attention", "headDim", headDim, 1, 128);
    inRange("token-attention", "keys", keys, 1, tokens);
    addressable("token-attention", "qkv", 3, images, heads, headDim, tokens);
  },
  buffers({ images, heads, headDim, tokens }) {
    const length = images * heads * headDim * tokens;
    return [read("qkv", 3 * length), write("y", length)];
  },
  variant(params, caps): Variant {
    const head = `const HEAD: u32 = ${params.headDim}u;\n`;
    const key = `d${params.headDim}`;
    return bySubgroups(params, caps)
      ? { key: `${key} subgroup8`, prelude: `${head}alias Element = vec4f;\n${subgroupSource()}`, needs: ["subgroups"] }
      : { key, prelude: `${head}alias Element = f32;\n${plain}` };
  },
  uniforms: ({ images, heads, headDim, tokens, keys = tokens }) => ({
    threads: images * heads * tokens,
    heads,
    allHeads: images * heads,
    tokens,
    quads: Math.floor(tokens / 4),
    keys,
    scale: 1 / Math.sqrt(headDim),
  }),
  grid(params, _variant, caps) {
    const { images, heads, tokens } = params;
    return bySubgroups(params, caps)
      ? grid1d(images * heads * Math.ceil(tokens / SUBGROUP_QUERIES), 1, caps)
      : grid1d(images * heads * tokens, 64, caps);
  },
  cost({ images, heads, headDim, tokens, keys = tokens }) {
    const length = images * heads * headDim * tokens;
    return { flops: 4 * length * keys, bytes: 16 * length };
  },
  reference,
  cases: [
    { name: "one token", params: { images: 1, heads: 1, headDim: 1, tokens: 1 } },
    { name: "odd sizes", params: { images: 2, heads: 3, headDim: 5, tokens: 17 } },
    { name: "heads of 64", params: { images: 2, heads: 3, headDim: 64, tokens: 37 } },
    { name: "three tokens of padding", params: { images: 2, heads: 2, headDim: 16, tokens: 20, keys: 17 } },
    { name: "several tiles of whole quads", params: { images: 2, heads: 2, headDim: 64, tokens: 76, keys: 74 } },
    {
      name: "large logits of whole quads",
      params: { images: 1, heads: 2, headDim: 8, tokens: 72, keys: 69 },
      inputs: (_name, length, random) => Float32Array.from({ length }, () => 6 * random()),
    },
    {
      name: "large logits",
      params: { images: 1, heads: 2, headDim: 8, tokens: 21 },
      inputs: (_name, length, random) => Float32Array.from({ length }, () => 6 * random()),
    },
  ],
  tolerance: { f32: 4e-6, f16: 4e-6 },
};
