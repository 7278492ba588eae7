import type { Inputs } from "../../../src/gpu/contract.js";
import type { SinusoidShape } from "../../lib/sinusoid.js";

export function reference({ rows, columns, dims, embed }: SinusoidShape, { g, f, q }: Inputs) {
  const half = Math.floor(embed / 2);
  const dx = new Float64Array(rows * dims);
  for (let row = 0; row < rows; row++) {
    for (let d = 0; d < dims; d++) {
      for (let j = 0; j < half; j++) {
        const sine = (d * embed + j) * columns + row;
        const cosine = sine + half * columns;
        dx[row * dims + d]! += (q![j]! / 2 ** 28) * (g![sine]! * f![cosine]! - g![cosine]! * f![sine]!);
      }
    }
  }
  return { dx };
}
