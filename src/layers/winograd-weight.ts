import { type WinogradTile, winograd } from "../../kernels/lib/winograd.js";
import { packedDepth } from "../../kernels/network/gemm/reference.js";
import { gemmWeightLength } from "../../kernels/network/gemm/weight.js";

/** Rows of a group of the packed layout (kernels/lib/packed-weight.ts). */
const GROUP = 8;

/**
 * Filters [rows, depth, 3, 3], transformed in float64 and packed for the 36 products of F(4x4, 3x3) or the 16 of F(2x2, 3x3): to
 * the bit the same as `packGemmWeight(transformFilters(w))`, but a row of products at a time and filter by filter, since the
 * whole takes up to four times the space of the filters, and its float64 transform twice as much again.
 * Every piece is the same array, filled anew.
 */
export function* winogradWeightPieces(
  w: Float32Array,
  rows: number,
  depth: number,
  tile: WinogradTile,
): Generator<Float32Array<ArrayBuffer>> {
  const { G, input } = winograd(tile);
  const matrix = gemmWeightLength(1, rows, depth);
  const padded = packedDepth(depth);
  const g = Float64Array.from(G.flat());
  // The padding is never written and stays zero.
  const packed = new Float32Array(input * matrix);
  for (let i = 0; i < input; i++) {
    const [a, b, c] = G[i] as [number, number, number];
    for (let first = 0; first < rows; first += GROUP) {
      const end = Math.min(rows, first + GROUP);
      for (let k = 0; k < depth; k++) {
        for (let row = first; row < end; row++) {
          const f = (row * depth + k) * 9;
          const p = a * w[f]! + b * w[f + 3]! + c * w[f + 6]!;
          const q = a * w[f + 1]! + b * w[f + 4]! + c * w[f + 7]!;
          const r = a * w[f + 2]! + b * w[f + 5]! + c * w[f + 8]!;
          let at = first * padded + k * GROUP + (row - first);
          for (let j = 0; j < input; j++) {
            packed[at] = g[3 * j]! * p + g[3 * j + 1]! * q + g[3 * j + 2]! * r;
            at += matrix;
          }
        }
      }
    }
    yield packed;
  }
}

/** All pieces in one. */
export function packWinogradWeight(
  w: Float32Array,
  rows: number,
  depth: number,
  tile: WinogradTile,
): Float32Array<ArrayBuffer> {
  const packed = new Float32Array(gemmWeightLength(winograd(tile).points, rows, depth));
  let at = 0;
  for (const piece of winogradWeightPieces(w, rows, depth, tile)) {
    packed.set(piece, at);
    at += piece.length;
  }
  return packed;
}
