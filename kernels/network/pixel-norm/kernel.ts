import { grid1d } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { elementwise } from "../../lib/elementwise.js";
import { perInvocation } from "../../lib/entry.js";
import { type Lanes, lanesOf, storedLanes } from "../../lib/lanes.js";
import silu from "../../lib/mp-silu.wgsl.js";
import pixels from "../../lib/pixel-norm.wgsl.js";
import source from "./kernel.wgsl.js";
import { type PixelNormParams, reference } from "./reference.js";
import slices from "./slices.wgsl.js";
import walk from "./walk.wgsl.js";

/** Rather than 64: at the lowest resolutions there are few pixels to spread over the workgroups. */
const WALKERS = 32;

/** On a GPU: pixels of a workgroup, in units of `lanes`, and invocations that share one. By the layer alone, not the batch. */
function slicesOf({ channels, pixels }: PixelNormParams) {
  const lanes: Lanes = pixels > 256 ? lanesOf(pixels) : 1;
  const own = pixels <= 16 ? 1 : pixels <= 64 ? 2 : pixels <= 1024 || channels > 512 ? 4 : 8;
  const most = own === 8 ? 32 : 64;
  let shared = 1;
  while (shared < channels && shared < most) shared *= 2;
  return { lanes, own, shared, turns: Math.ceil(channels / shared) };
}

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
  threads: ({ batch, pixels }) => (batch * pixels) / lanesOf(pixels),
  grid(params, _variant, caps) {
    const { lanes, own } = caps.software ? { lanes: lanesOf(params.pixels), own: WALKERS } : slicesOf(params);
    return grid1d((params.batch * params.pixels) / lanes, own, caps);
  },
  buffers({ batch, channels, pixels, silu }) {
    const length = batch * channels * pixels;
    return [read("x", length, "act"), write("y", length, "act"), write("s", silu ? length : 0, "act")];
  },
  variant(params, caps) {
    const { pixels, silu } = params;
    const flags = `const SILU: bool = ${silu};\n`;
    const suffix = silu ? "-silu" : "";
    if (caps.software) {
      const { key, prelude } = storedLanes(lanesOf(pixels), "S", caps);
      return { key: `${key}${suffix}`, prelude: prelude + flags + walk + perInvocation(WALKERS).text };
    }
    const { lanes, own, shared, turns } = slicesOf(params);
    const unit = lanesOf(pixels) / lanes;
    const { key, prelude } = storedLanes(lanes, "S", caps);
    const sizes = { PIXELS: own, SLICES: shared, TURNS: turns, UNIT: unit, WORKGROUP: own * shared };
    const constants = Object.entries(sizes).map(([name, size]) => `const ${name}: u32 = ${size}u;\n`);
    return {
      key: `${own}x${shared}x${turns}${unit > 1 ? " units" : ""} ${key}${suffix}`,
      prelude: `${prelude}${flags}${constants.join("")}${slices}`,
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
    { name: "odd channels, wide", params: { batch: 2, channels: 67, pixels: 261, silu: false } },
    { name: "vectors, wide, silu", params: { batch: 1, channels: 40, pixels: 1032, silu: true } },
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
