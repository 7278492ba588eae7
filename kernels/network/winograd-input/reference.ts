import type { Inputs } from "../../../src/gpu/contract.js";
import type { WinogradParams } from "../../lib/winograd.js";
import { blockOf, operandIndex, operandLength, partOf, tiling, winograd } from "../../lib/winograd.js";

export type WinogradInputParams = WinogradParams;

/** Float64 B^T d B of every patch by plain loops. */
export function reference(p: WinogradInputParams, inputs: Inputs) {
  const x = inputs.x!;
  const { batch, channels, height, width } = p;
  const tiles = tiling(batch, height, width, p.panel, p.tile);
  const { input, tile, BT } = winograd(p.tile);
  const { first, count } = p.part ?? { first: 0, count: tiles.blocks };
  const v = new Float64Array(operandLength(channels, partOf(tiles, p.part)));
  const at = (n: number, c: number, row: number, col: number) =>
    row < 0 || row >= height || col < 0 || col >= width ? 0 : x[((n * channels + c) * height + row) * width + col]!;
  for (let n = 0; n < batch; n++) {
    for (let c = 0; c < channels; c++) {
      for (let ty = 0; ty < 2 * tiles.blocksY; ty++) {
        for (let tx = 0; tx < 2 * tiles.blocksX; tx++) {
          const block = blockOf(tiles, n, ty, tx) - first;
          if (block < 0 || block >= count) continue;
          for (let i = 0; i < input; i++) {
            for (let j = 0; j < input; j++) {
              let sum = 0;
              for (let k = 0; k < input; k++) {
                for (let l = 0; l < input; l++) {
                  sum += BT[i]![k]! * BT[j]![l]! * at(n, c, tile * ty - 1 + k, tile * tx - 1 + l);
                }
              }
              v[operandIndex(tiles, channels, { block, ty, tx, channel: c, i, j })] = sum;
            }
          }
        }
      }
    }
  }
  return { v };
}
