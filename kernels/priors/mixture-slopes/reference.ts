import type { Inputs } from "../../../src/gpu/contract.js";
import type { MixtureParams } from "../../lib/mixture.js";

export function reference({ rows, parts, dims }: MixtureParams, { v, sigma, t, vectors, values }: Inputs) {
  const a = new Float64Array(rows * parts * dims);
  const slopes = new Float64Array(rows * parts);
  for (let r = 0; r < rows; r++) {
    for (let k = 0; k < parts; k++) {
      const at = r * parts + k;
      for (let j = 0; j < dims; j++) {
        let sum = 0;
        for (let i = 0; i < dims; i++) sum += vectors![(k * dims + i) * dims + j]! * v![r * dims + i]!;
        a[at * dims + j] = sum;
        slopes[at]! -= (sum * t![at * dims + j]!) / (values![k * dims + j]! + sigma![r]! ** 2);
      }
    }
  }
  return { a, slopes };
}
