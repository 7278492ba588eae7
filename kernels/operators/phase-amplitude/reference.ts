import type { Inputs } from "../../../src/gpu/contract.js";

export interface PhaseAmplitudeParams {
  readonly planes: number;
  readonly rows: number;
  readonly columns: number;
  /** 1 / sqrt(rows columns) makes the FFT orthonormal. */
  readonly factor: number;
}

export function reference({ planes, rows, columns, factor }: PhaseAmplitudeParams, { x }: Inputs) {
  const half = Math.floor(columns / 2) + 1;
  const y = new Float64Array(planes * rows * columns);
  for (let plane = 0; plane < planes; plane++) {
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        const k1 = (i - Math.floor(rows / 2) + rows) % rows;
        const k2 = (j - Math.floor(columns / 2) + columns) % columns;
        const at = k2 < half ? k1 * half + k2 : ((rows - k1) % rows) * half + columns - k2;
        const from = 2 * (plane * rows * half + at);
        y[(plane * rows + i) * columns + j] = factor * Math.hypot(x![from]!, x![from + 1]!);
      }
    }
  }
  return { y };
}
