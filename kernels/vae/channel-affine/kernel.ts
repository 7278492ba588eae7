import { read, write } from "../../lib/buffers.js";
import { elementwise } from "../../lib/elementwise.js";
import { lanesOf, lanesPrelude } from "../../lib/lanes.js";
import source from "./kernel.wgsl.js";
import { type ChannelAffineParams, reference } from "./reference.js";

const rows = (p: ChannelAffineParams) => p.channels * (p.perImage ? p.batch : 1);

/** y = f(x * scale + shift) with affine [N or 1, C, 2] of (scale, shift); x, y [N, C, P]. */
export const channelAffine = elementwise<ChannelAffineParams>({
  name: "channel-affine",
  group: "vae",
  source,
  counts: ({ batch, channels, pixels }) => ({ batch, channels, pixels }),
  threads: (p) => (p.batch * p.channels * p.pixels) / lanesOf(p.pixels),
  buffers(params) {
    const length = params.batch * params.channels * params.pixels;
    return [read("x", length, "act"), read("affine", 2 * rows(params)), write("y", length, "act")];
  },
  variant({ pixels, silu }) {
    const lanes = lanesOf(pixels);
    return {
      key: `lanes${lanes}${silu ? " silu" : ""}`,
      prelude: `${lanesPrelude(lanes)}const SILU: bool = ${silu};\n`,
    };
  },
  uniforms: (params) => ({ pixels: params.pixels / lanesOf(params.pixels), rows: rows(params) }),
  flops: ({ batch, channels, pixels, silu }) => (silu ? 7 : 2) * batch * channels * pixels,
  reference,
  cases: [
    { name: "one value", params: { batch: 1, channels: 1, pixels: 1, perImage: false, silu: false } },
    { name: "scalar, per image", params: { batch: 3, channels: 5, pixels: 7, perImage: true, silu: true } },
    { name: "scalar, for all", params: { batch: 2, channels: 3, pixels: 33, perImage: false, silu: false } },
    { name: "vector, per image", params: { batch: 2, channels: 32, pixels: 64, perImage: true, silu: true } },
    { name: "vector, for all", params: { batch: 2, channels: 6, pixels: 12, perImage: false, silu: false } },
    {
      name: "large values and NaN stay",
      params: { batch: 1, channels: 2, pixels: 100, perImage: true, silu: true },
      inputs: (name, length, random) =>
        name === "x" ? Float32Array.from({ length }, (_, i) => (i === 7 ? Number.NaN : 1000 * random())) : undefined,
    },
  ],
  tolerance: { f32: 2e-6, f16: 1e-3 },
});
