import { grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { addressable, finiteNumber, positiveInteger } from "../../lib/check.js";
import source from "./kernel.wgsl.js";
import { type LayerNormParams, reference } from "./reference.js";

/** x [N, C, P], gamma and beta [C] to y [N, C, P]. */
export const layerNorm: Kernel<LayerNormParams> = {
  name: "layer-norm",
  source: [{ file: "kernels/features/layer-norm/kernel.wgsl", text: source }],
  check(params) {
    for (const name of ["images", "channels", "tokens"] as const) positiveInteger("layer-norm", name, params[name]);
    finiteNumber("layer-norm", "eps", params.eps);
    addressable("layer-norm", "x", params.images, params.channels, params.tokens);
  },
  buffers({ images, channels, tokens }) {
    const length = images * channels * tokens;
    return [
      { name: "x", access: "read", type: "f32", length },
      { name: "gamma", access: "read", type: "f32", length: channels },
      { name: "beta", access: "read", type: "f32", length: channels },
      { name: "y", access: "write", type: "f32", length },
    ];
  },
  variant: () => ({ key: "", prelude: "" }),
  uniforms: ({ images, channels, tokens, eps }) => ({ images, channels, tokens, eps }),
  grid: ({ images, tokens }, _variant, caps) => grid1d(images * tokens, 64, caps),
  cost({ images, channels, tokens }) {
    const elements = images * channels * tokens;
    return { flops: 8 * elements, bytes: 8 * (elements + channels) };
  },
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
};
