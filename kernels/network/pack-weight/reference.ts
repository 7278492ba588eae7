import { packedIndex, packedLength } from "../../lib/packed-weight.js";

export interface PackWeightParams {
  /** Of the weight as it is stored: output channels, input channels, and the square of the filter's side. */
  readonly outChannels: number;
  readonly inChannels: number;
  readonly taps: number;
  /** For the gradient of the input: rows are input channels, filters are flipped. */
  readonly transposed: boolean;
  /** Groups of eight rows (kernels/lib/packed-weight.ts) or rows of whole quads (kernels/network/linear). */
  readonly layout: "groups" | "rows";
  /** Entries of a packed row, at least those of the weight; the others become 0. */
  readonly depth: number;
  /** Whether every output channel has a factor. */
  readonly scaled?: boolean;
  /** The result is f32 in every precision. */
  readonly full?: boolean;
}

export function packedSize({ outChannels, inChannels, transposed, layout, depth }: PackWeightParams): number {
  const rows = transposed ? inChannels : outChannels;
  return layout === "groups" ? packedLength(rows, depth) : rows * depth;
}

/** Where entry k of packed row `row` comes from in [outChannels, inChannels, taps], or -1 where it is 0. */
function sourceIndex({ outChannels, inChannels, taps, transposed }: PackWeightParams, row: number, k: number): number {
  const [rows, entries] = transposed ? [inChannels, outChannels * taps] : [outChannels, inChannels * taps];
  if (row >= rows || k >= entries) return -1;
  if (!transposed) return row * entries + k;
  const channel = Math.floor(k / taps);
  return (channel * inChannels + row) * taps + (taps - 1 - (k % taps));
}

export function reference(
  params: PackWeightParams,
  { w, scale }: Readonly<Record<string, ArrayLike<number>>>,
): Record<string, Float64Array> {
  const { inChannels, taps, layout, depth, scaled } = params;
  const y = new Float64Array(packedSize(params));
  const rows = y.length / depth;
  for (let row = 0; row < rows; row++) {
    for (let k = 0; k < depth; k++) {
      const from = sourceIndex(params, row, k);
      if (from < 0) continue;
      const factor = scaled ? scale![Math.floor(from / (inChannels * taps))]! : 1;
      y[layout === "groups" ? packedIndex(row, k, depth) : row * depth + k] = factor * w![from]!;
    }
  }
  return { y };
}
