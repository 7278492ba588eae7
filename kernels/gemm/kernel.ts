import { type Caps, grid1d, type Kernel, type Variant } from "../../src/gpu/contract.js";
import { addressable, inRange, multipleOf, oneOf, positiveInteger } from "../lib/check.js";
import clip from "../lib/clip.wgsl.js";
import { type ConvEpilogue, checkEpilogue, epiloguePrelude, epilogueUniforms } from "../lib/conv-epilogue.js";
import epilogue from "../lib/conv-epilogue.wgsl.js";
import { lanesPrelude } from "../lib/lanes.js";
import silu from "../lib/mp-silu.wgsl.js";
import { packedLength, packRows } from "../lib/packed-weight.js";
import { cases } from "./cases.js";
import source from "./kernel.wgsl.js";
import plain from "./plain.wgsl.js";
import { gemmReference } from "./reference.js";
import { narrowSource, subgroupSource } from "./subgroup.js";
import tiled from "./tiled.wgsl.js";

export interface GemmParams {
  /** Products with a weight of their own: 36 for Winograd, 1 for a 1x1 convolution. */
  readonly groups: number;
  /** Products that share a weight: the batch of a 1x1 convolution, the panels of a Winograd convolution. */
  readonly images: number;
  /** Output channels. */
  readonly rows: number;
  /** Input channels. */
  readonly depth: number;
  /** Neighbours in memory, a multiple of 4: the pixels of an image, or the tiles of a Winograd panel. */
  readonly columns: number;
  /** Columns that are asked for, the first of all images': a multiple of 4. The rest of y is left as it is. Default: all. */
  readonly live?: number;
  /** Type of x, r and y; the weight is always of the storage type. */
  readonly type: "f32" | "act";
  readonly epilogue: ConvEpilogue;
}

/** The depth of the packed weight: even, since some variants take two k per turn. */
export function packedDepth(depth: number): number {
  return depth + (depth % 2);
}

/** Elements of the packed weight of all groups. */
export function gemmWeightLength(groups: number, rows: number, depth: number): number {
  return groups * packedLength(rows, packedDepth(depth));
}

/** Packs row-major [groups][rows, depth] weights. */
export function packGemmWeight(
  w: Float32Array | Float64Array,
  groups: number,
  rows: number,
  depth: number,
): Float32Array<ArrayBuffer> {
  const packed = new Float32Array(gemmWeightLength(groups, rows, depth));
  for (let g = 0; g < groups; g++) {
    const matrix = w.subarray(g * rows * depth, (g + 1) * rows * depth);
    packRows(matrix, rows, depth, packedDepth(depth), packed, gemmWeightLength(g, rows, depth));
  }
  return packed;
}

interface Family {
  readonly kind: "subgroup" | "narrow" | "plain" | "tiled";
  /** Rows and quads of a workgroup's tile. */
  readonly rows: number;
  readonly lanes: number;
  /** Quads of a lane. */
  readonly wide: number;
}

/** From this depth on a lane takes two quads: a sixth faster, but three times as long to compile. */
const WIDE_DEPTH = 160;

function liveQuads(p: GemmParams): number {
  return (p.live ?? p.images * p.columns) / 4;
}

/** On a GPU tiles in workgroup memory; in software one subgroup per workgroup where its size is certain. */
function family(p: GemmParams, caps: Caps): Family {
  if (!caps.software) return { kind: "tiled", rows: 64, lanes: 16, wide: 1 };
  const lanes = caps.subgroupMinSize;
  const certain = caps.subgroups && lanes === caps.subgroupMaxSize && lanes >= 8 && lanes <= 32;
  if (!certain) return { kind: "plain", rows: 8, lanes: 64, wide: 1 };
  // The batch decides here, but not about bits: both sum every element in the same order.
  const quads = liveQuads(p);
  if (quads <= 2) return { kind: "narrow", rows: 4 * lanes, lanes, wide: 1 };
  return {
    kind: "subgroup",
    lanes,
    rows: p.rows > 8 ? 32 : 8,
    wide: p.rows > 8 && p.depth >= WIDE_DEPTH && quads > lanes ? 2 : 1,
  };
}

/** y[i, :, g] = w[g] x[i, :, g] with an epilogue: 1x1 convolutions, and the products of Winograd convolutions. */
export const gemm: Kernel<GemmParams> = {
  name: "gemm",
  source: [
    { file: "kernels/lib/clip.wgsl", text: clip },
    { file: "kernels/lib/mp-silu.wgsl", text: silu },
    { file: "kernels/lib/conv-epilogue.wgsl", text: epilogue },
    { file: "kernels/gemm/kernel.wgsl", text: source },
  ],
  check(p) {
    for (const name of ["groups", "images", "rows", "depth", "columns"] as const)
      positiveInteger("gemm", name, p[name]);
    multipleOf("gemm", "columns", p.columns, 4);
    if (p.live !== undefined) {
      positiveInteger("gemm", "live", p.live);
      multipleOf("gemm", "live", p.live, 4);
      inRange("gemm", "live", p.live, 4, p.images * p.columns);
    }
    oneOf("gemm", "type", p.type, ["f32", "act"]);
    checkEpilogue("gemm", p.epilogue);
    addressable("gemm", "x", p.groups, p.images, p.depth, p.columns);
    addressable("gemm", "y", p.groups, p.images, p.rows, p.columns);
  },
  buffers(p) {
    const products = p.groups * p.images * p.columns;
    const { epilogue } = p;
    return [
      { name: "x", access: "read", type: p.type, length: products * p.depth },
      { name: "w", access: "read", type: "weight", length: gemmWeightLength(p.groups, p.rows, p.depth) },
      {
        name: "c",
        access: "read",
        type: "f32",
        length: epilogue.kind === "scale_silu" ? p.images * epilogue.stride : 0,
      },
      { name: "r", access: "read", type: p.type, length: epilogue.kind === "sum_clip" ? products * p.rows : 0 },
      { name: "y", access: "write", type: p.type, length: products * p.rows },
    ];
  },
  variant(p, caps): Variant {
    const loop = family(p, caps);
    // In f32 both types are the same: one pipeline.
    const type = caps.precision === "f16" && p.type === "f32" ? "f32" : "S";
    const common = `alias X = ${type};\n${lanesPrelude(4)}${epiloguePrelude(p.epilogue)}\n`;
    const tile = `${loop.lanes}x${loop.rows}x${loop.wide}`;
    const key = `${loop.kind} ${tile} ${type} ${p.epilogue.kind}`;
    switch (loop.kind) {
      case "plain":
        return { key, prelude: common + plain };
      case "tiled":
        return { key, prelude: common + tiled };
      case "narrow":
        return { key, prelude: common + narrowSource(loop.lanes), needs: ["subgroups"] };
      case "subgroup":
        return { key, prelude: common + subgroupSource(loop.lanes, loop.rows, loop.wide), needs: ["subgroups"] };
    }
  },
  uniforms(p) {
    const { groups, images, rows, depth, columns, epilogue } = p;
    const shape = {
      groups,
      images,
      rows,
      depth,
      packedDepth: packedDepth(depth),
      quads: columns / 4,
      live: liveQuads(p),
    };
    return { ...shape, ...epilogueUniforms(epilogue) };
  },
  grid(p, _variant, caps) {
    const loop = family(p, caps);
    const quads = liveQuads(p);
    if (loop.kind === "plain") return grid1d(p.groups * Math.ceil(p.rows / 8) * quads, 64, caps);
    if (loop.kind === "narrow") return grid1d(p.groups * Math.ceil(p.rows / loop.rows) * quads, 1, caps);
    return grid1d(p.groups * Math.ceil(p.rows / loop.rows) * Math.ceil(quads / (loop.lanes * loop.wide)), 1, caps);
  },
  cost(p, bytesPerAct, bytesPerWeight) {
    const products = p.groups * liveQuads(p) * 4;
    const operands = p.depth + p.rows * (p.epilogue.kind === "sum_clip" ? 2 : 1);
    return {
      flops: 2 * products * p.rows * p.depth,
      bytes: (p.type === "f32" ? 4 : bytesPerAct) * products * operands + bytesPerWeight * p.groups * p.rows * p.depth,
    };
  },
  reference: gemmReference,
  cases: cases(),
  tolerance: { f32: 2e-6, f16: 1e-3 },
};
