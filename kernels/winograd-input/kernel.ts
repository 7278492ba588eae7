import { grid1d, type Kernel } from "../../src/gpu/contract.js";
import { addressable, positiveInteger } from "../lib/check.js";
import { lanesOf, lanesPrelude } from "../lib/lanes.js";
import { INPUT_TILE, operandLength, PANEL, POINTS, tiling } from "../lib/winograd.js";
import source from "./kernel.wgsl.js";
import quads from "./load-quads.wgsl.js";
import scalars from "./load-scalars.wgsl.js";
import { winogradInputReference } from "./reference.js";

export interface WinogradInputParams {
  readonly batch: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/** x [N, C, H, W] to v [panels][C][36][32] f32, the operand of the 36 matrix products of F(4x4, 3x3). */
export const winogradInput: Kernel<WinogradInputParams> = {
  name: "winograd-input",
  source: [{ file: "kernels/winograd-input/kernel.wgsl", text: source }],
  check(p) {
    for (const name of ["batch", "channels", "height", "width"] as const)
      positiveInteger("winograd-input", name, p[name]);
    addressable("winograd-input", "x", p.batch, p.channels, p.height, p.width);
    addressable("winograd-input", "v", operandLength(p.channels, tiling(p.batch, p.height, p.width)));
  },
  buffers(p) {
    const tiles = tiling(p.batch, p.height, p.width);
    return [
      { name: "x", access: "read", type: "act", length: p.batch * p.channels * p.height * p.width },
      { name: "v", access: "write", type: "f32", length: operandLength(p.channels, tiles) },
    ];
  },
  variant(p) {
    const lanes = lanesOf(p.width);
    return { key: `f4 lanes${lanes}`, prelude: lanesPrelude(lanes) + (lanes === 4 ? quads : scalars) };
  },
  uniforms({ batch, channels, height, width }) {
    const { blocksX, blocksY, blocks } = tiling(batch, height, width);
    return { channels, height, width, blocksX, blocksY, blocks, lines: INPUT_TILE };
  },
  grid: (p, _variant, caps) => grid1d(p.channels * tiling(p.batch, p.height, p.width).panels * PANEL, 64, caps),
  cost(p, bytesPerAct) {
    const elements = operandLength(p.channels, tiling(p.batch, p.height, p.width));
    return {
      // 12 lines of 9 additions and 7 multiplications.
      flops: (elements / POINTS) * 12 * 16,
      bytes: bytesPerAct * p.channels * p.batch * p.height * p.width + 4 * elements,
    };
  },
  reference: winogradInputReference,
  cases: [
    { name: "odd everything", params: { batch: 3, channels: 5, height: 7, width: 9 } },
    { name: "one pixel", params: { batch: 1, channels: 1, height: 1, width: 1 } },
    { name: "one column", params: { batch: 2, channels: 3, height: 6, width: 1 } },
    { name: "quads, the last block not full", params: { batch: 2, channels: 3, height: 11, width: 12 } },
    { name: "whole blocks", params: { batch: 2, channels: 8, height: 16, width: 8 } },
  ],
  tolerance: { f32: 1e-6, f16: 1e-6 },
};
