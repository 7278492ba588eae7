import { epilogueReference } from "../../lib/conv-epilogue.js";
import { packedIndex, packedLength } from "../../lib/packed-weight.js";
import { type GemmParams, packedDepth } from "./kernel.js";

/** Float64 products by plain loops; `w` in the packed layout. */
export function gemmReference(p: GemmParams, inputs: Readonly<Record<string, ArrayLike<number>>>) {
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
