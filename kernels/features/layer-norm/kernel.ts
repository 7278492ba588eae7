import { read, write } from "../../lib/buffers.js";
import { finiteNumber } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type LayerNormParams, reference } from "./reference.js";

/** x [N, C, P], gamma and beta [C] to y [N, C, P]. */
export const layerNorm = elementwise<LayerNormParams>({
  name: "layer-norm",
  group: "features",
  source,
  counts: ({ images, channels, tokens }) => ({ images, channels, tokens }),
  check(params) {
    finiteNumber("layer-norm", "eps", params.eps);
  },
  threads: ({ images, tokens }) => images * tokens,
  buffers({ images, channels, tokens }) {
    const length = images * channels * tokens;
    return [read("x", length), read("gamma", channels), read("beta", channels), write("y", length)];
  },
  flops: ({ images, channels, tokens }) => 8 * images * channels * tokens,
  reference,
  cases: [
    { name: "one value", params: { images: 1, channels: 1, tokens: 1, eps: 1e-6 } },
    { name: "odd sizes", params: { images: 3, channels: 13, tokens: 7, eps: 1e-5 } },
    { name: "tokens of a small transformer", params: { images: 2, channels: 192, tokens: 65, eps: 1e-6 } },
    {
      name: "far from zero",
      params: { images: 1, channels: 64, tokens: 5, eps: 1e-6 },
      inputs: (name, length, random) => (name === "x" ? Float32Array.from({ length }, () => 50 + random()) : undefined),
    },
  ],
  tolerance: { f32: 4e-6, f16: 4e-6 },
});
