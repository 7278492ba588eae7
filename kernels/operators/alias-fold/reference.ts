import type { Inputs } from "../../../src/gpu/contract.js";

export interface AliasFoldParams {
  readonly planes: number;
  /** Extents of the pictures, multiples of `factor`. */
  readonly rows: number;
  readonly columns: number;
  readonly factor: number;
  /** The inner part of a likelihood step in place of A x. */
  readonly draw: boolean;
}

/** Complex values of the half spectra of a picture and of a measurement. */
export function spectraOf({ rows, columns, factor }: Omit<AliasFoldParams, "planes" | "draw">) {
  return {
    whole: rows * (Math.floor(columns / 2) + 1),
    small: (rows / factor) * (Math.floor(columns / factor / 2) + 1),
  };
}

export function reference(p: AliasFoldParams, { x, z, transfer, measured, squares, level }: Inputs) {
  const { planes, rows, columns, factor: f } = p;
  const { whole, small } = spectraOf(p);
  const half = Math.floor(columns / 2) + 1;
  const [h, w] = [rows / f, columns / f];
  const smallHalf = Math.floor(w / 2) + 1;
  const y = new Float64Array(2 * planes * small);
  for (let plane = 0; plane < planes; plane++) {
    for (let k = 0; k < small; k++) {
      const [row, column] = [Math.floor(k / smallHalf), k % smallHalf];
      const sums = [x!, z].map((values) => {
        let [re, im] = [0, 0];
        for (let alias = 0; values && alias < f * f; alias++) {
          const [r, c] = [row + Math.floor(alias / f) * h, column + (alias % f) * w];
          const mirrored = c > Math.floor(columns / 2);
          const at = mirrored ? ((rows - r) % rows) * half + columns - c : r * half + c;
          const [a, b] = [transfer![2 * at]!, transfer![2 * at + 1]!];
          const [u, v] = [values[2 * (plane * whole + at)]!, values[2 * (plane * whole + at) + 1]!];
          re += (a * u - b * v) / f ** 2;
          im += ((mirrored ? -1 : 1) * (a * v + b * u)) / f ** 2;
        }
        return [re, im] as const;
      });
      const [ax, az] = [sums[0]!, sums[1]!];
      for (const part of [0, 1] as const) {
        const i = 2 * (plane * small + k) + part;
        y[i] = ax[part];
        if (!p.draw) continue;
        const [s, rho] = [level![0]!, level![1]!];
        const q = Math.sqrt(1 + (rho / s) ** 2 * squares![k]!);
        y[i] = ((rho / s) ** 2 / q ** 2) * (measured![i]! - ax[part]) - (rho ** 3 / s ** 2 / (q * (1 + q))) * az[part];
      }
    }
  }
  return { y };
}
