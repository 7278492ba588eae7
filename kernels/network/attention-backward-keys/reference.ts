import type { Inputs } from "../../../src/gpu/contract.js";
import { type AttentionBackwardParams, backThroughNorm, headOf, paddedPixels } from "../../lib/attention-backward.js";

export type { AttentionBackwardParams };

/** Rows of q are another kernel's: NaN here. */
export function reference(params: AttentionBackwardParams, inputs: Inputs) {
  const { batch, heads, headDim: d, pixels } = params;
  const padded = paddedPixels(params);
  const gqkv = new Float64Array(batch * heads * d * 3 * pixels).fill(Number.NaN);
  for (let index = 0; index < batch * heads; index++) {
    const head = headOf(params, inputs, index);
    const dk = new Float64Array(d * pixels);
    const dv = new Float64Array(d * pixels);
    for (let i = 0; i < pixels; i++) {
      const total = inputs.totals![index * padded + i]!;
      for (let j = 0; j < pixels; j++) {
        const a = head.weight(i, j) / total;
        const ds = (a * (head.gradient(i, j) - head.e[i]!)) / ((1e-4 + head.r[0][i]!) * Math.sqrt(d));
        for (let c = 0; c < d; c++) {
          dk[c * pixels + j]! += ds * head.q[c * pixels + i]!;
          dv[c * pixels + j]! += a * head.g[c * pixels + i]!;
        }
      }
    }
    backThroughNorm(params, { x: head.k, r: head.r[1], dy: dk }, gqkv, index, 1);
    backThroughNorm(params, { x: head.v, r: head.r[2], dy: dv }, gqkv, index, 2);
  }
  return { gqkv };
}
