import { grid1d, type Kernel } from "../../src/gpu/contract.js";
import { addressable, oneOf, positiveInteger } from "../lib/check.js";
import { lanesOf, lanesPrelude } from "../lib/lanes.js";
import { INPUT_TILE, operandLength, POINTS, tiling } from "../lib/winograd.js";
import source from "./kernel.wgsl.js";
import quads from "./load-quads.wgsl.js";
import scalars from "./load-scalars.wgsl.js";
import { winogradInputReference } from "./reference.js";

export interface WinogradInputParams {
  readonly batch: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** Blocks of a panel (kernels/lib/winograd.ts): 1, 2, 4 or 8, the default. */
  readonly panel?: number;
}

/** x [N, C, H, W] to v [panels][C][36][panel columns] f32, the operand of the 36 matrix products of F(4x4, 3x3). */
export const winogradInput: Kernel<WinogradInputParams> = {
  name: "winograd-input",
  source: [{ file: "kernels/winograd-input/kernel.wgsl", text: source }],
  check(p) {
    for (const name of ["batch", "channels", "height", "width"] as const)
      positiveInteger("winograd-input", name, p[name]);
    oneOf("winograd-input", "panel", p.panel ?? 8, [1, 2, 4, 8]);
    addressable("winograd-input", "x", p.batch, p.channels, p.height, p.width);
    addressable("winograd-input", "v", operandLength(p.channels, tiling(p.batch, p.height, p.width, p.panel)));
  },
  buffers(p) {
    const tiles = tiling(p.batch, p.height, p.width, p.panel);
    return [
      { name: "x", access: "read", type: "act", length: p.batch * p.channels * p.height * p.width },
      { name: "v", access: "write", type: "f32", length: operandLength(p.channels, tiles) },
    ];
  },
  variant(p) {
    const lanes = lanesOf(p.width);
    return { key: `f4 lanes${lanes}`, prelude: lanesPrelude(lanes) + (lanes === 4 ? quads : scalars) };
  },
  uniforms({ batch, channels, height, width, panel: panelBlocks }) {
    const { blocksX, blocksY, blocks, panel } = tiling(batch, height, width, panelBlocks);
    return { channels, height, width, blocksX, blocksY, blocks, panelShift: Math.log2(panel), lines: INPUT_TILE };
  },
  grid(p, _variant, caps) {
    const { panel, panels } = tiling(p.batch, p.height, p.width, p.panel);
    return grid1d(p.channels * panels * panel, 64, caps);
  },
  cost(p, bytesPerAct) {
    const elements = operandLength(p.channels, tiling(p.batch, p.height, p.width, p.panel));
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
    { name: "a panel of four", params: { batch: 3, channels: 3, height: 8, width: 8, panel: 4 } },
    { name: "one column", params: { batch: 2, channels: 3, height: 6, width: 1 } },
    { name: "quads, the last block not full", params: { batch: 2, channels: 3, height: 11, width: 12 } },
    { name: "whole blocks", params: { batch: 2, channels: 8, height: 16, width: 8 } },
  ],
  tolerance: { f32: 1e-6, f16: 1e-6 },
};
