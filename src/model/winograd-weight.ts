import { gemmWeightLength, packedDepth } from "../../kernels/gemm/kernel.js";
import { G, INPUT_TILE, POINTS } from "../../kernels/lib/winograd.js";

/** Rows of a group of the packed layout (kernels/lib/packed-weight.ts). */
const GROUP = 8;

/**
 * Filters [rows, depth, 3, 3], transformed in float64 and packed for the 36 products of F(4x4, 3x3): to the bit the same as
 * `packGemmWeight(transformFilters(w))`, but filter by filter, since the float64 transform of a whole layer takes eight times
 * the space of its filters.
 */
export function packWinogradWeight(w: Float32Array, rows: number, depth: number): Float32Array<ArrayBuffer> {
  const packed = new Float32Array(gemmWeightLength(POINTS, rows, depth));
  const matrix = gemmWeightLength(1, rows, depth);
  const padded = packedDepth(depth);
  const g = Float64Array.from(G.flat());
  const half = new Float64Array(3 * INPUT_TILE);
  for (let first = 0; first < rows; first += GROUP) {
    const end = Math.min(rows, first + GROUP);
    for (let k = 0; k < depth; k++) {
      for (let row = first; row < end; row++) {
        const f = (row * depth + k) * 9;
        for (let i = 0; i < INPUT_TILE; i++) {
          const a = g[3 * i]!;
          const b = g[3 * i + 1]!;
          const c = g[3 * i + 2]!;
          for (let x = 0; x < 3; x++) half[3 * i + x] = a * w[f + x]! + b * w[f + 3 + x]! + c * w[f + 6 + x]!;
        }
        let at = first * padded + k * GROUP + (row - first);
        for (let i = 0; i < INPUT_TILE; i++) {
          const p = half[3 * i]!;
          const q = half[3 * i + 1]!;
          const r = half[3 * i + 2]!;
          for (let j = 0; j < INPUT_TILE; j++) {
            packed[at] = g[3 * j]! * p + g[3 * j + 1]! * q + g[3 * j + 2]! * r;
            at += matrix;
          }
        }
      }
    }
  }
  return packed;
}
