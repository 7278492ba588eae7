import type { Inputs } from "../../../src/gpu/contract.js";

export interface PosteriorTargetParams {
  readonly rows: number;
  readonly dims: number;
  /** Data of the support. */
  readonly keys: number;
  /** sigma(0), the standard deviation of the smoothing. */
  readonly sigma: number;
  /** A draw by u instead of the mean. */
  readonly draw: boolean;
}

export function reference({ rows, dims, keys, sigma, draw }: PosteriorTargetParams, { x, data, u }: Inputs) {
  const goal = new Float64Array(rows * dims);
  for (let row = 0; row < rows; row++) {
    const logits = Float64Array.from({ length: keys }, (_, j) => {
      let square = 0;
      for (let d = 0; d < dims; d++) square += (x![row * dims + d]! - data![j * dims + d]!) ** 2;
      return -square / (2 * sigma ** 2);
    });
    const most = logits.reduce((a, b) => Math.max(a, b));
    const weights = logits.map((l) => Math.exp(l - most));
    const total = weights.reduce((a, b) => a + b);
    let pick = 0;
    for (let sum = weights[0]!; draw && sum <= u![row]! * total; sum += weights[pick]!) pick++;
    for (let d = 0; d < dims; d++) {
      let mean = 0;
      for (let j = 0; j < keys; j++) mean += weights[j]! * data![j * dims + d]!;
      goal[row * dims + d] = (draw ? data![pick * dims + d]! : mean / total) - x![row * dims + d]!;
    }
  }
  return { goal };
}
