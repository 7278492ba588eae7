import type { Inputs } from "../../../src/gpu/contract.js";
import type { ConvEpilogue } from "../../lib/conv-epilogue.js";
import { epilogueReference } from "../../lib/conv-epilogue.js";
import { packedIndex, packedLength } from "../../lib/packed-weight.js";

export interface GemmParams {
  /** Products with a weight of their own: 36 or 16 for Winograd, 1 for a 1x1 convolution. */
  readonly groups: number;
  /** Products that share a weight: the batch of a 1x1 convolution, the panels of a Winograd convolution. */
  readonly images: number;
  /** Output channels. */
  readonly rows: number;
  /** Input channels. */
  readonly depth: number;
  /** Neighbours in memory, a multiple of 4: the pixels of an image, or the tiles of a Winograd panel. */
  readonly columns: number;
  /** Columns that are asked for, the first of all images': a multiple of 4. The rest of y is left as it is. Default: all. */
  readonly live?: number;
  /**
   * Columns of one image of the layer, only for `tuneKey`: a panel of a Winograd convolution may hold several images, so that
   * `columns` depends on the batch there. Default: columns where there is one group, else unsaid.
   */
  readonly perImage?: number;
  /** Parts of the sum (`SEGMENTS` of kernels/lib/tiles.ts), at most: each is summed by itself, which rounds less. Absent: 1. */
  readonly segments?: number;
  /** Type of x, r and y; the weight is always of the storage type. */
  readonly type: "f32" | "act";
  readonly epilogue: ConvEpilogue;
}

/** The depth of the packed weight: even, since some variants take two k per turn. */
export function packedDepth(depth: number): number {
  return depth + (depth % 2);
}

/** Float64 products by plain loops; `w` in the packed layout. */
export function reference(p: GemmParams, inputs: Inputs) {
  const { x, w, c, r } = inputs as Record<"x" | "w" | "c" | "r", ArrayLike<number>>;
  const { groups, images, rows, depth, columns } = p;
  const deep = packedDepth(depth);
  const y = new Float64Array(groups * images * rows * columns);
  for (let g = 0; g < groups; g++) {
    const weights = g * packedLength(rows, deep);
    for (let n = 0; n < images; n++) {
      for (let row = 0; row < rows; row++) {
        for (let column = 0; column < columns; column++) {
          let sum = 0;
          for (let k = 0; k < depth; k++) {
            const line = (n * depth + k) * groups + g;
            sum += w[weights + packedIndex(row, k, deep)]! * x[line * columns + column]!;
          }
          const index = ((n * rows + row) * groups + g) * columns + column;
          y[index] = epilogueReference(p.epilogue, sum, n, row, index, c, r);
        }
      }
    }
  }
  return { y };
}
