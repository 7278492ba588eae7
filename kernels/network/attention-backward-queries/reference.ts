import type { Inputs } from "../../../src/gpu/contract.js";
import { type AttentionBackwardParams, backThroughNorm, headOf, totalsOf } from "../../lib/attention-backward.js";

export type { AttentionBackwardParams };

/** Rows of k and v are another kernel's: NaN here. */
export function reference(params: AttentionBackwardParams, inputs: Inputs) {
  const { batch, heads, headDim: d, pixels } = params;
  const gqkv = new Float64Array(batch * heads * d * 3 * pixels).fill(Number.NaN);
  for (let index = 0; index < batch * heads; index++) {
    const head = headOf(params, inputs, index);
    const dy = new Float64Array(d * pixels);
    for (let i = 0; i < pixels; i++) {
      let total = 0;
      const sums = new Float64Array(d);
      for (let j = 0; j < pixels; j++) {
        const weight = head.weight(i, j);
        total += weight;
        const ds = (weight * (head.gradient(i, j) - head.e[i]!)) / (1e-4 + head.r[1][j]!);
        for (let c = 0; c < d; c++) sums[c]! += ds * head.k[c * pixels + j]!;
      }
      for (let c = 0; c < d; c++) dy[c * pixels + i] = sums[c]! / (total * Math.sqrt(d));
    }
    backThroughNorm(params, { x: head.q, r: head.r[0], dy }, gqkv, index, 0);
  }
  return { totals: totalsOf(params, inputs), gqkv };
}
