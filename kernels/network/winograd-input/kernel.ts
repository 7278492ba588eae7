import { grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { addressable, inRange, nonNegativeInteger, oneOf, positiveInteger } from "../../lib/check.js";
import { lanesOf, lanesPrelude } from "../../lib/lanes.js";
import { operandLength, partOf, type Tiling, tiling, winograd } from "../../lib/winograd.js";
import source from "./kernel.wgsl.js";
import quads from "./load-quads.wgsl.js";
import scalars from "./load-scalars.wgsl.js";
import pixelQuads from "./pixels-quads.wgsl.js";
import pixelScalars from "./pixels-scalars.wgsl.js";
import { reference, type WinogradInputParams } from "./reference.js";
import tile2 from "./tile2.wgsl.js";
import tile4 from "./tile4.wgsl.js";

/** The tiles of all images, and of the part that is asked for. */
function wholeOf({ batch, height, width, panel, tile }: WinogradInputParams): Tiling {
  return tiling(batch, height, width, panel, tile);
}

const tilesOf = (p: WinogradInputParams) => partOf(wholeOf(p), p.part);

/** x [N, C, H, W] to v [panels][C][points][panel columns] f32, the operand of the matrix products of F(m x m, 3x3). */
export const winogradInput: Kernel<WinogradInputParams> = {
  name: "winograd-input",
  source: [{ file: "kernels/network/winograd-input/kernel.wgsl", text: source }],
  check(p) {
    for (const name of ["batch", "channels", "height", "width"] as const)
      positiveInteger("winograd-input", name, p[name]);
    oneOf("winograd-input", "panel", p.panel ?? 8, [1, 2, 4, 8]);
    oneOf("winograd-input", "tile", p.tile ?? 4, [2, 4]);
    if (p.part) {
      const { blocks } = wholeOf(p);
      nonNegativeInteger("winograd-input", "part.first", p.part.first);
      positiveInteger("winograd-input", "part.count", p.part.count);
      inRange("winograd-input", "part.first + part.count", p.part.first + p.part.count, 1, blocks);
    }
    addressable("winograd-input", "x", p.batch, p.channels, p.height, p.width);
    addressable("winograd-input", "v", operandLength(p.channels, tilesOf(p)));
  },
  buffers(p) {
    return [
      read("x", p.batch * p.channels * p.height * p.width, "act"),
      write("v", operandLength(p.channels, tilesOf(p))),
    ];
  },
  variant(p) {
    const lanes = lanesOf(p.width);
    const quad = lanes === 4;
    const load4 = quad ? quads : pixelScalars + scalars;
    const text = p.tile === 2 ? (quad ? pixelQuads : pixelScalars) + tile2 : load4 + tile4;
    return { key: `f${p.tile ?? 4} lanes${lanes}`, prelude: lanesPrelude(lanes) + text };
  },
  uniforms(p) {
    const { channels, height, width } = p;
    const { tile, blocksX, blocksY, blocks, panel } = tilesOf(p);
    const { input: lines } = winograd(tile);
    const image = { channels, height, width, blocksX, blocksY };
    return { ...image, firstBlock: p.part?.first ?? 0, blocks, panelShift: Math.log2(panel), lines };
  },
  grid(p, _variant, caps) {
    const { panel, panels } = tilesOf(p);
    return grid1d(p.channels * panels * panel, 64, caps);
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
};
