import { grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { checkAttention, paddedPixels } from "../../lib/attention-backward.js";
import { attentionRows } from "../../lib/attention-rows.js";
import { read, write } from "../../lib/buffers.js";
import { perInvocation } from "../../lib/entry.js";
import source from "./kernel.wgsl.js";
import { type AttentionBackwardParams, reference } from "./reference.js";

/** qkv [N, heads * d * 3, P], y and its gradient g [N, heads * d, P] to norms [N * heads, 4, padded P]: r of q, k, v, and e. */
export const attentionBackwardNorms: Kernel<AttentionBackwardParams> = {
  name: "attention-backward-norms",
  source: [perInvocation(32), { file: "kernels/network/attention-backward-norms/kernel.wgsl", text: source }],
  check: (params) => checkAttention("attention-backward-norms", params),
  buffers(params) {
    const { batch, heads, headDim, pixels } = params;
    const length = batch * heads * headDim * pixels;
    return [
      read("qkv", 3 * length, "act"),
      read("y", length, "act"),
      read("g", length, "act"),
      write("norms", batch * heads * 4 * paddedPixels(params)),
    ];
  },
  variant({ pixels }, caps) {
    const rows = attentionRows({ pixels, reads: ["qkv", "y", "g"], writes: [] }, caps);
    return { key: rows.key, prelude: rows.text };
  },
  uniforms: ({ batch, heads, headDim, pixels }) => ({
    headDim,
    pixels,
    quads: Math.ceil(pixels / 4),
    threads: batch * heads * Math.ceil(pixels / 4),
    invDim: 1 / headDim,
  }),
  grid: ({ batch, heads, pixels }, _variant, caps) => grid1d(batch * heads * Math.ceil(pixels / 4), 32, caps),
  cost(params, bytesPerAct) {
    const { batch, heads, headDim, pixels } = params;
    const elements = batch * heads * headDim * pixels;
    return { flops: 8 * elements, bytes: 5 * bytesPerAct * elements + 16 * batch * heads * paddedPixels(params) };
  },
  reference,
  cases: [
    { name: "one of everything", params: { batch: 1, heads: 1, headDim: 1, pixels: 1 } },
    { name: "odd sizes", params: { batch: 2, heads: 3, headDim: 5, pixels: 15 } },
    { name: "whole quads", params: { batch: 3, heads: 1, headDim: 33, pixels: 84 } },
    { name: "a wide head", params: { batch: 1, heads: 1, headDim: 1031, pixels: 6 } },
    {
      name: "zero and tiny pixels",
      params: { batch: 1, heads: 2, headDim: 7, pixels: 40 },
      inputs: (name, length, random) =>
        name === "qkv" ? Float32Array.from({ length }, (_, i) => (i % 40 < 10 ? 0 : 2e-4 * random())) : undefined,
    },
    { name: "16 x 16 pixels", params: { batch: 2, heads: 4, headDim: 64, pixels: 256 } },
  ],
  tolerance: { f32: 1e-6, f16: 1e-6 },
};
