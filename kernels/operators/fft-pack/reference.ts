import type { Inputs } from "../../../src/gpu/contract.js";
import type { PaddedLines } from "../../lib/half-spectrum.js";

export interface FftPackParams extends PaddedLines {
  /** v -> factor v + offset on the image; the padding stays 0. */
  readonly factor: number;
  readonly offset: number;
}

export function reference({ planes, height, width, columns, left, factor, offset }: FftPackParams, { x }: Inputs) {
  const lines = Math.ceil(height / 2);
  const y = new Float64Array(2 * planes * lines * columns);
  for (let plane = 0; plane < planes; plane++) {
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        const line = plane * lines + Math.floor(row / 2);
        y[2 * (line * columns + left + column) + (row % 2)] =
          factor * x![(plane * height + row) * width + column]! + offset;
      }
    }
  }
  return { y };
}
