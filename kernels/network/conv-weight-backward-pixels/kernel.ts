import { grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { channelOperandLength, octets, PANEL, panels } from "../../lib/channel-operand.js";
import { channelPlaces } from "../../lib/channel-place.js";
import { addressable, inRange, nonNegativeInteger, oneOf, positiveInteger } from "../../lib/check.js";
import source from "./kernel.wgsl.js";
import quads from "./quads.wgsl.js";
import { type ConvWeightBackwardPixelsParams, partOf, reference } from "./reference.js";
import windowed from "./window.wgsl.js";

const lengthOf = (p: ConvWeightBackwardPixelsParams) =>
  channelOperandLength(p.channels, partOf(p).count, p.window ** 2);

const inQuads = (p: ConvWeightBackwardPixelsParams) =>
  p.window === 1 && [p.height * p.width, partOf(p).first, partOf(p).count].every((pixels) => pixels % 4 === 0);

const invocations = (p: ConvWeightBackwardPixelsParams) =>
  panels(partOf(p).count) * octets(p.channels) * PANEL * (inQuads(p) ? 0.5 : 2);

/** x [N, C, H, W] to v [panels][octets of C][taps][16][8] f32, an operand of a weight gradient's products. */
export const convWeightBackwardPixels: Kernel<ConvWeightBackwardPixelsParams> = {
  name: "conv-weight-backward-pixels",
  source: [...channelPlaces, { file: "kernels/network/conv-weight-backward-pixels/kernel.wgsl", text: source }],
  check(p) {
    for (const name of ["batch", "channels", "height", "width"] as const)
      positiveInteger("conv-weight-backward-pixels", name, p[name]);
    oneOf("conv-weight-backward-pixels", "window", p.window, [1, 3]);
    if (p.part) {
      nonNegativeInteger("conv-weight-backward-pixels", "part.first", p.part.first);
      positiveInteger("conv-weight-backward-pixels", "part.count", p.part.count);
      const all = p.batch * p.height * p.width;
      inRange("conv-weight-backward-pixels", "part.first + part.count", p.part.first + p.part.count, 1, all);
    }
    addressable("conv-weight-backward-pixels", "x", p.batch, p.channels, p.height, p.width);
    addressable("conv-weight-backward-pixels", "v", lengthOf(p));
  },
  buffers: (p) => [read("x", p.batch * p.channels * p.height * p.width, "act"), write("v", lengthOf(p))],
  variant(p) {
    const prelude = `const WINDOW: i32 = ${p.window};\n`;
    if (inQuads(p)) return { key: "1x1 quads", prelude: prelude + quads };
    return { key: `${p.window}x${p.window}`, prelude: prelude + windowed };
  },
  uniforms(p) {
    const { channels, height, width } = p;
    const { first, count } = partOf(p);
    return { channels, octets: octets(channels), height, width, first, places: count, threads: invocations(p) };
  },
  grid: (p, _variant, caps) => grid1d(invocations(p), 64, caps),
  cost(p, bytesPerAct) {
    return { flops: 0, bytes: bytesPerAct * p.channels * partOf(p).count + 4 * lengthOf(p) };
  },
  reference,
  cases: ([1, 3] as const).flatMap((window) => [
    { name: `${window}x${window}: quads`, params: { window, batch: 3, channels: 13, height: 3, width: 4 } },
    {
      name: `${window}x${window}: some quads, over two images`,
      params: { window, batch: 2, channels: 5, height: 5, width: 12, part: { first: 48, count: 56 } },
    },
    { name: `${window}x${window}: odd everything`, params: { window, batch: 3, channels: 5, height: 7, width: 9 } },
    { name: `${window}x${window}: one pixel`, params: { window, batch: 1, channels: 1, height: 1, width: 1 } },
    { name: `${window}x${window}: one column`, params: { window, batch: 2, channels: 9, height: 6, width: 1 } },
    {
      name: `${window}x${window}: some pixels, over two images`,
      params: { window, batch: 2, channels: 12, height: 5, width: 9, part: { first: 32, count: 37 } },
    },
    { name: `${window}x${window}: a layer`, params: { window, batch: 2, channels: 32, height: 32, width: 32 } },
  ]),
  tolerance: { f32: 0, f16: 0 },
};
