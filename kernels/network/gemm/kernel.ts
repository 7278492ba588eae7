import { type Caps, grid1d, type Kernel, type Variant } from "../../../src/gpu/contract.js";
import { addressable, inRange, multipleOf, oneOf, positiveInteger } from "../../lib/check.js";
import clip from "../../lib/clip.wgsl.js";
import { type ConvEpilogue, checkEpilogue, epiloguePrelude, epilogueUniforms } from "../../lib/conv-epilogue.js";
import epilogue from "../../lib/conv-epilogue.wgsl.js";
import { lanesPrelude } from "../../lib/lanes.js";
import silu from "../../lib/mp-silu.wgsl.js";
import { packedLength, packRows } from "../../lib/packed-weight.js";
import { cases } from "./cases.js";
import source from "./kernel.wgsl.js";
import { type Loop, loopChoices, loopOf } from "./loops.js";
import { gemmReference } from "./reference.js";

export interface GemmParams {
  /** Products with a weight of their own: 36 or 16 for Winograd, 1 for a 1x1 convolution. */
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
  /**
   * Columns of one image of the layer, only for `tuneKey`: a panel of a Winograd convolution may hold several images, so that
   * `columns` depends on the batch there. Default: columns where there is one group, else unsaid.
   */
  readonly perImage?: number;
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

function liveQuads(p: GemmParams): number {
  return (p.live ?? p.images * p.columns) / 4;
}

/** A name of the shape without the batch: neither images, panels nor live columns. */
function tuneKey({ groups, rows, depth, columns, perImage, type, epilogue }: GemmParams): string {
  const n = perImage ?? (groups === 1 ? columns : undefined);
  return `gemm ${groups}x[${rows}x${depth}]${n === undefined ? "" : ` n=${n}`} ${type} ${epilogue.kind}`;
}

/** The tuned choice where it is one of those that fit; else, without a word, the cost model's. */
function loop(p: GemmParams, caps: Caps): Loop {
  const choices = loopChoices(p, caps);
  const tuned = caps.tuning?.get(tuneKey(p));
  const choice = tuned !== undefined && choices.includes(tuned) ? tuned : choices[0]!;
  return loopOf(choice, { rows: p.rows, quads: liveQuads(p) }, caps);
}

/** Storage types of x, r and y. Halves are read as pairs: software adapters load and convert f16 one by one. */
const SINGLES = "alias X = f32;\nalias X4 = vec4f;\nfn quad(v: X4) -> vec4f { return v; }\n";
const HALVES =
  "alias X = f16;\nalias X4 = vec2u;\nfn quad(v: X4) -> vec4f { return vec4f(unpack2x16float(v.x), unpack2x16float(v.y)); }\n";

/** y[i, :, g] = w[g] x[i, :, g] with an epilogue: 1x1 convolutions, and the products of Winograd convolutions. */
export const gemm: Kernel<GemmParams> = {
  name: "gemm",
  source: [
    { file: "kernels/lib/clip.wgsl", text: clip },
    { file: "kernels/lib/mp-silu.wgsl", text: silu },
    { file: "kernels/lib/conv-epilogue.wgsl", text: epilogue },
    { file: "kernels/network/gemm/kernel.wgsl", text: source },
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
    const { key, text, subgroups } = loop(p, caps);
    // In f32 both types are the same: one pipeline.
    const half = caps.precision === "f16" && p.type === "act";
    return {
      key: `${key} ${half ? "f16" : "f32"} ${p.epilogue.kind}`,
      prelude: `${half ? HALVES : SINGLES}${lanesPrelude(4)}${epiloguePrelude(p.epilogue)}\n${text}`,
      ...(subgroups ? { needs: ["subgroups"] as const } : {}),
    };
  },
  tuneKey,
  choices: loopChoices,
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
    const { rows, quads, units } = loop(p, caps);
    return grid1d(p.groups * Math.ceil(p.rows / rows) * Math.ceil(liveQuads(p) / quads), units, caps);
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
