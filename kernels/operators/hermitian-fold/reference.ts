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
  const y = new Float64Array(2 * planes * rows * half);
  const add = (plane: number, k1: number, k2: number, to: number, sign: number) => {
    const row = (k1 + Math.floor(rows / 2)) % rows;
    const column = (k2 + Math.floor(columns / 2)) % columns;
    const at = row * columns + column;
    if (mask![at] === 0) return;
    y[to]! += (factor / 2) * mask![at]! * x![2 * plane * size + at]!;
    y[to + 1]! += ((sign * factor) / 2) * mask![at]! * x![(2 * plane + 1) * size + at]!;
  };
  for (let i = 0; i < planes * rows * half; i++) {
    const [k2, k1, plane] = [i % half, Math.floor(i / half) % rows, Math.floor(i / (half * rows))];
    add(plane, k1, k2, 2 * i, 1);
    add(plane, rows - k1, columns - k2, 2 * i, -1);
    const [k, l] = [2 * k1, 2 * (rows + k2)];
    const turnRe = turns![k]! * turns![l]! - turns![k + 1]! * turns![l + 1]!;
    const turnIm = turns![k]! * turns![l + 1]! + turns![k + 1]! * turns![l]!;
    const [re, im] = [y[2 * i]!, y[2 * i + 1]!];
    y[2 * i] = turnRe * re + turnIm * im;
    y[2 * i + 1] = turnRe * im - turnIm * re;
  }
  return { y };
}
