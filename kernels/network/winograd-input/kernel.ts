import { read, write } from "../../lib/buffers.js";
import { elementwise } from "../../lib/elementwise.js";
import { lanesOf, lanesPrelude } from "../../lib/lanes.js";
import pixelQuads from "../../lib/pixels-quads.wgsl.js";
import pixelScalars from "../../lib/pixels-scalars.wgsl.js";
import { operandLength, tilesOf, wholeOf, winograd } from "../../lib/winograd.js";
import { inputLines, winogradTransform } from "../../lib/winograd-transform.js";
import source from "./kernel.wgsl.js";
import { reference, type WinogradInputParams } from "./reference.js";

const transform = winogradTransform("winograd-input");

/** x [N, C, H, W] to v [panels][C][points][panel columns] f32, the operand of the matrix products of F(m x m, 3x3). */
export const winogradInput = elementwise<WinogradInputParams>({
  ...transform,
  source,
  buffers(p) {
    return [
      read("x", p.batch * p.channels * p.height * p.width, "act"),
      write("v", operandLength(p.channels, tilesOf(p))),
    ];
  },
  variant(p, { software }) {
    const lanes = lanesOf(p.width);
    const { tile = 4 } = p;
    const quad = lanes === 4;
    // Blocks of tiles of 4 load their quads in their own way.
    const pixels = software && tile === 4 && quad ? "" : quad ? pixelQuads : pixelScalars;
    return {
      key: `f${tile}${software ? "" : " one"} lanes${lanes}`,
      prelude: lanesPrelude(lanes) + inputLines[tile] + pixels,
      text: async () =>
        software ? (await import("./blocks.js")).blocks(tile, quad) : (await import("./tiles.js")).tiles(tile),
    };
  },
  cost(p, bytesPerAct) {
    const { tile, points, input } = winograd(p.tile);
    const elements = operandLength(p.channels, tilesOf(p));
    const share = tilesOf(p).blocks / wholeOf(p).blocks;
    return {
      // Lines of 9 additions and 7 multiplications, or of 4 additions.
      flops: (elements / points) * 2 * input * (tile === 4 ? 16 : 4),
      bytes: bytesPerAct * share * p.channels * p.batch * p.height * p.width + 4 * elements,
    };
  },
  reference,
  cases: [
    { name: "odd everything", params: { batch: 3, channels: 5, height: 7, width: 9 } },
    { name: "one pixel", params: { batch: 1, channels: 1, height: 1, width: 1 } },
    { name: "a panel of four", params: { batch: 3, channels: 3, height: 8, width: 8, panel: 4 } },
    { name: "one column", params: { batch: 2, channels: 3, height: 6, width: 1 } },
    { name: "quads, the last block not full", params: { batch: 2, channels: 3, height: 11, width: 12 } },
    {
      name: "some of the blocks, over two images",
      params: { batch: 2, channels: 3, height: 16, width: 24, panel: 4, part: { first: 4, count: 5 } },
    },
    { name: "whole blocks", params: { batch: 2, channels: 8, height: 16, width: 8 } },
    { name: "tiles of 2, odd everything", params: { batch: 3, channels: 5, height: 7, width: 9, tile: 2 } },
    { name: "tiles of 2, one pixel", params: { batch: 1, channels: 1, height: 1, width: 1, panel: 1, tile: 2 } },
    { name: "tiles of 2, one block", params: { batch: 3, channels: 9, height: 4, width: 4, panel: 4, tile: 2 } },
    {
      name: "tiles of 2, quads, some of the blocks",
      params: { batch: 2, channels: 3, height: 7, width: 12, tile: 2, part: { first: 4, count: 5 } },
    },
  ],
  tolerance: { f32: 1e-6, f16: 1e-6 },
});
