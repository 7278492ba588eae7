import { read, write } from "../../lib/buffers.js";
import { elementwise } from "../../lib/elementwise.js";
import { lanesOf, storedLanes } from "../../lib/lanes.js";
import silu from "../../lib/mp-silu.wgsl.js";
import pixels from "../../lib/pixel-norm.wgsl.js";
import source from "./kernel.wgsl.js";
import { type PixelNormParams, reference } from "./reference.js";

/** Pixel norm: x [N, C, P] to y of root mean square 1 over the channels of each pixel; s = mp_silu(y). All act. */
export const pixelNorm = elementwise<PixelNormParams>({
  name: "pixel-norm",
  group: "network",
  source,
  parts: [
    { file: "kernels/lib/mp-silu.wgsl", text: silu },
    { file: "kernels/lib/pixel-norm.wgsl", text: pixels },
  ],
  counts: ({ batch, channels, pixels }) => ({ batch, channels, pixels }),
  // Rather than 64: at the lowest resolutions there are few pixels to spread over the workgroups.
  workgroup: 32,
  threads: ({ batch, pixels }) => (batch * pixels) / lanesOf(pixels),
  buffers({ batch, channels, pixels, silu }) {
    const length = batch * channels * pixels;
    return [read("x", length, "act"), write("y", length, "act"), write("s", silu ? length : 0, "act")];
  },
  variant({ pixels, silu }, caps) {
    const lanes = storedLanes(lanesOf(pixels), "S", caps);
    return {
      key: `${lanes.key}${silu ? "-silu" : ""}`,
      prelude: `${lanes.prelude}const SILU: bool = ${silu};\n`,
    };
  },
  uniforms: ({ pixels }) => ({ pixels: pixels / lanesOf(pixels) }),
  flops: ({ batch, channels, pixels, silu }) => batch * channels * pixels * (silu ? 8 : 3),
  reference,
  cases: [
    { name: "one element", params: { batch: 1, channels: 1, pixels: 1, silu: true } },
    { name: "odd channels, scalar", params: { batch: 3, channels: 33, pixels: 21, silu: false } },
    { name: "odd channels, scalar, silu", params: { batch: 2, channels: 7, pixels: 35, silu: true } },
    { name: "vector", params: { batch: 2, channels: 5, pixels: 36, silu: false } },
    { name: "vector, silu", params: { batch: 3, channels: 18, pixels: 100, silu: true } },
    { name: "8x8, 192 channels", params: { batch: 2, channels: 192, pixels: 64, silu: true } },
    ...([30, 32] as const).map((pixels) => ({
      // One NaN takes its pixel in every channel, and no other pixel.
      name: `NaN stays in its pixel, ${pixels} pixels`,
      params: { batch: 2, channels: 9, pixels, silu: true },
      inputs: (name: string, length: number, random: () => number) =>
        name === "x" ? Float32Array.from({ length }, (_, i) => (i === 131 ? Number.NaN : random())) : undefined,
    })),
    {
      // eps decides here: the norm must add 1e-4 to the root, not to its square.
      name: "tiny values",
      params: { batch: 1, channels: 6, pixels: 8, silu: false },
      inputs: (name, length, random) =>
        name === "x" ? Float32Array.from({ length }, () => 4e-4 * (random() - 0.5)) : undefined,
    },
  ],
  tolerance: { f32: 1e-6, f16: 2e-3 },
});
