import type { Inputs } from "../../../src/gpu/contract.js";
import type { HalfSpectrumParams } from "../../lib/half-spectrum.js";

export function reference({ planes, height, columns, rows, top }: HalfSpectrumParams, { x }: Inputs) {
  const half = Math.floor(columns / 2) + 1;
  const y = new Float64Array(2 * planes * rows * half);
  for (let plane = 0; plane < planes; plane++) {
    for (let row = 0; row < height; row++) {
      for (let k = 0; k < half; k++) {
        const line = plane * Math.ceil(height / 2) + Math.floor(row / 2);
        const f = 2 * (line * columns + k);
        const g = 2 * (line * columns + ((columns - k) % columns));
        const to = 2 * ((plane * rows + top + row) * half + k);
        const odd = row % 2 === 1;
        y[to] = (odd ? x![f + 1]! + x![g + 1]! : x![f]! + x![g]!) / 2;
        y[to + 1] = (odd ? x![g]! - x![f]! : x![f + 1]! - x![g + 1]!) / 2;
      }
    }
  }
  return { y };
}
