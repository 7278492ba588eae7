import type { Inputs } from "../../../src/gpu/contract.js";

export interface ChannelAffineParams {
  readonly batch: number;
  readonly channels: number;
  /** Height times width. */
  readonly pixels: number;
  /** `affine` has rows for every image; otherwise they serve all. */
  readonly perImage: boolean;
  /** v sigmoid(v) of the result. */
  readonly silu: boolean;
}

export function reference({ batch, channels, pixels, perImage, silu }: ChannelAffineParams, inputs: Inputs) {
  const y = new Float64Array(batch * channels * pixels);
  for (let i = 0; i < y.length; i++) {
    const row = Math.floor(i / pixels) % (perImage ? batch * channels : channels);
    const v = inputs.x![i]! * inputs.affine![2 * row]! + inputs.affine![2 * row + 1]!;
    y[i] = silu ? v / (1 + Math.exp(-v)) : v;
  }
  return { y };
}
