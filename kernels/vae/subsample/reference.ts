import type { Inputs } from "../../../src/gpu/contract.js";

export interface SubsampleParams {
  /** Images times channels. */
  readonly planes: number;
  /** Of the input, at least 2; an odd one's last row or column is dropped. */
  readonly height: number;
  readonly width: number;
}

export function reference({ planes, height, width }: SubsampleParams, { x }: Inputs) {
  const values: number[] = [];
  for (let plane = 0; plane < planes; plane++) {
    for (let row = 1; row < height; row += 2) {
      for (let column = 1; column < width; column += 2) values.push(x![(plane * height + row) * width + column]!);
    }
  }
  return { y: Float64Array.from(values) };
}
