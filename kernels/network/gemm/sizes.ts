import type { MatrixShape } from "../../../src/gpu/contract.js";

/** k that a tile takes at a time. */
export const STEP = 8;

/** A tile's sum takes a multiple of so many k: whole turns for every part of it. */
export const tiledUnit = (segments: number) => STEP * segments;

/** Result matrices of a tile of matrix units: down and across. */
export const DOWN = 4;
export const ACROSS = 2;

/** What a workgroup of `matrixSource` covers. */
export function matrixTile({ m, n }: MatrixShape) {
  return { rows: DOWN * m, columns: ACROSS * n };
}
