import type { Inputs } from "../../../src/gpu/contract.js";

export interface SquareSumsParams {
  readonly rows: number;
  /** Values of a row. */
  readonly count: number;
  /** Add s / rho times w before squaring. */
  readonly added: boolean;
}

const PIECE = 1024;

/** Pieces of a row. */
export function piecesOf(count: number): number {
  return Math.ceil(count / PIECE);
}

export function reference({ rows, count, added }: SquareSumsParams, { x, w, level }: Inputs) {
  const pieces = piecesOf(count);
  const y = new Float64Array(rows * pieces);
  for (let i = 0; i < rows * count; i++) {
    const v = x![i]! + (added ? (level![0]! / level![1]!) * w![i]! : 0);
    y[Math.floor(i / count) * pieces + Math.floor((i % count) / PIECE)]! += v * v;
  }
  return { y };
}
