import type { Inputs } from "../../../src/gpu/contract.js";

export interface AliasSpreadParams {
  readonly planes: number;
  /** Extents of the pictures, multiples of `factor`. */
  readonly rows: number;
  readonly columns: number;
  readonly factor: number;
}

export function reference({ planes, rows, columns, factor }: AliasSpreadParams, { x, transfer }: Inputs) {
  const half = Math.floor(columns / 2) + 1;
  const [h, w] = [rows / factor, columns / factor];
  const smallHalf = Math.floor(w / 2) + 1;
  const y = new Float64Array(2 * planes * rows * half);
  for (let i = 0; i < planes * rows * half; i++) {
    const plane = Math.floor(i / (rows * half));
    const [r, c] = [(Math.floor(i / half) % rows) % h, (i % half) % w];
    const mirrored = c > Math.floor(w / 2);
    const at = plane * h * smallHalf + (mirrored ? ((h - r) % h) * smallHalf + w - c : r * smallHalf + c);
    const [u, v] = [x![2 * at]!, (mirrored ? -1 : 1) * x![2 * at + 1]!];
    const t = 2 * (i % (rows * half));
    const [a, b] = [transfer![t]!, transfer![t + 1]!];
    y[2 * i] = a * u + b * v;
    y[2 * i + 1] = a * v - b * u;
  }
  return { y };
}
