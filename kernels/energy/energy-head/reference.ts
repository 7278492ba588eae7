import type { Inputs } from "../../../src/gpu/contract.js";

export interface EnergyHeadParams {
  /** Rows of z, and columns of g: at least as many. */
  readonly rows: number;
  readonly columns: number;
  readonly dims: number;
  /** Values of the bank, and where the bias begins in it. */
  readonly bank: number;
  readonly bias: number;
  /** Also write phi = |z|^2 and its derivative by z. */
  readonly energy: boolean;
}

export function reference({ rows, columns, dims, bias, energy }: EnergyHeadParams, { g, w }: Inputs) {
  const [z, phi, dz] = [new Float64Array(rows * dims), new Float64Array(rows), new Float64Array(dims * columns)];
  for (let column = 0; column < columns; column++) {
    for (let d = 0; d < dims; d++) {
      const value = g![d * columns + column]! + w![bias + d]!;
      dz[d * columns + column] = 2 * value;
      if (column >= rows) continue;
      z[column * dims + d] = value;
      phi[column]! += value ** 2;
    }
  }
  return energy ? { z, phi, dz } : { z };
}
