import type { Case, Kernel } from "../../src/gpu/contract.js";
import { grid1d } from "../../src/gpu/contract.js";
import { addressable, oneOf, positiveInteger } from "../lib/check.js";
import clip from "../lib/clip.wgsl.js";
import source from "./kernel.wgsl.js";
import { convReference } from "./reference.js";

/** What happens to the accumulated value before it is stored. */
export type ConvEpilogue =
  | { readonly kind: "none" }
  /** y = mp_silu(acc * c[n * stride + offset + channel]) */
  | { readonly kind: "scale_silu"; readonly offset: number; readonly stride: number }
  /** y = clip(residual * r + acc); clip null: not clipped. Non-finite values pass the clip unchanged. */
  | { readonly kind: "sum_clip"; readonly residual: number; readonly clip: number | null };

export interface ConvParams {
  readonly batch: number;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly height: number;
  readonly width: number;
  readonly kernel: 1 | 3;
  readonly epilogue: ConvEpilogue;
}

/** Elements of the packed weight: [ceil(outChannels / 8)][inChannels * kernel^2][8]. */
export function packedWeightLength(outChannels: number, inChannels: number, kernel: number): number {
  return Math.ceil(outChannels / 8) * inChannels * kernel * kernel * 8;
}

/** Packs [outChannels, inChannels, kernel, kernel] for the kernel. */
export function packConvWeight(w: ArrayLike<number>, outChannels: number, fanIn: number): Float32Array<ArrayBuffer> {
  const packed = new Float32Array(Math.ceil(outChannels / 8) * fanIn * 8);
  for (let o = 0; o < outChannels; o++) {
    for (let k = 0; k < fanIn; k++) packed[((o >> 3) * fanIn + k) * 8 + (o & 7)] = w[o * fanIn + k]!;
  }
  return packed;
}

const EPILOGUES = { none: 0, scale_silu: 1, sum_clip: 2 } as const;

export const conv: Kernel<ConvParams> = {
  name: "conv",
  source: [
    { file: "kernels/lib/clip.wgsl", text: clip },
    { file: "kernels/conv/kernel.wgsl", text: source },
  ],
  check(p) {
    for (const name of ["batch", "inChannels", "outChannels", "height", "width"] as const) {
      positiveInteger("conv", name, p[name]);
    }
    oneOf("conv", "kernel", p.kernel, [1, 3]);
    addressable("conv", "x", p.batch, p.inChannels, p.height, p.width);
    addressable("conv", "y", p.batch, p.outChannels, p.height, p.width);
  },
  buffers(p) {
    const pixels = p.batch * p.height * p.width;
    return [
      { name: "x", access: "read", type: "act", length: pixels * p.inChannels },
      { name: "w", access: "read", type: "act", length: packedWeightLength(p.outChannels, p.inChannels, p.kernel) },
      {
        name: "c",
        access: "read",
        type: "f32",
        length: p.epilogue.kind === "scale_silu" ? p.batch * p.epilogue.stride : 0,
      },
      { name: "r", access: "read", type: "act", length: p.epilogue.kind === "sum_clip" ? pixels * p.outChannels : 0 },
      { name: "y", access: "write", type: "act", length: pixels * p.outChannels },
    ];
  },
  variant(p) {
    const epilogue = EPILOGUES[p.epilogue.kind];
    return {
      key: `direct k${p.kernel} ${p.epilogue.kind}`,
      prelude: `alias F = f32;\nalias U = u32;\nconst KERNEL: u32 = ${p.kernel}u;\nconst EPILOGUE: u32 = ${epilogue}u;`,
    };
  },
  uniforms(p) {
    const { epilogue } = p;
    // A 1x1 convolution sees the image as one row, so that every quad is full.
    const flat = p.kernel === 1;
    return {
      batch: p.batch,
      inChannels: p.inChannels,
      outChannels: p.outChannels,
      height: flat ? 1 : p.height,
      width: flat ? p.height * p.width : p.width,
      scaleOffset: epilogue.kind === "scale_silu" ? epilogue.offset : 0,
      scaleStride: epilogue.kind === "scale_silu" ? epilogue.stride : 0,
      residual: epilogue.kind === "sum_clip" ? epilogue.residual : 0,
      clip: epilogue.kind === "sum_clip" ? (epilogue.clip ?? 3.4028234663852886e38) : 0,
    };
  },
  grid(p, _variant, caps) {
    const [height, width] = p.kernel === 1 ? [1, p.height * p.width] : [p.height, p.width];
    return grid1d(Math.ceil(width / 4) * height * Math.ceil(p.outChannels / 8) * p.batch, 64, caps);
  },
  cost(p, bytesPerAct) {
    const pixels = p.batch * p.height * p.width;
    const fanIn = p.inChannels * p.kernel * p.kernel;
    const residual = p.epilogue.kind === "sum_clip" ? p.outChannels : 0;
    return {
      flops: 2 * pixels * p.outChannels * fanIn,
      bytes: bytesPerAct * (pixels * (p.inChannels + p.outChannels + residual) + p.outChannels * fanIn),
    };
  },
  reference: convReference,
  cases: cases(),
  tolerance: { f32: 5e-6, f16: 3e-3 },
};

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
      name: "3x3, a whole layer",
      params: { ...base, batch: 1, inChannels: 32, outChannels: 32, height: 16, width: 16 },
    },
  ];
}
