import { epilogueReference } from "../lib/conv-epilogue.js";
import { AT, INPUT_TILE, OUTPUT_TILE, operandIndex, tiling } from "../lib/winograd.js";
import type { WinogradOutputParams } from "./kernel.js";

/** Float64 A^T m A and the epilogue by plain loops. */
export function winogradOutputReference(p: WinogradOutputParams, inputs: Readonly<Record<string, ArrayLike<number>>>) {
  const { m, c, r } = inputs as Record<"m" | "c" | "r", ArrayLike<number>>;
  const { batch, channels, height, width } = p;
  const tiles = tiling(batch, height, width, p.panel);
  const y = new Float64Array(batch * channels * height * width);
  for (let n = 0; n < batch; n++) {
    for (let channel = 0; channel < channels; channel++) {
      for (let row = 0; row < height; row++) {
        for (let col = 0; col < width; col++) {
          const [ty, tx] = [Math.floor(row / OUTPUT_TILE), Math.floor(col / OUTPUT_TILE)];
          let sum = 0;
          for (let i = 0; i < INPUT_TILE; i++) {
            for (let j = 0; j < INPUT_TILE; j++) {
              const value = m[operandIndex(tiles, channels, { n, ty, tx, channel, i, j })]!;
              sum += AT[row % OUTPUT_TILE]![i]! * AT[col % OUTPUT_TILE]![j]! * value;
            }
          }
          const index = ((n * channels + channel) * height + row) * width + col;
          y[index] = epilogueReference(p.epilogue, sum, n, channel, index, c, r);
        }
      }
    }
  }
  return { y };
}
