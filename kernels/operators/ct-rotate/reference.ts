import type { Inputs } from "../../../src/gpu/contract.js";

export interface CtRotateParams {
  readonly planes: number;
  /** Pixels on a side of the picture. */
  readonly side: number;
  readonly angles: number;
  /** Pixels on a side of the grid that it is rotated in, and bins. */
  readonly grid: number;
  /** Grid lines in front of the picture. */
  readonly pad: number;
  readonly adjoint: boolean;
}

export function reference({ planes, side, angles, grid, pad, adjoint }: CtRotateParams, { x, directions }: Inputs) {
  const y = new Float64Array(planes * (adjoint ? side * side : angles * grid));
  const centre = (grid - 1) / 2;
  for (let angle = 0; angle < angles; angle++) {
    const [c, s] = [directions![2 * angle]!, directions![2 * angle + 1]!];
    for (let j = 0; j < grid; j++) {
      for (let i = 0; i < grid; i++) {
        const row = centre - s * (j - centre) + c * (i - centre) - pad;
        const column = centre + c * (j - centre) + s * (i - centre) - pad;
        for (const r of [Math.floor(row), Math.floor(row) + 1]) {
          for (const k of [Math.floor(column), Math.floor(column) + 1]) {
            if (r < 0 || k < 0 || r >= side || k >= side) continue;
            const weight = (1 - Math.abs(row - r)) * (1 - Math.abs(column - k));
            for (let plane = 0; plane < planes; plane++) {
              const [bin, pixel] = [(plane * angles + angle) * grid + j, (plane * side + r) * side + k];
              if (adjoint) y[pixel]! += weight * x![bin]!;
              else y[bin]! += weight * x![pixel]!;
            }
          }
        }
      }
    }
  }
  return { y };
}
