import { type Caps, grid1d, type Kernel, type Variant } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { addressable, inRange, multipleOf, oneOf, positiveInteger } from "../../lib/check.js";
import {
  checkEpilogue,
  epilogueBuffers,
  epilogueParts,
  epiloguePrelude,
  epilogueUniforms,
} from "../../lib/conv-epilogue.js";
import eightRows from "../../lib/eight-rows.wgsl.js";
import { lanesPrelude } from "../../lib/lanes.js";
import { SEGMENTS } from "../../lib/tiles.js";
import { cases } from "./cases.js";
import source from "./kernel.wgsl.js";
import { type Loop, loopChoices, loopOf } from "./loops.js";
import { type GemmParams, packedDepth, reference } from "./reference.js";
import { partDepth, shrinking } from "./sizes.js";
import { gemmWeightLength } from "./weight.js";

function liveQuads(p: GemmParams): number {
  return (p.live ?? p.images * p.columns) / 4;
}

/** A name of the shape without the batch: neither images, panels nor live columns. A sum in parts has loops of its own. */
function tuneKey({ groups, rows, depth, columns, perImage, segments = 1, type, epilogue }: GemmParams): string {
  const n = perImage ?? (groups === 1 ? columns : undefined);
  const parts = segments > 1 ? ` in ${segments}` : "";
  return `gemm ${groups}x[${rows}x${depth}]${n === undefined ? "" : ` n=${n}`}${parts} ${type} ${epilogue.kind}`;
}

const layerOf = ({ groups, rows, depth, segments = 1 }: GemmParams) => ({ groups, rows, depth, segments });

/** The tuned choice where it is one of those that fit; else, without a word, the cost model's. */
function loop(p: GemmParams, caps: Caps): Loop {
  const layer = layerOf(p);
  const choices = loopChoices(layer, caps);
  const tuned = caps.tuning?.get(tuneKey(p));
  const choice = tuned !== undefined && choices.includes(tuned) ? tuned : choices[0]!;
  return loopOf(choice, { ...layer, quads: liveQuads(p), sums: p.epilogue.kind === "sum_clip" }, caps);
}

/** Turns of a tile's loop, but for the last, which only multiplies, in whole parts, times the k of a turn (kernels/lib/tiled-product.ts). */
const DEEPEST = (65536 - Math.max(...SEGMENTS)) * 8;

const MATRICES = ["subgroups", "f16", "chromium_experimental_subgroup_matrix"] as const;

/** Storage types of x, r and y. Halves are read as pairs: software adapters load and convert f16 one by one. */
const SINGLES = "alias X = f32;\nalias X4 = vec4f;\nfn quad(v: X4) -> vec4f { return v; }\n";
const HALVES =
  "alias X = f16;\nalias X4 = vec2u;\nfn quad(v: X4) -> vec4f { return vec4f(unpack2x16float(v.x), unpack2x16float(v.y)); }\n";

/** y[i, :, g] = w[g] x[i, :, g] with an epilogue: 1x1 convolutions, and the products of Winograd convolutions. */
export const gemm: Kernel<GemmParams> = {
  name: "gemm",
  source: [
    ...epilogueParts,
    { file: "kernels/lib/eight-rows.wgsl", text: eightRows },
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
    oneOf("gemm", "segments", p.segments ?? 1, [1, ...SEGMENTS]);
    inRange("gemm", "depth", p.depth, 1, DEEPEST);
    checkEpilogue("gemm", p.epilogue);
    addressable("gemm", "x", p.groups, p.images, p.depth, p.columns);
    addressable("gemm", "y", p.groups, p.images, p.rows, p.columns);
  },
  buffers(p) {
    const products = p.groups * p.images * p.columns;
    return [
      read("x", products * p.depth, p.type),
      read("w", gemmWeightLength(p.groups, p.rows, p.depth), "weight"),
      ...epilogueBuffers(p.epilogue, p.images, products * p.rows, p.type),
      write("y", products * p.rows, p.type),
    ];
  },
  variant(p, caps): Variant {
    const { key, text, subgroups, matrices } = loop(p, caps);
    // In f32 both types are the same: one pipeline.
    const half = caps.precision === "f16" && p.type === "act";
    return {
      key: `${key} ${half ? "f16" : "f32"} ${p.epilogue.kind}`,
      prelude: `${half ? HALVES : SINGLES}${matrices ? shrinking(half) : ""}${lanesPrelude(4)}${epiloguePrelude(p.epilogue)}`,
      text,
      ...(matrices ? { needs: MATRICES } : subgroups ? { needs: ["subgroups"] as const } : {}),
    };
  },
  tuneKey,
  choices: (p, caps) => loopChoices(layerOf(p), caps),
  uniforms(p) {
    const { groups, images, rows, depth, columns, segments = 1, epilogue } = p;
    const shape = {
      groups,
      images,
      rows,
      depth,
      packedDepth: packedDepth(depth),
      quads: columns / 4,
      live: liveQuads(p),
      part: partDepth(depth, segments),
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
  products(p, caps) {
    const { rows, quads, step } = loop(p, caps);
    const whole = (size: number, unit: number) => Math.ceil(size / unit) * unit;
    const columns = 4 * whole(liveQuads(p), quads);
    return {
      asked: p.groups * p.rows * p.depth * 4 * liveQuads(p),
      made: p.groups * whole(p.rows, rows) * whole(p.depth, step) * columns,
    };
  },
  reference,
  cases: cases(),
  tolerance: { f32: 2e-6, f16: 1e-3 },
};
