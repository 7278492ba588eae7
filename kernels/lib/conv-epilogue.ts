import type { BufferUse, ElementType, SourcePart } from "../../src/gpu/contract.js";
import { read } from "./buffers.js";
import { finiteNumber, nonNegativeInteger } from "./check.js";
import clip from "./clip.wgsl.js";
import text from "./conv-epilogue.wgsl.js";
import silu from "./mp-silu.wgsl.js";

/** What happens to the accumulated value of a convolution before it is stored. */
export type ConvEpilogue =
  | { readonly kind: "none" }
  /** y = mp_silu(acc * c[n * stride + offset + channel]) */
  | { readonly kind: "scale_silu"; readonly offset: number; readonly stride: number }
  /** y = clip(residual * r + acc); clip null: not clipped. Non-finite values pass the clip unchanged. */
  | { readonly kind: "sum_clip"; readonly residual: number; readonly clip: number | null };

const NUMBERS = { none: 0, scale_silu: 1, sum_clip: 2 } as const;

/** What a kernel with an epilogue has in front of its own text. */
export const epilogueParts: readonly SourcePart[] = [
  { file: "kernels/lib/clip.wgsl", text: clip },
  { file: "kernels/lib/mp-silu.wgsl", text: silu },
  { file: "kernels/lib/conv-epilogue.wgsl", text },
];

/** Buffers c and r of an epilogue on y of `length` elements of `images` images. */
export function epilogueBuffers(
  epilogue: ConvEpilogue,
  images: number,
  length: number,
  type: ElementType = "act",
): BufferUse[] {
  const scales = epilogue.kind === "scale_silu" ? images * epilogue.stride : 0;
  return [read("c", scales), read("r", epilogue.kind === "sum_clip" ? length : 0, type)];
}

/** The constant that kernels/lib/conv-epilogue.wgsl switches on. */
export function epiloguePrelude(epilogue: ConvEpilogue): string {
  return `const EPILOGUE: u32 = ${NUMBERS[epilogue.kind]}u;`;
}

export function checkEpilogue(kernel: string, epilogue: ConvEpilogue): void {
  if (epilogue.kind === "scale_silu") {
    nonNegativeInteger(kernel, "offset", epilogue.offset);
    nonNegativeInteger(kernel, "stride", epilogue.stride);
  } else if (epilogue.kind === "sum_clip") {
    finiteNumber(kernel, "residual", epilogue.residual);
    if (epilogue.clip !== null) finiteNumber(kernel, "clip", epilogue.clip);
  }
}

/** Values of the uniform members scaleOffset, scaleStride, residual and clip. */
export function epilogueUniforms(epilogue: ConvEpilogue) {
  const scaled = epilogue.kind === "scale_silu";
  const summed = epilogue.kind === "sum_clip";
  return {
    scaleOffset: scaled ? epilogue.offset : 0,
    scaleStride: scaled ? epilogue.stride : 0,
    residual: summed ? epilogue.residual : 0,
    clip: summed ? (epilogue.clip ?? 3.4028234663852886e38) : 0,
  };
}

/** Float64 epilogue of image n, output channel `channel`; `index` is the element's index in y and r. */
export function epilogueReference(
  epilogue: ConvEpilogue,
  acc: number,
  n: number,
  channel: number,
  index: number,
  c: ArrayLike<number>,
  r: ArrayLike<number>,
): number {
  if (epilogue.kind === "none") return acc;
  if (epilogue.kind === "scale_silu") {
    const v = acc * c[n * epilogue.stride + epilogue.offset + channel]!;
    return v / (1 + Math.exp(-v)) / 0.596;
  }
  const v = epilogue.residual * r[index]! + acc;
  const clip = epilogue.clip ?? Number.POSITIVE_INFINITY;
  return Math.min(clip, Math.max(-clip, v));
}
