import { packedIndex, packedLength } from "../../lib/packed-weight.js";
import { transformFilters, type WinogradTile, winograd } from "../../lib/winograd.js";

export interface WinogradWeightParams {
  /** Of the weight as it is stored. */
  readonly outChannels: number;
  readonly inChannels: number;
  /** For the gradient of the input: rows are input channels, filters are flipped. */
  readonly transposed: boolean;
  readonly tile: WinogradTile;
}

/** Rows, and entries of a row, of the products; the packed depth is even. */
export function sides({ outChannels, inChannels, transposed }: WinogradWeightParams) {
  const [rows, entries] = transposed ? [inChannels, outChannels] : [outChannels, inChannels];
  return { rows, entries, depth: entries + (entries % 2) };
}

export function packedSize(params: WinogradWeightParams): number {
  const { rows, depth } = sides(params);
  return winograd(params.tile).points * packedLength(rows, depth);
}

export function reference(
  params: WinogradWeightParams,
  { w, scale }: Readonly<Record<string, ArrayLike<number>>>,
): Record<string, Float64Array> {
  const { inChannels, transposed, tile } = params;
  const { rows, entries, depth } = sides(params);
  const filters = new Float64Array(rows * entries * 9);
  for (let row = 0; row < rows; row++) {
    for (let k = 0; k < entries; k++) {
      const from = 9 * (transposed ? k * inChannels + row : row * inChannels + k);
      const factor = scale![transposed ? k : row]!;
      for (let j = 0; j < 9; j++) filters[(row * entries + k) * 9 + j] = factor * w![from + (transposed ? 8 - j : j)]!;
    }
  }
  const transformed = transformFilters(filters, rows, entries, tile);
  const y = new Float64Array(packedSize(params));
  const matrix = packedLength(rows, depth);
  for (let point = 0; point < winograd(tile).points; point++)
    for (let row = 0; row < rows; row++)
      for (let k = 0; k < entries; k++)
        y[point * matrix + packedIndex(row, k, depth)] = transformed[(point * rows + row) * entries + k]!;
  return { y };
}
