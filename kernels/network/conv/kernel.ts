import type { Case } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { checkChannels } from "../../lib/channel-range.js";
import { oneOf } from "../../lib/check.js";
import {
  checkEpilogue,
  epilogueBuffers,
  epilogueParts,
  epiloguePrelude,
  epilogueUniforms,
} from "../../lib/conv-epilogue.js";
import eightRows from "../../lib/eight-rows.wgsl.js";
import { elementwise } from "../../lib/elementwise.js";
import { lanesPrelude } from "../../lib/lanes.js";
import { packedLength, packRows } from "../../lib/packed-weight.js";
import source from "./kernel.wgsl.js";
import { type ConvParams, reference } from "./reference.js";

/** Elements of the packed weight: [ceil(outChannels / 8)][inChannels * kernel^2][8]. */
export function packedWeightLength(outChannels: number, inChannels: number, kernel: number): number {
  return packedLength(outChannels, inChannels * kernel * kernel);
}

/** Packs [outChannels, inChannels, kernel, kernel] for the kernel. */
export function packConvWeight(w: ArrayLike<number>, outChannels: number, fanIn: number): Float32Array<ArrayBuffer> {
  return packRows(w, outChannels, fanIn);
}

export const conv = elementwise<ConvParams>({
  name: "conv",
  group: "network",
  source,
  parts: [...epilogueParts, { file: "kernels/lib/eight-rows.wgsl", text: eightRows }],
  counts: ({ batch, inChannels, outChannels, height, width }) => ({ batch, inChannels, outChannels, height, width }),
  check(p) {
    oneOf("conv", "kernel", p.kernel, [1, 3]);
    checkEpilogue("conv", p.epilogue);
    checkChannels("conv", p.outChannels, p.into);
  },
  threads(p) {
    const [height, width] = p.kernel === 1 ? [1, p.height * p.width] : [p.height, p.width];
    return Math.ceil(width / 4) * height * Math.ceil(p.outChannels / 8) * p.batch;
  },
  buffers(p) {
    const pixels = p.batch * p.height * p.width;
    const length = pixels * (p.into?.of ?? p.outChannels);
    return [
      read("x", pixels * p.inChannels, "act"),
      read("w", packedWeightLength(p.outChannels, p.inChannels, p.kernel), "weight"),
      ...epilogueBuffers(p.epilogue, p.batch, length),
      write("y", length, "act"),
    ];
  },
  variant(p) {
    return {
      key: `direct k${p.kernel} ${p.epilogue.kind}`,
      prelude: `${lanesPrelude(1)}const KERNEL: u32 = ${p.kernel}u;\n${epiloguePrelude(p.epilogue)}`,
    };
  },
  uniforms(p) {
    // A 1x1 convolution sees the image as one row, so that every quad is full.
    const flat = p.kernel === 1;
    return {
      firstChannel: p.into?.first ?? 0,
      ofChannels: p.into?.of ?? p.outChannels,
      height: flat ? 1 : p.height,
      width: flat ? p.height * p.width : p.width,
      ...epilogueUniforms(p.epilogue),
    };
  },
  cost(p, bytesPerAct, bytesPerWeight) {
    const pixels = p.batch * p.height * p.width;
    const fanIn = p.inChannels * p.kernel * p.kernel;
    const residual = p.epilogue.kind === "sum_clip" ? p.outChannels : 0;
    return {
      flops: 2 * pixels * p.outChannels * fanIn,
      bytes: bytesPerAct * pixels * (p.inChannels + p.outChannels + residual) + bytesPerWeight * p.outChannels * fanIn,
    };
  },
  products(p) {
    const fanIn = p.inChannels * p.kernel * p.kernel;
    const [height, width] = p.kernel === 1 ? [1, p.height * p.width] : [p.height, p.width];
    return {
      asked: p.batch * height * width * p.outChannels * fanIn,
      made: p.batch * height * 4 * Math.ceil(width / 4) * 8 * Math.ceil(p.outChannels / 8) * fanIn,
    };
  },
  reference,
  cases: cases(),
  tolerance: { f32: 5e-6, f16: 3e-3 },
});

function cases(): Case<ConvParams>[] {
  const none = { kind: "none" } as const;
  const base = { batch: 2, inChannels: 5, outChannels: 11, height: 7, width: 9, kernel: 3 as const, epilogue: none };
  return [
    { name: "3x3, odd everything", params: base },
    { name: "1x1, odd everything", params: { ...base, kernel: 1 } },
    { name: "1x1 of one pixel", params: { ...base, batch: 1, height: 1, width: 1, kernel: 1 } },
    { name: "3x3 of one pixel", params: { ...base, height: 1, width: 1 } },
    { name: "3x3 of one column", params: { ...base, height: 6, width: 1 } },
    { name: "3x3, scale and silu", params: { ...base, epilogue: { kind: "scale_silu", offset: 3, stride: 17 } } },
    { name: "3x3, sum and clip", params: { ...base, epilogue: { kind: "sum_clip", residual: 0.7, clip: 1.5 } } },
    {
      name: "1x1, sum without clip",
      params: { ...base, kernel: 1, epilogue: { kind: "sum_clip", residual: 0.7, clip: null } },
    },
    {
      name: "3x3, some channels, scale and silu",
      params: {
        ...base,
        into: { first: 8, of: 25 },
        epilogue: { kind: "scale_silu", offset: 3, stride: 31 },
      },
    },
    {
      name: "1x1, some channels, sum and clip",
      params: {
        ...base,
        kernel: 1,
        into: { first: 3, of: 14 },
        epilogue: { kind: "sum_clip", residual: 0.7, clip: 1.5 },
      },
    },
    {
      name: "3x3, a whole layer",
      params: { ...base, batch: 1, inChannels: 32, outChannels: 32, height: 16, width: 16 },
    },
  ];
}
