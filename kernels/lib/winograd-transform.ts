import { type Caps, grid1d } from "../../src/gpu/contract.js";
import { inRange, nonNegativeInteger, oneOf, positiveInteger } from "./check.js";
import { perInvocation } from "./entry.js";
import { tilesOf, type WinogradParams, wholeOf, winograd } from "./winograd.js";
import block from "./winograd-block.wgsl.js";
import input2 from "./winograd-input2.wgsl.js";
import input4 from "./winograd-input4.wgsl.js";

/** WGSL of B^T by the size of a tile: `input_line` of a line, and `weights`, its rows. */
export const inputLines = { 2: input2, 4: input4 } as const;

/** On a software adapter an invocation for each block of a channel, elsewhere for each of its four tiles. */
export const blocksEntry = perInvocation(64).text;

/** What the contracts of both transforms have in common. */
export function winogradTransform(name: string) {
  const threads = (p: WinogradParams) => {
    const { panel, panels } = tilesOf(p);
    return p.channels * panels * panel;
  };
  return {
    name,
    group: "network",
    parts: [{ file: "kernels/lib/winograd-block.wgsl", text: block }],
    counts: ({ batch, channels, height, width }: WinogradParams) => ({ batch, channels, height, width }),
    check(p: WinogradParams) {
      oneOf(name, "panel", p.panel ?? 8, [1, 2, 4, 8]);
      oneOf(name, "tile", p.tile ?? 4, [2, 4]);
      if (!p.part) return;
      nonNegativeInteger(name, "part.first", p.part.first);
      positiveInteger(name, "part.count", p.part.count);
      inRange(name, "part.first + part.count", p.part.first + p.part.count, 1, wholeOf(p).blocks);
    },
    threads,
    grid: (p: WinogradParams, _variant: unknown, caps: Caps) => grid1d((caps.software ? 1 : 4) * threads(p), 64, caps),
    uniforms(p: WinogradParams) {
      const { tile, blocksX, blocksY, blocks, panel } = tilesOf(p);
      const lines = winograd(tile).input;
      return { blocksX, blocksY, firstBlock: p.part?.first ?? 0, blocks, panelShift: Math.log2(panel), lines };
    },
  };
}
