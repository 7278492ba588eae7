import type { Case } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { checkChannels } from "../../lib/channel-range.js";
import { fail, nonNegativeInteger, oneOf } from "../../lib/check.js";
import eightRows from "../../lib/eight-rows.wgsl.js";
import { elementwise } from "../../lib/elementwise.js";
import { packedLength } from "../../lib/packed-weight.js";
import { outputSize } from "../../lib/window.js";
import source from "./kernel.wgsl.js";
import { type Conv2dParams, reference } from "./reference.js";

/** x [N, Cin, H, W], w packed by `packRows`, b [Cout] to y [N, Cout, Ho, Wo]. */
export const conv2d = elementwise<Conv2dParams>({
  name: "conv2d",
  group: "features",
  source,
  parts: [{ file: "kernels/lib/eight-rows.wgsl", text: eightRows }],
  counts: ({ batch, inChannels, outChannels, height, width, kernelHeight, kernelWidth, stride }) => ({
    batch,
    inChannels,
    outChannels,
    height,
    width,
    kernelHeight,
    kernelWidth,
    stride,
  }),
  check(p) {
    nonNegativeInteger("conv2d", "padHeight", p.padHeight);
    nonNegativeInteger("conv2d", "padWidth", p.padWidth);
    oneOf("conv2d", "activation", p.activation, ["none", "relu"]);
    checkChannels("conv2d", p.outChannels, p.into);
    const { outHeight, outWidth } = outputSize(p);
    if (outHeight < 1 || outWidth < 1) {
      const kernel = `${p.kernelHeight}x${p.kernelWidth}`;
      fail("conv2d", "the kernel must fit into the padded image", `${kernel} on ${p.height}x${p.width}`);
    }
  },
  threads(p) {
    const { outHeight, outWidth } = outputSize(p);
    return Math.ceil(outWidth / 4) * outHeight * Math.ceil(p.outChannels / 8) * p.batch;
  },
  buffers(p) {
    const { outHeight, outWidth } = outputSize(p);
    const depth = p.inChannels * p.kernelHeight * p.kernelWidth;
    return [
      read("x", p.batch * p.inChannels * p.height * p.width),
      read("w", packedLength(p.outChannels, depth)),
      read("b", p.outChannels),
      write("y", p.batch * (p.into?.of ?? p.outChannels) * outHeight * outWidth),
    ];
  },
  variant: ({ activation, precise = false }) => ({
    key: `${activation}${precise ? " precise" : ""}`,
    prelude: `const RELU: bool = ${activation === "relu"};\nconst PRECISE: bool = ${precise};`,
  }),
  uniforms: (p) => ({
    ...outputSize(p),
    firstChannel: p.into?.first ?? 0,
    ofChannels: p.into?.of ?? p.outChannels,
    one: 1,
  }),
  cost(p) {
    const { outHeight, outWidth } = outputSize(p);
    const outputs = p.batch * p.outChannels * outHeight * outWidth;
    const depth = p.inChannels * p.kernelHeight * p.kernelWidth;
    const inputs = p.batch * p.inChannels * p.height * p.width;
    return { flops: 2 * outputs * depth, bytes: 4 * (inputs + outputs + p.outChannels * (depth + 1)) };
  },
  reference,
  cases: cases(),
  tolerance: { f32: 2e-6, f16: 2e-6 },
});

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
