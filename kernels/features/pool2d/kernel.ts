import type { Case } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { checkChannels } from "../../lib/channel-range.js";
import { fail, inRange, multipleOf, oneOf } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import { outputSize } from "../../lib/window.js";
import source from "./kernel.wgsl.js";
import { type Pool2dParams, reference } from "./reference.js";

/** Pixels of an invocation. */
const RUN = 16;

function outputs(p: Pool2dParams): number {
  const { outHeight, outWidth } = outputSize(p);
  return p.planes * outHeight * outWidth;
}

/** x [planes, H, W] to y [planes, Ho, Wo]. */
export const pool2d = elementwise<Pool2dParams>({
  name: "pool2d",
  group: "features",
  source,
  counts: ({ planes, height, width, kernelHeight, kernelWidth, stride }) => ({
    planes,
    height,
    width,
    kernelHeight,
    kernelWidth,
    stride,
  }),
  check(p) {
    oneOf("pool2d", "mode", p.mode, ["max", "mean"]);
    inRange("pool2d", "padHeight", p.padHeight, 0, Math.floor(p.kernelHeight / 2));
    inRange("pool2d", "padWidth", p.padWidth, 0, Math.floor(p.kernelWidth / 2));
    if (p.into) {
      multipleOf("pool2d", "planes", p.planes, p.into.channels);
      checkChannels("pool2d", p.into.channels, p.into);
    }
    const { outHeight, outWidth } = outputSize(p);
    if (outHeight < 1 || outWidth < 1) {
      const window = `${p.kernelHeight}x${p.kernelWidth}`;
      fail("pool2d", "the window must fit into the padded image", `${window} on ${p.height}x${p.width}`);
    }
  },
  threads(p) {
    const { outHeight, outWidth } = outputSize(p);
    return p.planes * outHeight * Math.ceil(outWidth / RUN);
  },
  buffers: (p) => [
    read("x", p.planes * p.height * p.width),
    write("y", p.into ? (outputs(p) / p.into.channels) * p.into.of : outputs(p)),
  ],
  variant: ({ mode, kernelWidth }) => ({
    key: kernelWidth === 3 ? `${mode} three` : mode,
    prelude: `const MEAN: bool = ${mode === "mean"};\nconst THREE: bool = ${kernelWidth === 3};\nconst RUN: u32 = ${RUN}u;`,
  }),
  uniforms: (p) => ({
    ...outputSize(p),
    channels: p.into?.channels ?? p.planes,
    firstChannel: p.into?.first ?? 0,
    ofChannels: p.into?.of ?? p.planes,
  }),
  flops: (p) => outputs(p) * p.kernelHeight * p.kernelWidth,
  reference,
  cases: (["max", "mean"] as const).flatMap((mode) => cases(mode)),
  tolerance: { f32: 1e-6, f16: 1e-6 },
});

function cases(mode: Pool2dParams["mode"]): Case<Pool2dParams>[] {
  const window = { kernelHeight: 2, kernelWidth: 2, stride: 2, padHeight: 0, padWidth: 0 };
  const base: Pool2dParams = { mode, planes: 5, height: 8, width: 12, ...window };
  return [
    { name: `${mode}, 2x2`, params: base },
    { name: `${mode}, 2x2, odd size drops the border`, params: { ...base, height: 7, width: 5 } },
    {
      name: `${mode}, 3x3, stride 3 of rows longer than a run`,
      params: { ...base, width: 60, kernelHeight: 3, kernelWidth: 3, stride: 3, padHeight: 1, padWidth: 1 },
    },
    { name: `${mode}, 3x3, stride 2`, params: { ...base, kernelHeight: 3, kernelWidth: 3 } },
    {
      name: `${mode}, 3x3, stride 1, padded`,
      params: { ...base, kernelHeight: 3, kernelWidth: 3, stride: 1, padHeight: 1, padWidth: 1 },
    },
    {
      name: `${mode}, some channels of the output`,
      params: { ...base, planes: 6, into: { channels: 3, first: 4, of: 9 } },
    },
    { name: `${mode}, the whole image`, params: { ...base, kernelHeight: 8, kernelWidth: 12, stride: 1 } },
    {
      name: `${mode}, one pixel`,
      params: { ...base, planes: 1, height: 1, width: 1, kernelHeight: 1, kernelWidth: 1, stride: 1 },
    },
    {
      name: `${mode}, NaN and infinities stay`,
      params: base,
      inputs: (name, length, random) =>
        name === "x"
          ? Float32Array.from({ length }, (_, i) => ({ 3: Number.NaN, 40: Infinity, 200: -Infinity })[i] ?? random())
          : undefined,
    },
  ];
}
