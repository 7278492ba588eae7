import type { Inputs } from "../../../src/gpu/contract.js";

export interface MriProximalParams {
  readonly planes: number;
  readonly rows: number;
  readonly columns: number;
  /** What makes the spectra orthonormal. */
  readonly factor: number;
}

export function reference(
  { planes, rows, columns, factor }: MriProximalParams,
  { x, measured, z, mask, level }: Inputs,
) {
  const [s, rho] = [level![0]!, level![1]!];
  const size = rows * columns;
  const y = new Float64Array(2 * planes * size);
  for (let i = 0; i < planes * size; i++) {
    const row = (Math.floor((i % size) / columns) + Math.floor(rows / 2)) % rows;
    const column = ((i % columns) + Math.floor(columns / 2)) % columns;
    const centred = row * columns + column;
    for (const part of [0, 1]) {
      const at = 2 * i + part;
      y[at] = rho * z![at]!;
      if (mask![centred] === 0) continue;
      const seen = measured![(2 * Math.floor(i / size) + part) * size + centred]! / factor;
      const v = 1 / (1 / s ** 2 + 1 / rho ** 2);
      y[at] = (v / s ** 2) * (seen - x![at]!) + Math.sqrt(v) * z![at]!;
    }
  }
  return { y };
}
