import { read, write } from "../../lib/buffers.js";
import { fail, inRange, nonNegativeInteger, positiveInteger } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import { outputSize } from "../../lib/window.js";
import windowTaps from "../../lib/window-taps.wgsl.js";
import source from "./kernel.wgsl.js";
import { type PatchesParams, patchColumns, reference } from "./reference.js";

/** Channels of an invocation. */
const CHANNELS = 16;

/** Windows of x [N, C, H, W] to y [C kh kw, columns], the columns some of the output pixels. */
export const patches = elementwise<PatchesParams>({
  name: "patches",
  group: "features",
  source,
  parts: [{ file: "kernels/lib/window-taps.wgsl", text: windowTaps }],
  counts: ({ batch, inChannels, height, width, kernelHeight, kernelWidth, stride }) => ({
    batch,
    inChannels,
    height,
    width,
    kernelHeight,
    kernelWidth,
    stride,
  }),
  check(p) {
    nonNegativeInteger("patches", "padHeight", p.padHeight);
    nonNegativeInteger("patches", "padWidth", p.padWidth);
    nonNegativeInteger("patches", "pixels.first", p.pixels.first);
    positiveInteger("patches", "pixels.count", p.pixels.count);
    const { outHeight, outWidth } = outputSize(p);
    if (outHeight < 1 || outWidth < 1) {
      const window = `${p.kernelHeight}x${p.kernelWidth}`;
      fail("patches", "the window must fit into the padded image", `${window} on ${p.height}x${p.width}`);
    }
    const end = p.pixels.first + p.pixels.count;
    inRange("patches", "pixels.first + pixels.count", end, 1, p.batch * outHeight * outWidth);
  },
  threads: (p) => (patchColumns(p) / 4) * Math.ceil(p.inChannels / CHANNELS),
  buffers: (p) => [
    read("x", p.batch * p.inChannels * p.height * p.width),
    write("y", p.inChannels * p.kernelHeight * p.kernelWidth * patchColumns(p)),
  ],
  variant({ padHeight, padWidth }) {
    const padded = padHeight + padWidth > 0;
    return {
      key: padded ? "padded" : "",
      prelude: `const CHANNELS: u32 = ${CHANNELS}u;\nconst PADDED: bool = ${padded};`,
    };
  },
  uniforms(p) {
    return { ...outputSize(p), ...p.pixels };
  },
  flops: () => 0,
  reference,
  cases: (() => {
    const base: PatchesParams = {
      batch: 3,
      inChannels: 5,
      height: 7,
      width: 9,
      kernelHeight: 3,
      kernelWidth: 3,
      stride: 1,
      padHeight: 1,
      padWidth: 1,
      pixels: { first: 0, count: 189 },
    };
    return [
      { name: "odd everything", params: base },
      { name: "some pixels of two images", params: { ...base, pixels: { first: 50, count: 31 } } },
      {
        name: "stride 2, no padding",
        params: { ...base, stride: 2, padHeight: 0, padWidth: 0, pixels: { first: 0, count: 36 } },
      },
      { name: "1x7 of many channels", params: { ...base, inChannels: 37, kernelHeight: 1, padHeight: 0 } },
      { name: "1x1", params: { ...base, inChannels: 16, kernelHeight: 1, kernelWidth: 1, padHeight: 0, padWidth: 0 } },
      {
        name: "one pixel",
        params: {
          ...base,
          ...{
            batch: 1,
            inChannels: 1,
            height: 1,
            width: 1,
            padHeight: 0,
            padWidth: 0,
            kernelHeight: 1,
            kernelWidth: 1,
          },
          pixels: { first: 0, count: 1 },
        },
      },
    ];
  })(),
  tolerance: { f32: 0, f16: 0 },
});
