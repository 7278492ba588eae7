import type { Inputs } from "../../../src/gpu/contract.js";
import type { PaddedLines } from "../../lib/half-spectrum.js";

export interface FftUnpackParams extends PaddedLines {
  readonly factor: number;
  /** Add to the image `base`. */
  readonly base: boolean;
}

export function reference(
  { planes, height, width, columns, left, factor, base: hasBase }: FftUnpackParams,
  { x, base }: Inputs,
) {
  const y = new Float64Array(planes * height * width);
  for (let plane = 0; plane < planes; plane++) {
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        const i = (plane * height + row) * width + column;
        const line = plane * Math.ceil(height / 2) + Math.floor(row / 2);
        y[i] = factor * x![2 * (line * columns + left + column) + (row % 2)]! + (hasBase ? base![i]! : 0);
      }
    }
  }
  return { y };
}
