import { grid1d, type Kernel } from "../../src/gpu/contract.js";
import { addressable, oneOf, positiveInteger } from "../lib/check.js";
import clip from "../lib/clip.wgsl.js";
import { type ConvEpilogue, checkEpilogue, epiloguePrelude, epilogueUniforms } from "../lib/conv-epilogue.js";
import epilogue from "../lib/conv-epilogue.wgsl.js";
import { lanesOf, lanesPrelude } from "../lib/lanes.js";
import silu from "../lib/mp-silu.wgsl.js";
import { INPUT_TILE, operandLength, POINTS, tiling } from "../lib/winograd.js";
import source from "./kernel.wgsl.js";
import quads from "./put-quads.wgsl.js";
import scalars from "./put-scalars.wgsl.js";
import { winogradOutputReference } from "./reference.js";

export interface WinogradOutputParams {
  readonly batch: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** Blocks of a panel (kernels/lib/winograd.ts): 1, 2, 4 or 8, the default. */
  readonly panel?: number;
  readonly epilogue: ConvEpilogue;
}

/** m [panels][C][36][panel columns] f32, the 36 matrix products of F(4x4, 3x3), to y [N, C, H, W] with the epilogue applied. */
export const winogradOutput: Kernel<WinogradOutputParams> = {
  name: "winograd-output",
  source: [
    { file: "kernels/lib/clip.wgsl", text: clip },
    { file: "kernels/lib/mp-silu.wgsl", text: silu },
    { file: "kernels/lib/conv-epilogue.wgsl", text: epilogue },
    { file: "kernels/winograd-output/kernel.wgsl", text: source },
  ],
  check(p) {
    for (const name of ["batch", "channels", "height", "width"] as const)
      positiveInteger("winograd-output", name, p[name]);
    oneOf("winograd-output", "panel", p.panel ?? 8, [1, 2, 4, 8]);
    checkEpilogue("winograd-output", p.epilogue);
    addressable("winograd-output", "m", operandLength(p.channels, tiling(p.batch, p.height, p.width, p.panel)));
    addressable("winograd-output", "y", p.batch, p.channels, p.height, p.width);
  },
  buffers(p) {
    const tiles = tiling(p.batch, p.height, p.width, p.panel);
    const length = p.batch * p.channels * p.height * p.width;
    return [
      { name: "m", access: "read", type: "f32", length: operandLength(p.channels, tiles) },
      {
        name: "c",
        access: "read",
        type: "f32",
        length: p.epilogue.kind === "scale_silu" ? p.batch * p.epilogue.stride : 0,
      },
      { name: "r", access: "read", type: "act", length: p.epilogue.kind === "sum_clip" ? length : 0 },
      { name: "y", access: "write", type: "act", length },
    ];
  },
  variant(p) {
    const lanes = lanesOf(p.width);
    const put = lanes === 4 ? quads : scalars;
    return {
      key: `f4 lanes${lanes} ${p.epilogue.kind}`,
      prelude: `${lanesPrelude(lanes)}${epiloguePrelude(p.epilogue)}\n${put}`,
    };
  },
  uniforms({ batch, channels, height, width, panel: panelBlocks, epilogue }) {
    const { blocksX, blocksY, blocks, panel } = tiling(batch, height, width, panelBlocks);
    return {
      channels,
      height,
      width,
      blocksX,
      blocksY,
      blocks,
      panelShift: Math.log2(panel),
      lines: INPUT_TILE,
      ...epilogueUniforms(epilogue),
    };
  },
  grid(p, _variant, caps) {
    const { panel, panels } = tiling(p.batch, p.height, p.width, p.panel);
    return grid1d(p.channels * panels * panel, 64, caps);
  },
  cost(p, bytesPerAct) {
    const elements = operandLength(p.channels, tiling(p.batch, p.height, p.width, p.panel));
    const operands = p.epilogue.kind === "sum_clip" ? 2 : 1;
    return {
      // 10 lines of 9 additions and 5 multiplications.
      flops: (elements / POINTS) * 10 * 14,
      bytes: operands * bytesPerAct * p.channels * p.batch * p.height * p.width + 4 * elements,
    };
  },
  reference: winogradOutputReference,
  cases: (() => {
    const base = { batch: 3, channels: 5, height: 7, width: 9, epilogue: { kind: "none" as const } };
    return [
      { name: "odd everything", params: base },
      { name: "one pixel", params: { ...base, batch: 1, channels: 1, height: 1, width: 1, panel: 1 } },
      { name: "panels of two", params: { ...base, height: 8, width: 8, panel: 2 } },
      { name: "scale and silu", params: { ...base, epilogue: { kind: "scale_silu" as const, offset: 3, stride: 17 } } },
      { name: "sum and clip", params: { ...base, epilogue: { kind: "sum_clip" as const, residual: 0.7, clip: 1.5 } } },
      {
        name: "whole tiles, sum",
        params: { ...base, height: 8, width: 16, epilogue: { kind: "sum_clip" as const, residual: 0.7, clip: null } },
      },
    ];
  })(),
  tolerance: { f32: 2e-6, f16: 1e-3 },
};
