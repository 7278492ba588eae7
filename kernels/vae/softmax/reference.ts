import type { Inputs } from "../../../src/gpu/contract.js";

export interface SoftmaxParams {
  readonly images: number;
  /** What is normalised. */
  readonly rows: number;
  readonly columns: number;
}

export function reference({ images, rows, columns }: SoftmaxParams, { x }: Inputs) {
  const y = new Float64Array(images * rows * columns);
  for (let image = 0; image < images; image++) {
    for (let c = 0; c < columns; c++) {
      const at = (r: number) => (image * rows + r) * columns + c;
      let top = Number.NEGATIVE_INFINITY;
      for (let r = 0; r < rows; r++) top = Math.max(top, x![at(r)]!);
      let sum = 0;
      for (let r = 0; r < rows; r++) sum += Math.exp(x![at(r)]! - top);
      for (let r = 0; r < rows; r++) y[at(r)] = Math.exp(x![at(r)]! - top) / sum;
    }
  }
  return { y };
}
