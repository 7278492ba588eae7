import type { Inputs } from "../../../src/gpu/contract.js";
import { GROUP_PIECE, groupPieces } from "../../lib/group-pieces.js";

export interface GroupStatsParams {
  readonly batch: number;
  readonly channels: number;
  /** Height times width. */
  readonly pixels: number;
  /** Groups of neighbouring channels; divides `channels`. */
  readonly groups: number;
  /** A value per channel is added to x first: the bias of the convolution before. */
  readonly bias: boolean;
}

export function reference(params: GroupStatsParams, inputs: Inputs) {
  const { batch, channels, pixels, groups, bias } = params;
  const pieces = groupPieces(params);
  const length = (channels / groups) * pixels;
  const partials = new Float64Array(2 * batch * groups * pieces);
  for (let g = 0; g < batch * groups; g++) {
    for (let piece = 0; piece < pieces; piece++) {
      const values: number[] = [];
      for (let i = piece * GROUP_PIECE; i < Math.min(length, (piece + 1) * GROUP_PIECE); i++) {
        const channel = ((g * length + i) / pixels) | 0;
        values.push(inputs.x![g * length + i]! + (bias ? inputs.bias![channel % channels]! : 0));
      }
      const mean = values.reduce((a, b) => a + b, 0) / values.length;
      partials[2 * (g * pieces + piece)] = mean;
      partials[2 * (g * pieces + piece) + 1] = values.reduce((a, b) => a + (b - mean) ** 2, 0);
    }
  }
  return { partials };
}
