import { packedLength, packRows } from "../../lib/packed-weight.js";

/** Elements of the packed weight. */
export function conv2dWeightLength(outChannels: number, inChannels: number, taps: number): number {
  return packedLength(outChannels, taps * inChannels);
}

/** Packs [outChannels, inChannels, taps] to [ceil(outChannels / 8)][taps][inChannels][8], zero padded. */
export function packConv2dWeight(
  w: ArrayLike<number>,
  outChannels: number,
  inChannels: number,
  taps: number,
): Float32Array<ArrayBuffer> {
  const rows = new Float32Array(outChannels * taps * inChannels);
  for (let o = 0; o < outChannels; o++)
    for (let c = 0; c < inChannels; c++)
      for (let tap = 0; tap < taps; tap++)
        rows[(o * taps + tap) * inChannels + c] = w[(o * inChannels + c) * taps + tap]!;
  return packRows(rows, outChannels, taps * inChannels);
}
