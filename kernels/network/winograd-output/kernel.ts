import { read, write } from "../../lib/buffers.js";
import { checkChannels } from "../../lib/channel-range.js";
import {
  checkEpilogue,
  epilogueBuffers,
  epilogueParts,
  epiloguePrelude,
  epilogueUniforms,
} from "../../lib/conv-epilogue.js";
import { elementwise } from "../../lib/elementwise.js";
import { lanesOf, lanesPrelude } from "../../lib/lanes.js";
import { operandLength, tilesOf, wholeOf, winograd } from "../../lib/winograd.js";
import { winogradTransform } from "../../lib/winograd-transform.js";
import source from "./kernel.wgsl.js";
import line2 from "./line2.wgsl.js";
import line4 from "./line4.wgsl.js";
import quads from "./put-quads.wgsl.js";
import scalars from "./put-scalars.wgsl.js";
import { reference, type WinogradOutputParams } from "./reference.js";

const transform = winogradTransform("winograd-output");

/** m [panels][C][points][panel columns] f32, the matrix products of F(m x m, 3x3), to y [N, C, H, W] with the epilogue applied. */
export const winogradOutput = elementwise<WinogradOutputParams>({
  ...transform,
  source,
  parts: [...epilogueParts, ...transform.parts],
  check(p) {
    transform.check(p);
    checkEpilogue("winograd-output", p.epilogue);
    checkChannels("winograd-output", p.channels, p.into);
  },
  buffers(p) {
    const length = p.batch * (p.into?.of ?? p.channels) * p.height * p.width;
    return [
      read("m", operandLength(p.channels, tilesOf(p))),
      ...epilogueBuffers(p.epilogue, p.batch, length),
      write("y", length, "act"),
    ];
  },
  variant(p, { software }) {
    // Two neighbours at a time are no quad.
    const lanes = !software && p.tile === 2 ? 1 : lanesOf(p.width);
    const put = lanes === 4 ? quads : scalars;
    const { tile = 4 } = p;
    const line = tile === 2 ? line2 : line4;
    return {
      key: `f${tile}${software ? "" : " one"} lanes${lanes} ${p.epilogue.kind}`,
      prelude: `${lanesPrelude(lanes)}${epiloguePrelude(p.epilogue)}\n${put}${line}`,
      text: async () =>
        software ? (await import("./blocks.js")).blocks(tile) : (await import("./tiles.js")).tiles(tile),
    };
  },
  uniforms: (p) => ({
    ...transform.uniforms(p),
    firstChannel: p.into?.first ?? 0,
    ofChannels: p.into?.of ?? p.channels,
    ...epilogueUniforms(p.epilogue),
  }),
  cost(p, bytesPerAct) {
    const { tile, points } = winograd(p.tile);
    const elements = operandLength(p.channels, tilesOf(p));
    const share = tilesOf(p).blocks / wholeOf(p).blocks;
    const operands = p.epilogue.kind === "sum_clip" ? 2 : 1;
    return {
      // 10 lines of 9 additions and 5 multiplications, or 6 of 4 additions.
      flops: (elements / points) * (tile === 4 ? 10 * 14 : 6 * 4),
      bytes: operands * bytesPerAct * share * p.channels * p.batch * p.height * p.width + 4 * elements,
    };
  },
  reference,
  cases: (() => {
    const base = { batch: 3, channels: 5, height: 7, width: 9, epilogue: { kind: "none" as const } };
    return [
      { name: "odd everything", params: base },
      { name: "one pixel", params: { ...base, batch: 1, channels: 1, height: 1, width: 1, panel: 1 } },
      { name: "panels of two", params: { ...base, height: 8, width: 8, panel: 2 } },
      { name: "scale and silu", params: { ...base, epilogue: { kind: "scale_silu" as const, offset: 3, stride: 17 } } },
      { name: "sum and clip", params: { ...base, epilogue: { kind: "sum_clip" as const, residual: 0.7, clip: 1.5 } } },
      {
        name: "some channels of some blocks, scale and silu",
        params: {
          ...base,
          height: 16,
          width: 24,
          panel: 4,
          part: { first: 4, count: 9 },
          into: { first: 8, of: 19 },
          epilogue: { kind: "scale_silu" as const, offset: 3, stride: 31 },
        },
      },
      {
        name: "some channels, sum and clip",
        params: {
          ...base,
          into: { first: 8, of: 16 },
          epilogue: { kind: "sum_clip" as const, residual: 0.7, clip: 1.5 },
        },
      },
      {
        name: "whole tiles, sum",
        params: { ...base, height: 8, width: 16, epilogue: { kind: "sum_clip" as const, residual: 0.7, clip: null } },
      },
      { name: "tiles of 2, odd everything", params: { ...base, tile: 2 as const } },
      { name: "tiles of 2, one block", params: { ...base, height: 4, width: 4, panel: 4, tile: 2 as const } },
      {
        name: "tiles of 2, quads, some channels, scale and silu",
        params: {
          ...base,
          height: 6,
          width: 12,
          tile: 2 as const,
          into: { first: 8, of: 19 },
          epilogue: { kind: "scale_silu" as const, offset: 3, stride: 31 },
        },
      },
    ];
  })(),
  tolerance: { f32: 2e-6, f16: 1e-3 },
});
