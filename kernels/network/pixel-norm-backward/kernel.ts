import { fail } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import { lanesOf } from "../../lib/lanes.js";
import slope from "../../lib/mp-silu-slope.wgsl.js";
import pixels from "../../lib/pixel-norm.wgsl.js";
import source from "./kernel.wgsl.js";
import { type PixelNormBackwardParams, reference } from "./reference.js";

/** Gradient of pixel norm with its mp_silu: x, gy, gs [N, C, P] to dx [N, C, P]. All act. */
export const pixelNormBackward = elementwise<PixelNormBackwardParams>({
  name: "pixel-norm-backward",
  group: "network",
  source,
  parts: [
    { file: "kernels/lib/mp-silu-slope.wgsl", text: slope },
    { file: "kernels/lib/pixel-norm.wgsl", text: pixels },
  ],
  counts: ({ batch, channels, pixels }) => ({ batch, channels, pixels }),
  check({ direct, silu }) {
    if (!direct && !silu) fail("pixel-norm-backward", "at least one of direct and silu must be true");
  },
  threads: ({ batch, pixels }) => batch * pixels,
  lanes: ({ pixels }) => ({ rows: [pixels], storage: "S" }),
  buffers({ batch, channels, pixels, direct, silu }) {
    const length = batch * channels * pixels;
    return [
      { name: "x", access: "read", type: "act", length },
      { name: "gy", access: "read", type: "act", length: direct ? length : 0 },
      { name: "gs", access: "read", type: "act", length: silu ? length : 0 },
      { name: "dx", access: "write", type: "act", length },
    ];
  },
  uniforms: ({ channels, pixels }) => ({ channels, pixels: pixels / lanesOf(pixels) }),
  flags: ({ direct, silu }) => ({ DIRECT: direct, SILU: silu }),
  flops: ({ batch, channels, pixels, silu }) => batch * channels * pixels * (silu ? 34 : 8),
  reference,
  cases: [
    { name: "two channels", params: { batch: 1, channels: 2, pixels: 1, direct: true, silu: true } },
    { name: "odd sizes", params: { batch: 3, channels: 33, pixels: 21, direct: true, silu: false } },
    { name: "odd sizes, silu alone", params: { batch: 2, channels: 7, pixels: 35, direct: false, silu: true } },
    { name: "vectors", params: { batch: 3, channels: 18, pixels: 100, direct: true, silu: true } },
    ...([30, 32] as const).map((pixels) => ({
      // Behind dead channels whole pixels are zero; near it the 1e-4 decides.
      name: `zero and tiny pixels, ${pixels}`,
      params: { batch: 2, channels: 6, pixels, direct: true, silu: true },
      inputs: (name: string, length: number, random: () => number) =>
        name === "x"
          ? Float32Array.from({ length }, (_, i) => random() * (i % pixels < 5 ? 0 : i % pixels < 15 ? 1e-4 : 1))
          : undefined,
    })),
    { name: "16x16, 128 channels", params: { batch: 2, channels: 128, pixels: 256, direct: true, silu: true } },
  ],
  tolerance: { f32: 3e-6, f16: 4e-3 },
});
