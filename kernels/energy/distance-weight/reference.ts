import type { Inputs } from "../../../src/gpu/contract.js";

export interface DistanceWeightParams {
  readonly rows: number;
  readonly dims: number;
  /** sigma(0). */
  readonly sigma: number;
  /** 1: as the inverse of the distance; 2: of its square. */
  readonly power: 1 | 2;
}

export function reference({ rows, dims, sigma, power }: DistanceWeightParams, { goal, weight }: Inputs) {
  return {
    weight: Float64Array.from({ length: rows }, (_, row) => {
      let away = 0;
      for (let d = 0; d < dims; d++) away += goal![row * dims + d]! ** 2;
      return weight![row]! * (sigma ** 2 / (sigma ** 2 + away)) ** (power / 2);
    }),
  };
}
