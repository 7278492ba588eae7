import type { Inputs } from "../../../src/gpu/contract.js";
import type { ChannelRange } from "../../lib/channel-range.js";
import type { ConvEpilogue } from "../../lib/conv-epilogue.js";
import { epilogueReference } from "../../lib/conv-epilogue.js";
import type { WinogradParams } from "../../lib/winograd.js";
import { blockOf, operandIndex, tiling, winograd } from "../../lib/winograd.js";

export interface WinogradOutputParams extends WinogradParams {
  readonly epilogue: ConvEpilogue;
  /** m's channels are some of y's (and of c's and r's); the rest of y is left as it is. Default: all. */
  readonly into?: ChannelRange;
}

/** Float64 A^T m A and the epilogue by plain loops. */
export function reference(p: WinogradOutputParams, inputs: Inputs) {
  const { m, c, r } = inputs as Record<"m" | "c" | "r", ArrayLike<number>>;
  const { batch, channels, height, width } = p;
  const tiles = tiling(batch, height, width, p.panel, p.tile);
  const { input, tile, AT } = winograd(p.tile);
  const { first, count } = p.part ?? { first: 0, count: tiles.blocks };
  const { first: firstChannel, of } = p.into ?? { first: 0, of: channels };
  // What is not asked for keeps what the caller put there: NaN in the tests.
  const y = new Float64Array(batch * of * height * width).fill(Number.NaN);
  for (let n = 0; n < batch; n++) {
    for (let channel = 0; channel < channels; channel++) {
      for (let row = 0; row < height; row++) {
        for (let col = 0; col < width; col++) {
          const [ty, tx] = [Math.floor(row / tile), Math.floor(col / tile)];
          const block = blockOf(tiles, n, ty, tx) - first;
          if (block < 0 || block >= count) continue;
          let sum = 0;
          for (let i = 0; i < input; i++) {
            for (let j = 0; j < input; j++) {
              const value = m[operandIndex(tiles, channels, { block, ty, tx, channel, i, j })]!;
              sum += AT[row % tile]![i]! * AT[col % tile]![j]! * value;
            }
          }
          const target = firstChannel + channel;
          const index = ((n * of + target) * height + row) * width + col;
          y[index] = epilogueReference(p.epilogue, sum, n, target, index, c, r);
        }
      }
    }
  }
  return { y };
}
