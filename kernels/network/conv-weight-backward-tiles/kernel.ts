import { grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { channelOperandLength, octets, PANEL, panels } from "../../lib/channel-operand.js";
import { channelPlaces } from "../../lib/channel-place.js";
import { addressable, inRange, nonNegativeInteger, oneOf, positiveInteger } from "../../lib/check.js";
import { winograd } from "../../lib/winograd.js";
import { inputLines } from "../../lib/winograd-transform.js";
import gradient2 from "./gradient2.wgsl.js";
import gradient4 from "./gradient4.wgsl.js";
import input2 from "./input2.wgsl.js";
import input4 from "./input4.wgsl.js";
import source from "./kernel.wgsl.js";
import quads from "./load-quads.wgsl.js";
import scalars from "./load-scalars.wgsl.js";
import { type ConvWeightBackwardTilesParams, partOf, reference, tilesOf } from "./reference.js";

const TEXTS = {
  input: { 2: inputLines[2] + input2, 4: inputLines[4] + input4 },
  gradient: { 2: gradient2, 4: gradient4 },
};

const lengthOf = (p: ConvWeightBackwardTilesParams) =>
  channelOperandLength(p.channels, partOf(p).count, winograd(p.tile).points);

const invocations = (p: ConvWeightBackwardTilesParams) => panels(partOf(p).count) * octets(p.channels) * PANEL * 2;

/** x [N, C, H, W] to v [panels][octets of C][points][16][8] f32, an operand of a weight gradient's products. */
export const convWeightBackwardTiles: Kernel<ConvWeightBackwardTilesParams> = {
  name: "conv-weight-backward-tiles",
  source: [...channelPlaces, { file: "kernels/network/conv-weight-backward-tiles/kernel.wgsl", text: source }],
  check(p) {
    for (const name of ["batch", "channels", "height", "width"] as const)
      positiveInteger("conv-weight-backward-tiles", name, p[name]);
    oneOf("conv-weight-backward-tiles", "tile", p.tile, [2, 4]);
    oneOf("conv-weight-backward-tiles", "of", p.of, ["input", "gradient"]);
    if (p.part) {
      const { tilesX, tilesY } = tilesOf(p);
      nonNegativeInteger("conv-weight-backward-tiles", "part.first", p.part.first);
      positiveInteger("conv-weight-backward-tiles", "part.count", p.part.count);
      inRange(
        "conv-weight-backward-tiles",
        "part.first + part.count",
        p.part.first + p.part.count,
        1,
        p.batch * tilesX * tilesY,
      );
    }
    addressable("conv-weight-backward-tiles", "x", p.batch, p.channels, p.height, p.width);
    addressable("conv-weight-backward-tiles", "v", lengthOf(p));
  },
  buffers: (p) => [read("x", p.batch * p.channels * p.height * p.width, "act"), write("v", lengthOf(p))],
  variant(p) {
    const inQuads = p.tile === 4 && p.width % 4 === 0;
    return {
      key: `${p.of} f${p.tile} ${inQuads ? "quads" : "scalars"}`,
      prelude: TEXTS[p.of][p.tile] + (inQuads ? quads : scalars),
    };
  },
  uniforms(p) {
    const { channels, height, width, tile } = p;
    const { first, count } = partOf(p);
    const { input } = winograd(tile);
    return {
      channels,
      octets: octets(channels),
      height,
      width,
      ...tilesOf(p),
      first,
      places: count,
      threads: invocations(p),
      rows: p.of === "input" ? input : tile,
      lines: input,
    };
  },
  grid: (p, _variant, caps) => grid1d(invocations(p), 64, caps),
  cost(p, bytesPerAct) {
    const { tilesX, tilesY } = tilesOf(p);
    const { points, input } = winograd(p.tile);
    const rows = p.of === "input" ? input : p.tile;
    const share = partOf(p).count / (p.batch * tilesX * tilesY);
    return {
      // Multiply-adds of the second pass, and about as many of the first for each row.
      flops: (lengthOf(p) / points) * input * rows * (input + rows),
      bytes: bytesPerAct * share * p.batch * p.channels * p.height * p.width + 4 * lengthOf(p),
    };
  },
  reference,
  cases: (["input", "gradient"] as const).flatMap((of) =>
    ([4, 2] as const).flatMap((tile) => {
      const kind = { of, tile };
      const name = `${of}, tiles of ${tile}`;
      return [
        { name: `${name}: odd everything`, params: { ...kind, batch: 3, channels: 5, height: 7, width: 9 } },
        { name: `${name}: one pixel`, params: { ...kind, batch: 1, channels: 1, height: 1, width: 1 } },
        { name: `${name}: one column`, params: { ...kind, batch: 2, channels: 9, height: 6, width: 1 } },
        { name: `${name}: quads`, params: { ...kind, batch: 2, channels: 13, height: 5, width: 12 } },
        {
          name: `${name}: some tiles, over two images`,
          params: { ...kind, batch: 2, channels: 12, height: 16, width: 23, part: { first: 16, count: 21 } },
        },
        { name: `${name}: a layer`, params: { ...kind, batch: 2, channels: 32, height: 32, width: 32 } },
      ];
    }),
  ),
  tolerance: { f32: 1e-6, f16: 1e-6 },
};
