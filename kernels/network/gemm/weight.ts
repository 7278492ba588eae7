import { packedLength, packRows } from "../../lib/packed-weight.js";
import { packedDepth } from "./reference.js";

/** Elements of the packed weight of all groups. */
export function gemmWeightLength(groups: number, rows: number, depth: number): number {
  return groups * packedLength(rows, packedDepth(depth));
}

/** Packs row-major [groups][rows, depth] weights. */
export function packGemmWeight(
  w: Float32Array | Float64Array,
  groups: number,
  rows: number,
  depth: number,
): Float32Array<ArrayBuffer> {
  const packed = new Float32Array(gemmWeightLength(groups, rows, depth));
  for (let g = 0; g < groups; g++) {
    const matrix = w.subarray(g * rows * depth, (g + 1) * rows * depth);
    packRows(matrix, rows, depth, packedDepth(depth), packed, gemmWeightLength(g, rows, depth));
  }
  return packed;
}
