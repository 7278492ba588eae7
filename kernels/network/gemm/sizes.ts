import type { MatrixShape } from "../../../src/gpu/contract.js";

/** k that a tile takes at a time. */
export const STEP = 8;

/** A tile's sum takes a multiple of so many k: whole turns for every part of it. */
export const tiledUnit = (segments: number) => STEP * segments;

/** k of a part of the sum in loops that are no tiles: whole turns of the widest subgroups. The last part may be shorter. */
export const partDepth = (depth: number, segments: number) => 32 * Math.ceil(depth / (32 * segments));

/** Result matrices of a tile of matrix units: down and across. */
export const DOWN = 4;
export const ACROSS = 2;

/** What a workgroup of `matrixSource` covers. */
export function matrixTile({ m, n }: MatrixShape) {
  return { rows: DOWN * m, columns: ACROSS * n };
}

/**
 * What columns are multiplied by before they become halves, and sums divided by: 1 where they are stored as halves. Winograd's
 * operands in f32 are up to 27.9 times the image (the square of the largest sum of absolute values of a row of B^T), whose halves
 * reach 65504: without this one of 2,350 would overflow. A power of two rounds nothing, but for operands below 0.002.
 */
export const shrinking = (half: boolean) => `const SHRINK: f32 = ${half ? "1.0" : "0.03125"};\n`;
