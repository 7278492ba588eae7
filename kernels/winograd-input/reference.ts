import { BT, INPUT_TILE, OUTPUT_TILE, operandIndex, operandLength, tiling } from "../lib/winograd.js";
import type { WinogradInputParams } from "./kernel.js";

/** Float64 B^T d B of every patch by plain loops. */
export function winogradInputReference(p: WinogradInputParams, inputs: Readonly<Record<string, ArrayLike<number>>>) {
  const x = inputs.x!;
  const { batch, channels, height, width } = p;
  const tiles = tiling(batch, height, width, p.panel);
  const v = new Float64Array(operandLength(channels, tiles));
  const at = (n: number, c: number, row: number, col: number) =>
    row < 0 || row >= height || col < 0 || col >= width ? 0 : x[((n * channels + c) * height + row) * width + col]!;
  for (let n = 0; n < batch; n++) {
    for (let c = 0; c < channels; c++) {
      for (let ty = 0; ty < 2 * tiles.blocksY; ty++) {
        for (let tx = 0; tx < 2 * tiles.blocksX; tx++) {
          for (let i = 0; i < INPUT_TILE; i++) {
            for (let j = 0; j < INPUT_TILE; j++) {
              let sum = 0;
              for (let k = 0; k < INPUT_TILE; k++) {
                for (let l = 0; l < INPUT_TILE; l++) {
                  sum += BT[i]![k]! * BT[j]![l]! * at(n, c, OUTPUT_TILE * ty - 1 + k, OUTPUT_TILE * tx - 1 + l);
                }
              }
              v[operandIndex(tiles, channels, { n, ty, tx, channel: c, i, j })] = sum;
            }
          }
        }
      }
    }
  }
  return { v };
}
