import { type Caps, type Case, grid1d, type Kernel, type Variant } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { checkChannels } from "../../lib/channel-range.js";
import { addressable, fail, nonNegativeInteger, oneOf, positiveInteger } from "../../lib/check.js";
import eightRows from "../../lib/eight-rows.wgsl.js";
import { outputSize } from "../../lib/window.js";
import windowTaps from "../../lib/window-taps.wgsl.js";
import source from "./kernel.wgsl.js";
import plain from "./plain.wgsl.js";
import { type Conv2dParams, reference } from "./reference.js";
import tiled from "./tiled.wgsl.js";
import { conv2dWeightLength } from "./weight.js";

/** A loop of the kernel with its tile: rows are output channels, columns are pixels of all images. */
interface Loop {
  readonly key: string;
  readonly text: string;
  readonly rows: number;
  readonly columns: number;
  /** Tiles of a workgroup. */
  readonly units: number;
}

/** Output pixels of all images. */
function pixelsOf(p: Conv2dParams): number {
  const { outHeight, outWidth } = outputSize(p);
  return p.batch * outHeight * outWidth;
}

function loopOf({ software }: Caps): Loop {
  return software
    ? { key: "plain", text: plain, rows: 8, columns: 4, units: 64 }
    : { key: "tiled", text: tiled, rows: 64, columns: 64, units: 1 };
}

/** x [N, Cin, H, W], w packed by `packConv2dWeight`, b [Cout] to y [N, Cout, Ho, Wo]. */
export const conv2d: Kernel<Conv2dParams> = {
  name: "conv2d",
  source: [
    { file: "kernels/lib/eight-rows.wgsl", text: eightRows },
    { file: "kernels/lib/window-taps.wgsl", text: windowTaps },
    { file: "kernels/features/conv2d/kernel.wgsl", text: source },
  ],
  check(p) {
    for (const name of ["batch", "inChannels", "outChannels", "height", "width"] as const)
      positiveInteger("conv2d", name, p[name]);
    for (const name of ["kernelHeight", "kernelWidth", "stride"] as const) positiveInteger("conv2d", name, p[name]);
    nonNegativeInteger("conv2d", "padHeight", p.padHeight);
    nonNegativeInteger("conv2d", "padWidth", p.padWidth);
    oneOf("conv2d", "activation", p.activation, ["none", "relu"]);
    checkChannels("conv2d", p.outChannels, p.into);
    const { outHeight, outWidth } = outputSize(p);
    if (outHeight < 1 || outWidth < 1) {
      const kernel = `${p.kernelHeight}x${p.kernelWidth}`;
      fail("conv2d", "the kernel must fit into the padded image", `${kernel} on ${p.height}x${p.width}`);
    }
    addressable("conv2d", "x", p.batch, p.inChannels, p.height, p.width);
    addressable("conv2d", "y", p.batch, p.into?.of ?? p.outChannels, outHeight, outWidth);
  },
  buffers(p) {
    return [
      read("x", p.batch * p.inChannels * p.height * p.width),
      read("w", conv2dWeightLength(p.outChannels, p.inChannels, p.kernelHeight * p.kernelWidth)),
      read("b", p.outChannels),
      write("y", pixelsOf(p) * (p.into?.of ?? p.outChannels)),
    ];
  },
  variant(p, caps): Variant {
    const { key, text } = loopOf(caps);
    const { activation, precise = false } = p;
    const padded = p.padHeight + p.padWidth > 0;
    const flags = [activation, ...(padded ? ["padded"] : []), ...(precise ? ["precise"] : [])];
    const constants = [
      `const RELU: bool = ${activation === "relu"};`,
      `const PADDED: bool = ${padded};`,
      `const PRECISE: bool = ${precise};`,
    ];
    return {
      key: `${key} ${flags.join(" ")}`,
      prelude: `${constants.join("\n")}\n${text}`,
    };
  },
  uniforms: (p) => ({
    total: pixelsOf(p),
    inChannels: p.inChannels,
    outChannels: p.outChannels,
    height: p.height,
    width: p.width,
    ...outputSize(p),
    kernelHeight: p.kernelHeight,
    kernelWidth: p.kernelWidth,
    stride: p.stride,
    padHeight: p.padHeight,
    padWidth: p.padWidth,
    firstChannel: p.into?.first ?? 0,
    ofChannels: p.into?.of ?? p.outChannels,
    one: 1,
  }),
  grid(p, _variant, caps) {
    const { rows, columns, units } = loopOf(caps);
    return grid1d(Math.ceil(p.outChannels / rows) * Math.ceil(pixelsOf(p) / columns), units, caps);
  },
  cost(p) {
    const outputs = pixelsOf(p) * p.outChannels;
    const depth = p.inChannels * p.kernelHeight * p.kernelWidth;
    const inputs = p.batch * p.inChannels * p.height * p.width;
    return { flops: 2 * outputs * depth, bytes: 4 * (inputs + outputs + p.outChannels * (depth + 1)) };
  },
  reference,
  cases: cases(),
  tolerance: { f32: 2e-6, f16: 2e-6 },
};

function cases(): Case<Conv2dParams>[] {
  const base: Conv2dParams = {
    batch: 2,
    inChannels: 3,
    outChannels: 11,
    height: 7,
    width: 9,
    kernelHeight: 3,
    kernelWidth: 3,
    stride: 1,
    padHeight: 1,
    padWidth: 1,
    activation: "none",
  };
  const linear = { kernelHeight: 1, kernelWidth: 1, padHeight: 0, padWidth: 0, height: 1, width: 1 };
  return [
    { name: "3x3, odd everything", params: base },
    { name: "3x3, relu", params: { ...base, activation: "relu" } },
    { name: "3x3, stride 2, no padding", params: { ...base, stride: 2, padHeight: 0, padWidth: 0 } },
    { name: "1x7", params: { ...base, kernelHeight: 1, kernelWidth: 7, padHeight: 0, padWidth: 3 } },
    { name: "some channels of the output", params: { ...base, into: { first: 5, of: 19 }, activation: "relu" } },
    { name: "precise sums", params: { ...base, inChannels: 23, batch: 1, precise: true } },
    { name: "several tiles", params: { ...base, inChannels: 20, outChannels: 70, height: 11, width: 13 } },
    {
      name: "1x1 of many channels, some of the output",
      params: {
        ...base,
        ...{ inChannels: 130, outChannels: 36, kernelHeight: 1, kernelWidth: 1, padHeight: 0, padWidth: 0 },
        into: { first: 3, of: 40 },
      },
    },
    { name: "7x1", params: { ...base, kernelHeight: 7, kernelWidth: 1, padHeight: 3, padWidth: 0 } },
    {
      name: "5x5, stride 3, one channel",
      params: { ...base, inChannels: 1, outChannels: 1, kernelHeight: 5, kernelWidth: 5, stride: 3 },
    },
    {
      name: "patches of 4x4",
      params: { ...base, height: 8, width: 12, kernelHeight: 4, kernelWidth: 4, stride: 4, padHeight: 0, padWidth: 0 },
    },
    { name: "linear layer", params: { ...base, ...linear, batch: 5, inChannels: 100, outChannels: 10 } },
    {
      name: "linear layer, relu, one by one",
      params: { ...base, ...linear, batch: 1, inChannels: 1, outChannels: 1, activation: "relu" },
    },
    {
      name: "a layer of the classifier",
      params: { ...base, inChannels: 16, outChannels: 32, height: 16, width: 16, activation: "relu" },
    },
    {
      name: "NaN and infinities pass the relu",
      params: { ...base, activation: "relu" },
      inputs: (name, length, random) =>
        name === "b"
          ? Float32Array.from({ length }, (_, i) => [Number.NaN, Infinity, -Infinity][i] ?? random())
          : undefined,
    },
  ];
}
