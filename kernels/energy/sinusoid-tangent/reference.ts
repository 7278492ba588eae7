import type { Inputs } from "../../../src/gpu/contract.js";
import type { SinusoidShape } from "../../lib/sinusoid.js";

export function reference({ rows, columns, dims, embed }: SinusoidShape, { r, f, q }: Inputs) {
  const half = Math.floor(embed / 2);
  const fd = new Float64Array(dims * embed * columns);
  for (let row = 0; row < rows; row++) {
    for (let d = 0; d < dims; d++) {
      for (let j = 0; j < half; j++) {
        const step = (q![j]! / 2 ** 28) * r![row * dims + d]!;
        const sine = (d * embed + j) * columns + row;
        const cosine = sine + half * columns;
        fd[sine] = step * f![cosine]!;
        fd[cosine] = -step * f![sine]!;
      }
    }
  }
  return { fd };
}
