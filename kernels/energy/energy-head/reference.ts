import type { Inputs } from "../../../src/gpu/contract.js";

export interface EnergyHeadParams {
  /** Rows of z, and columns of v: at least as many. */
  readonly rows: number;
  readonly columns: number;
  readonly dims: number;
  /** Of v. */
  readonly channels: number;
  /** Values of the bank, and where weight [dims, channels] and bias [dims] begin in it. */
  readonly bank: number;
  readonly weight: number;
  readonly bias: number;
  /** Also write phi = |z|^2 and its derivative by z. */
  readonly energy: boolean;
}

export function reference(params: EnergyHeadParams, { v, w }: Inputs) {
  const { rows, columns, dims, channels, weight, bias, energy } = params;
  const [z, phi, dz] = [new Float64Array(rows * dims), new Float64Array(rows), new Float64Array(dims * columns)];
  for (let column = 0; column < columns; column++) {
    for (let d = 0; d < dims; d++) {
      let value = w![bias + d]!;
      for (let c = 0; c < channels; c++) value += w![weight + d * channels + c]! * v![c * columns + column]!;
      dz[d * columns + column] = 2 * value;
      if (column >= rows) continue;
      z[column * dims + d] = value;
      phi[column]! += value ** 2;
    }
  }
  return energy ? { z, phi, dz } : { z };
}
