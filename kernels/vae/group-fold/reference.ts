import type { Inputs } from "../../../src/gpu/contract.js";
import { GROUP_PIECE, groupPieces } from "../../lib/group-pieces.js";

export interface GroupFoldParams {
  readonly batch: number;
  readonly channels: number;
  /** Height times width of the image that the statistics are of. */
  readonly pixels: number;
  /** Groups of neighbouring channels; divides `channels`. */
  readonly groups: number;
  /** A value per channel was added to x for the statistics. */
  readonly bias: boolean;
  /** Added to the variance. */
  readonly eps: number;
}

export function reference(params: GroupFoldParams, inputs: Inputs) {
  const { batch, channels, pixels, groups, bias, eps } = params;
  const pieces = groupPieces(params);
  const length = (channels / groups) * pixels;
  const affine = new Float64Array(2 * batch * channels);
  for (let i = 0; i < batch * channels; i++) {
    const c = i % channels;
    const g = Math.floor(i / channels) * groups + Math.floor(c / (channels / groups));
    const piece = (k: number) => {
      const at = 2 * (g * pieces + k);
      const n = Math.min(GROUP_PIECE, length - k * GROUP_PIECE);
      return { n, mean: inputs.partials![at]!, squares: inputs.partials![at + 1]! };
    };
    // From sums of values and of squares, not by joining pieces.
    let mean = 0;
    for (let k = 0; k < pieces; k++) mean += (piece(k).mean * piece(k).n) / length;
    let variance = 0;
    for (let k = 0; k < pieces; k++) {
      const { n, mean: own, squares } = piece(k);
      variance += (squares + n * (own - mean) ** 2) / length;
    }
    const scale = inputs.gamma![c]! / Math.sqrt(variance + eps);
    affine[2 * i] = scale;
    affine[2 * i + 1] = ((bias ? inputs.bias![c]! : 0) - mean) * scale + inputs.beta![c]!;
  }
  return { affine };
}
