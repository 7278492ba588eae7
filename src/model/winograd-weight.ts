import { gemmWeightLength, packedDepth } from "../../kernels/gemm/kernel.js";
import { packRows } from "../../kernels/lib/packed-weight.js";
import { POINTS, transformFilters } from "../../kernels/lib/winograd.js";

/** Rows of a group of the packed layout. */
const SLAB = 8;

/**
 * Filters [rows, depth, 3, 3], transformed in float64 and packed for the 36 products of F(4x4, 3x3): the same as
 * `packGemmWeight(transformFilters(w))`, but eight rows at a time, since the transform of a whole layer takes eight times the
 * space of its filters.
 */
export function packWinogradWeight(w: Float32Array, rows: number, depth: number): Float32Array<ArrayBuffer> {
  const packed = new Float32Array(gemmWeightLength(POINTS, rows, depth));
  const padded = packedDepth(depth);
  for (let first = 0; first < rows; first += SLAB) {
    const count = Math.min(SLAB, rows - first);
    const slab = transformFilters(w.subarray(first * depth * 9, (first + count) * depth * 9), count, depth);
    for (let point = 0; point < POINTS; point++) {
      const matrix = slab.subarray(point * count * depth, (point + 1) * count * depth);
      packRows(matrix, count, depth, padded, packed, gemmWeightLength(point, rows, depth) + first * padded);
    }
  }
  return packed;
}
