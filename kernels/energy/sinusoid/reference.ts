import type { Inputs } from "../../../src/gpu/contract.js";
import type { SinusoidShape } from "../../lib/sinusoid.js";

export function reference({ rows, columns, dims, embed }: SinusoidShape, { x, q }: Inputs) {
  const half = Math.floor(embed / 2);
  const f = new Float64Array(dims * embed * columns);
  for (let d = 0; d < dims; d++) {
    for (let j = 0; j < half; j++) {
      for (let column = 0; column < columns; column++) {
        const angle = (q![j]! / 2 ** 28) * x![Math.min(column, rows - 1) * dims + d]!;
        f[(d * embed + j) * columns + column] = Math.sin(angle);
        f[(d * embed + half + j) * columns + column] = Math.cos(angle);
      }
    }
  }
  return { f };
}
