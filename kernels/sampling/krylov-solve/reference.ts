import type { Inputs } from "../../../src/gpu/contract.js";

export interface KrylovSolveParams {
  /** Images. */
  readonly batch: number;
  /** Columns of the problem. */
  readonly iterations: number;
}

export function reference({ batch, iterations: m }: KrylovSolveParams, inputs: Inputs) {
  const h = Float64Array.from(inputs.h!);
  const c = new Float64Array(batch * m);
  const side = m + 1;
  for (let n = 0; n < batch; n++) {
    const entry = (row: number, column: number) => (n * side + column) * side + row;
    for (let row = 1; row <= m; row++) h[entry(row, 0)] = 0;
    for (let k = 0; k < m; k++) {
      const length = Math.hypot(h[entry(k, k + 1)]!, h[entry(k + 1, k + 1)]!);
      if (length === 0) continue;
      const cosine = h[entry(k, k + 1)]! / length;
      const sine = h[entry(k + 1, k + 1)]! / length;
      for (const column of [0, ...Array.from({ length: m - k }, (_, j) => k + 1 + j)]) {
        const [above, below] = [h[entry(k, column)]!, h[entry(k + 1, column)]!];
        h[entry(k, column)] = cosine * above + sine * below;
        h[entry(k + 1, column)] = cosine * below - sine * above;
      }
    }
    for (let k = m - 1; k >= 0; k--) {
      let rest = h[entry(k, 0)]!;
      for (let j = k + 1; j < m; j++) rest -= h[entry(k, j + 1)]! * c[n * m + j]!;
      const pivot = h[entry(k, k + 1)]!;
      c[n * m + k] = pivot === 0 ? 0 : rest / pivot;
    }
  }
  return { h, c };
}
