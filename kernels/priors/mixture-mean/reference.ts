import type { Inputs } from "../../../src/gpu/contract.js";

export interface MixtureMeanParams {
  readonly rows: number;
  /** Components. */
  readonly parts: number;
  readonly dims: number;
  /** Means; draws, with z; or slopes, added to y without the components' means. */
  readonly what: "mean" | "draw" | "slopes";
}

export function reference({ rows, parts, dims, what }: MixtureMeanParams, inputs: Inputs) {
  const { w, sigma, t, means, vectors, values, z } = inputs;
  const y = what === "slopes" ? Float64Array.from(inputs.y!) : new Float64Array(rows * dims);
  for (let r = 0; r < rows; r++) {
    for (let k = 0; k < parts; k++) {
      const weight = w![r * parts + k]!;
      for (let i = 0; i < dims; i++) {
        let sum = what === "slopes" ? 0 : means![k * dims + i]!;
        for (let j = 0; j < dims; j++) {
          const l = values![k * dims + j]!;
          const g = l / (l + sigma![r]! ** 2);
          const drawn = what === "draw" ? Math.sqrt(g) * sigma![r]! * z![r * dims + j]! : 0;
          sum += vectors![(k * dims + i) * dims + j]! * (g * t![(r * parts + k) * dims + j]! + drawn);
        }
        y[r * dims + i]! += weight * sum;
      }
    }
  }
  return { y };
}
