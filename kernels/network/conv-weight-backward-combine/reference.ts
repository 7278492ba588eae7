import type { Inputs } from "../../../src/gpu/contract.js";
import { OCTET, octets } from "../../lib/channel-operand.js";
import type { ChannelRange } from "../../lib/channel-range.js";
import { type WinogradTile, winograd } from "../../lib/winograd.js";

export interface ConvWeightBackwardCombineParams {
  readonly outChannels: number;
  readonly inChannels: number;
  readonly kernel: 1 | 3;
  /** u holds products at the points of this Winograd transform. Default: at the taps themselves. */
  readonly tile?: WinogradTile;
  /** Sums over parts of the places, to be added up. */
  readonly pieces: number;
  /** u's rows are some of y's output channels, from `first` on; the rest of y is left as it is. Default: all. */
  readonly into?: ChannelRange;
}

/** Points of u. */
export const pointsOf = ({ kernel, tile }: Pick<ConvWeightBackwardCombineParams, "kernel" | "tile">) =>
  tile === undefined ? kernel * kernel : winograd(tile).points;

/** Float64 sums over the pieces, and G^T u G, by plain loops. */
export function reference(p: ConvWeightBackwardCombineParams, inputs: Inputs) {
  const u = inputs.u!;
  const { outChannels, inChannels, kernel, tile, pieces } = p;
  const { first, of } = p.into ?? { first: 0, of: outChannels };
  const [columns, points] = [octets(inChannels) * OCTET, pointsOf(p)];
  const side = Math.sqrt(points);
  const G = tile === undefined ? undefined : winograd(tile).G;
  const factor = (point: number, tap: number) => (G ? G[point]![tap]! : point === tap ? 1 : 0);
  const y = new Float64Array(of * inChannels * kernel * kernel).fill(Number.NaN);
  for (let o = 0; o < outChannels; o++) {
    for (let c = 0; c < inChannels; c++) {
      const sums = Array.from({ length: points }, (_, point) => {
        let sum = 0;
        for (let piece = 0; piece < pieces; piece++) sum += u[((o * pieces + piece) * points + point) * columns + c]!;
        return sum;
      });
      for (let tap = 0; tap < kernel * kernel; tap++) {
        let sum = 0;
        for (let point = 0; point < points; point++) {
          const [i, j] = [Math.floor(point / side), point % side];
          sum += factor(i, Math.floor(tap / kernel)) * factor(j, tap % kernel) * sums[point]!;
        }
        y[((first + o) * inChannels + c) * kernel * kernel + tap] = sum;
      }
    }
  }
  return { y };
}
