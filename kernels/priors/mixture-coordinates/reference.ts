import type { Inputs } from "../../../src/gpu/contract.js";
import type { MixtureParams } from "../../lib/mixture.js";

export function reference({ rows, parts, dims }: MixtureParams, inputs: Inputs) {
  const { x, sigma, means, vectors, values, logs } = inputs;
  const t = new Float64Array(rows * parts * dims);
  const logits = new Float64Array(rows * parts);
  for (let r = 0; r < rows; r++) {
    for (let k = 0; k < parts; k++) {
      const at = r * parts + k;
      logits[at] = logs![k]!;
      for (let j = 0; j < dims; j++) {
        let sum = 0;
        for (let i = 0; i < dims; i++)
          sum += vectors![(k * dims + i) * dims + j]! * (x![r * dims + i]! - means![k * dims + i]!);
        t[at * dims + j] = sum;
        const variance = values![k * dims + j]! + sigma![r]! ** 2;
        logits[at]! -= 0.5 * (sum ** 2 / variance + Math.log(variance));
      }
    }
  }
  return { t, logits };
}
