import type { Inputs } from "../../../src/gpu/contract.js";

export interface SpectrumPlanesParams {
  readonly planes: number;
  readonly rows: number;
  readonly columns: number;
  readonly factor: number;
  readonly masked: boolean;
  /** From planes to spectra. */
  readonly back: boolean;
}

export function reference({ planes, rows, columns, factor, masked, back }: SpectrumPlanesParams, { x, mask }: Inputs) {
  const size = rows * columns;
  const y = new Float64Array(2 * planes * size);
  for (let n = 0; n < planes; n++) {
    for (let i = 0; i < size; i++) {
      const row = (Math.floor(i / columns) + Math.floor(rows / 2)) % rows;
      const column = ((i % columns) + Math.floor(columns / 2)) % columns;
      const centred = row * columns + column;
      if (masked && mask![centred] === 0) continue;
      for (const part of [0, 1]) {
        const [spectrum, plane] = [2 * (n * size + i) + part, (2 * n + part) * size + centred];
        if (back) y[spectrum] = factor * x![plane]!;
        else y[plane] = factor * x![spectrum]!;
      }
    }
  }
  return { y };
}
