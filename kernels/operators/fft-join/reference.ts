import type { Inputs } from "../../../src/gpu/contract.js";
import type { HalfSpectrumParams } from "../../lib/half-spectrum.js";

export function reference({ planes, height, columns, rows, top }: HalfSpectrumParams, { x }: Inputs) {
  const half = Math.floor(columns / 2) + 1;
  const lines = Math.ceil(height / 2);
  const y = new Float64Array(2 * planes * lines * columns);
  for (let plane = 0; plane < planes; plane++) {
    for (let row = 0; row < height; row++) {
      for (let k = 0; k < columns; k++) {
        const at = 2 * ((plane * rows + top + row) * half + Math.min(k, columns - k));
        const own = k === 0 || 2 * k === columns ? 0 : k < half ? 1 : -1;
        const [re, im] = [x![at]!, own * x![at + 1]!];
        const to = 2 * ((plane * lines + Math.floor(row / 2)) * columns + k);
        y[to] = y[to]! + (row % 2 === 0 ? re : -im);
        y[to + 1] = y[to + 1]! + (row % 2 === 0 ? im : re);
      }
    }
  }
  return { y };
}
