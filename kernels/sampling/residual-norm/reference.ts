import type { Inputs } from "../../../src/gpu/contract.js";

export interface ResidualNormParams {
  /** Images. */
  readonly batch: number;
  /** Of one image's measurement. */
  readonly entries: number;
}

export function reference({ batch, entries }: ResidualNormParams, { y, ax }: Inputs) {
  const squares = new Float64Array(batch);
  for (let i = 0; i < batch * entries; i++) squares[Math.floor(i / entries)]! += (y![i]! - ax![i]!) ** 2;
  return { norm: squares.map(Math.sqrt) };
}
