import type { Inputs } from "../../../src/gpu/contract.js";

export interface PixelNormParams {
  /** Images. */
  readonly batch: number;
  /** Channels, over which the norm runs. */
  readonly channels: number;
  /** Height times width. */
  readonly pixels: number;
  /** Also write s = mp_silu(y). */
  readonly silu: boolean;
}

export function reference({ batch, channels, pixels, silu }: PixelNormParams, { x }: Inputs) {
  const y = new Float64Array(batch * channels * pixels);
  const s = new Float64Array(silu ? y.length : 0);
  for (let n = 0; n < batch; n++) {
    for (let q = 0; q < pixels; q++) {
      let sum = 0;
      for (let c = 0; c < channels; c++) sum += x![(n * channels + c) * pixels + q]! ** 2;
      const magnitude = 1e-4 + Math.sqrt(sum / channels);
      for (let c = 0; c < channels; c++) {
        const i = (n * channels + c) * pixels + q;
        const v = x![i]! / magnitude;
        y[i] = v;
        if (silu) s[i] = v / (1 + Math.exp(-v)) / 0.596;
      }
    }
  }
  return { y, s };
}
