import type { Inputs } from "../../../src/gpu/contract.js";

export interface LogisticLossParams {
  readonly batch: number;
  /** The logits are of real images: softplus(-z) in place of softplus(z). */
  readonly real: boolean;
  /** What every gradient is multiplied with. */
  readonly factor: number;
}

export function reference({ batch, real, factor }: LogisticLossParams, { z }: Inputs) {
  const loss = new Float64Array(batch);
  const dz = new Float64Array(batch);
  const sign = real ? -1 : 1;
  for (let n = 0; n < batch; n++) {
    const x = sign * z![n]!;
    const tail = Math.exp(-Math.abs(x));
    loss[n] = Math.max(x, 0) + Math.log1p(tail);
    dz[n] = ((sign * (x < 0 ? tail : 1)) / (1 + tail)) * factor;
  }
  return { loss, dz };
}
