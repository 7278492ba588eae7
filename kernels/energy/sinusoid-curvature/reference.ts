import type { Inputs } from "../../../src/gpu/contract.js";
import type { SinusoidShape } from "../../lib/sinusoid.js";

export function reference({ rows, columns, dims, embed }: SinusoidShape, { g, first, f, r, q }: Inputs) {
  const half = Math.floor(embed / 2);
  const hv = new Float64Array(rows * dims);
  for (let row = 0; row < rows; row++) {
    for (let d = 0; d < dims; d++) {
      for (let j = 0; j < half; j++) {
        const w = q![j]! / 2 ** 28;
        const sine = (d * embed + j) * columns + row;
        const cosine = sine + half * columns;
        const bend = first![sine]! * f![sine]! + first![cosine]! * f![cosine]!;
        hv[row * dims + d]! +=
          w * (g![sine]! * f![cosine]! - g![cosine]! * f![sine]!) - w * w * r![row * dims + d]! * bend;
      }
    }
  }
  return { hv };
}
