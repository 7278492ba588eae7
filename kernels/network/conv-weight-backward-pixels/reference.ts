import type { Inputs } from "../../../src/gpu/contract.js";
import { channelOperandIndex, channelOperandLength } from "../../lib/channel-operand.js";

export interface ConvWeightBackwardPixelsParams {
  readonly batch: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** Side of the window: 3 gives nine points, the taps; 1 gives one, the pixel itself. */
  readonly window: 1 | 3;
  /** v holds only these pixels, all images' counted together. Default: all. */
  readonly part?: { readonly first: number; readonly count: number };
}

/** The pixels of v. */
export const partOf = (p: ConvWeightBackwardPixelsParams) =>
  p.part ?? { first: 0, count: p.batch * p.height * p.width };

/** Plain loops. */
export function reference(p: ConvWeightBackwardPixelsParams, inputs: Inputs) {
  const x = inputs.x!;
  const { channels, height, width, window } = p;
  const { first, count } = partOf(p);
  const taps = window * window;
  const v = new Float64Array(channelOperandLength(channels, count, taps));
  for (let place = 0; place < count; place++) {
    const n = Math.floor((first + place) / (height * width));
    const row = Math.floor((first + place) / width) % height;
    const col = (first + place) % width;
    for (let c = 0; c < channels; c++) {
      for (let tap = 0; tap < taps; tap++) {
        const [r, s] = [row + Math.floor(tap / window) - (window >> 1), col + (tap % window) - (window >> 1)];
        if (r < 0 || r >= height || s < 0 || s >= width) continue;
        v[channelOperandIndex(channels, taps, place, c, tap)] = x[((n * channels + c) * height + r) * width + s]!;
      }
    }
  }
  return { v };
}
