import type { Inputs } from "../../../src/gpu/contract.js";

export interface SoftmaxRowsParams {
  readonly rows: number;
  readonly count: number;
  /** Rows hold squared distances, whose logits are -w / (2 sigma^2); else logits. */
  readonly squares: boolean;
}

export function reference({ rows, count, squares }: SoftmaxRowsParams, { w, sigma }: Inputs) {
  const out = new Float64Array(rows * count);
  const total = new Float64Array(rows);
  for (let r = 0; r < rows; r++) {
    const scale = squares ? -0.5 / sigma![r]! ** 2 : 1;
    const logits = Array.from({ length: count }, (_, j) => w![r * count + j]! * scale);
    const top = logits.reduce((a, b) => Math.max(a, b));
    total[r] = top + Math.log(logits.reduce((sum, l) => sum + Math.exp(l - top), 0));
    logits.forEach((l, j) => {
      out[r * count + j] = Math.exp(l - total[r]!);
    });
  }
  return { w: out, total };
}
