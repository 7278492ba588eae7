import { type Caps, grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { checkChannels } from "../../lib/channel-range.js";
import { addressable, inRange, oneOf, positiveInteger } from "../../lib/check.js";
import {
  checkEpilogue,
  epilogueBuffers,
  epilogueParts,
  epiloguePrelude,
  epilogueUniforms,
} from "../../lib/conv-epilogue.js";
import { lanesOf, lanesPrelude } from "../../lib/lanes.js";
import { packedLength } from "../../lib/packed-weight.js";
import pixelQuads from "../../lib/pixels-quads.wgsl.js";
import pixelScalars from "../../lib/pixels-scalars.wgsl.js";
import { bestTile, SEGMENTS, TILES, tilesFor } from "../../lib/tiles.js";
import { cases } from "./cases.js";
import source from "./kernel.wgsl.js";
import putQuads from "./put-quads.wgsl.js";
import putScalars from "./put-scalars.wgsl.js";
import { type ImplicitGemmParams, reference } from "./reference.js";
import { LOADED, tiledChannels } from "./sizes.js";

/** Turns of a tile's loop (kernels/lib/tiled-product.ts): three for every four channels. */
const MOST_CHANNELS = 65536;

const quadsOf = ({ batch, height, width }: ImplicitGemmParams) => batch * height * Math.ceil(width / 4);

/** A name of the shape without the batch. */
const tuneKey = ({ inChannels, outChannels, height, width, segments = 1, epilogue }: ImplicitGemmParams) =>
  `implicit-gemm ${inChannels}>${outChannels} @${height}x${width} in ${segments} ${epilogue.kind}`;

function choices({ outChannels, segments = 1 }: ImplicitGemmParams, caps: Caps): string[] {
  return ["tiled", ...tilesFor({ rows: outChannels, segments }, caps).map((name) => `tiled ${name}`)];
}

/** Name of the tuned tile where it fits; else of the one that `bestTile` thinks best. */
function tileName(p: ImplicitGemmParams, caps: Caps): string {
  const { inChannels, outChannels, segments = 1 } = p;
  const tuned = caps.tuning?.get(tuneKey(p));
  if (tuned !== undefined && tuned !== "tiled" && choices(p, caps).includes(tuned)) return tuned.split(" ")[1]!;
  const depth = 9 * tiledChannels(inChannels, segments);
  return bestTile({ groups: 1, rows: outChannels, quads: quadsOf(p), depth, segments, loaded: LOADED }, caps);
}

/** 3x3 convolution with an epilogue in one dispatch: a matrix product whose columns are made as they are read. For GPUs. */
export const implicitGemm: Kernel<ImplicitGemmParams> = {
  name: "implicit-gemm",
  source: [...epilogueParts, { file: "kernels/network/implicit-gemm/kernel.wgsl", text: source }],
  check(p) {
    const name = "implicit-gemm";
    for (const size of ["batch", "inChannels", "outChannels", "height", "width"] as const)
      positiveInteger(name, size, p[size]);
    inRange(name, "inChannels", p.inChannels, 1, MOST_CHANNELS);
    oneOf(name, "segments", p.segments ?? 1, [1, ...SEGMENTS]);
    checkEpilogue(name, p.epilogue);
    checkChannels(name, p.outChannels, p.into);
    addressable(name, "x", p.batch, p.inChannels, p.height, p.width);
    addressable(name, "y", p.batch, p.into?.of ?? p.outChannels, p.height, p.width);
  },
  buffers(p) {
    const pixels = p.batch * p.height * p.width;
    const length = pixels * (p.into?.of ?? p.outChannels);
    return [
      read("x", pixels * p.inChannels, "act"),
      read("w", packedLength(p.outChannels, 9 * p.inChannels), "weight"),
      ...epilogueBuffers(p.epilogue, p.batch, length),
      write("y", length, "act"),
    ];
  },
  variant(p, caps) {
    const name = tileName(p, caps);
    const lanes = lanesOf(p.width);
    const { segments = 1 } = p;
    const [pixels, put] = lanes === 4 ? [pixelQuads, putQuads] : [pixelScalars, putScalars];
    return {
      key: `tiled ${name} of ${segments} lanes${lanes} ${p.epilogue.kind}`,
      prelude: `${lanesPrelude(lanes)}${epiloguePrelude(p.epilogue)}\n${pixels}${put}`,
      text: async () => (await import("./tiled.js")).tiledSource(TILES[name]!, segments),
    };
  },
  tuneKey,
  choices,
  uniforms(p) {
    const { inChannels, outChannels, height, width } = p;
    return {
      inChannels,
      outChannels,
      firstChannel: p.into?.first ?? 0,
      ofChannels: p.into?.of ?? outChannels,
      height,
      width,
      rowQuads: Math.ceil(width / 4),
      quads: quadsOf(p),
      ...epilogueUniforms(p.epilogue),
    };
  },
  grid(p, _variant, caps) {
    const { rows, columns } = TILES[tileName(p, caps)]!;
    return grid1d(Math.ceil(p.outChannels / rows) * Math.ceil((4 * quadsOf(p)) / columns), 1, caps);
  },
  cost(p, bytesPerAct, bytesPerWeight) {
    const pixels = p.batch * p.height * p.width;
    const residual = p.epilogue.kind === "sum_clip" ? p.outChannels : 0;
    return {
      flops: 18 * pixels * p.outChannels * p.inChannels,
      bytes:
        bytesPerAct * pixels * (p.inChannels + p.outChannels + residual) +
        bytesPerWeight * 9 * p.outChannels * p.inChannels,
    };
  },
  products(p, caps) {
    const { rows, columns } = TILES[tileName(p, caps)]!;
    const whole = (size: number, unit: number) => Math.ceil(size / unit) * unit;
    const depth = tiledChannels(p.inChannels, p.segments ?? 1);
    return {
      asked: 9 * p.batch * p.height * p.width * p.outChannels * p.inChannels,
      made: 9 * whole(4 * quadsOf(p), columns) * whole(p.outChannels, rows) * depth,
    };
  },
  reference,
  cases: cases(),
  tolerance: { f32: 5e-6, f16: 3e-3 },
};
