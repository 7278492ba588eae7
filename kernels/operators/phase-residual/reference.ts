import type { Inputs } from "../../../src/gpu/contract.js";

export interface PhaseResidualParams {
  readonly planes: number;
  readonly rows: number;
  readonly columns: number;
  /** 1 / sqrt(rows columns) makes the FFT orthonormal. */
  readonly factor: number;
}

export function reference({ planes, rows, columns, factor }: PhaseResidualParams, { x, measured }: Inputs) {
  const half = Math.floor(columns / 2) + 1;
  const y = new Float64Array(2 * planes * rows * half);
  for (let plane = 0; plane < planes; plane++) {
    const amplitude = (k1: number, k2: number) => {
      const i = (k1 + Math.floor(rows / 2)) % rows;
      const j = (k2 + Math.floor(columns / 2)) % columns;
      return measured![(plane * rows + i) * columns + j]!;
    };
    for (let k1 = 0; k1 < rows; k1++) {
      for (let k2 = 0; k2 < half; k2++) {
        const at = 2 * ((plane * rows + k1) * half + k2);
        const [re, im] = [x![at]!, x![at + 1]!];
        const size = Math.hypot(re, im);
        const m = (amplitude(k1, k2) + amplitude(rows - k1, columns - k2)) / 2;
        const scale = size === 0 ? 0 : factor - m / size;
        y[at] = scale * re;
        y[at + 1] = scale * im;
      }
    }
  }
  return { y };
}
