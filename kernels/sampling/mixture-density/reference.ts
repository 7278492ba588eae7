import type { Inputs } from "../../../src/gpu/contract.js";

export interface MixtureDensityParams {
  readonly rows: number;
  readonly dims: number;
  /** Components. */
  readonly count: number;
  /** What log density and gradient are multiplied with. */
  readonly factor: number;
}

export function reference({ rows, dims, count, factor }: MixtureDensityParams, { x, means, factors, logs }: Inputs) {
  const phi = new Float64Array(rows);
  const o = new Float64Array(rows * dims);
  for (let row = 0; row < rows; row++) {
    const whitened = Array.from({ length: count }, (_, k) =>
      Float64Array.from({ length: dims }, (_, i) => {
        let sum = 0;
        for (let d = 0; d <= i; d++)
          sum += factors![(k * dims + i) * dims + d]! * (x![row * dims + d]! - means![k * dims + d]!);
        return sum;
      }),
    );
    const terms = whitened.map((y, k) => logs![k]! - y.reduce((sum, v) => sum + v * v, 0) / 2);
    const top = Math.max(...terms);
    const total = terms.reduce((sum, term) => sum + Math.exp(term - top), 0);
    phi[row] = factor * (top + Math.log(total));
    whitened.forEach((y, k) => {
      const share = Math.exp(terms[k]! - top) / total;
      for (let i = 0; i < dims; i++)
        for (let d = 0; d <= i; d++)
          o[row * dims + d]! -= factor * share * factors![(k * dims + i) * dims + d]! * y[i]!;
    });
  }
  return { phi, o };
}
