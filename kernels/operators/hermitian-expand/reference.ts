import type { Inputs } from "../../../src/gpu/contract.js";

export interface HermitianParams {
  readonly planes: number;
  readonly rows: number;
  readonly columns: number;
  readonly factor: number;
}

export function reference({ planes, rows, columns, factor }: HermitianParams, { x, mask, turns }: Inputs) {
  const half = Math.floor(columns / 2) + 1;
  const size = rows * columns;
  const y = new Float64Array(2 * planes * size);
  for (let plane = 0; plane < planes; plane++) {
    for (let at = 0; at < size; at++) {
      if (mask![at] === 0) continue;
      const k1 = (Math.floor(at / columns) + Math.ceil(rows / 2)) % rows;
      const k2 = ((at % columns) + Math.ceil(columns / 2)) % columns;
      // Past the half: the conjugate of the negative frequency.
      const sign = k2 < half ? 1 : -1;
      const from =
        2 * ((plane * rows + (sign === 1 ? k1 : (rows - k1) % rows)) * half + (sign === 1 ? k2 : columns - k2));
      const [k, l] = [2 * (sign === 1 ? k1 : (rows - k1) % rows), 2 * (rows + (sign === 1 ? k2 : columns - k2))];
      const re = turns![k]! * turns![l]! - turns![k + 1]! * turns![l + 1]!;
      const im = turns![k]! * turns![l + 1]! + turns![k + 1]! * turns![l]!;
      y[2 * plane * size + at] = factor * (re * x![from]! - im * x![from + 1]!);
      y[(2 * plane + 1) * size + at] = factor * sign * (re * x![from + 1]! + im * x![from]!);
    }
  }
  return { y };
}
