import type { Inputs } from "../../../src/gpu/contract.js";

export interface FourierParams {
  /** Noise levels. */
  readonly batch: number;
  /** Features per noise level. */
  readonly channels: number;
}

export function reference({ batch, channels }: FourierParams, inputs: Inputs) {
  const y = new Float64Array(batch * channels);
  for (let n = 0; n < batch; n++) {
    const v = Math.log(inputs.sigma![n]!) / 4;
    for (let c = 0; c < channels; c++) {
      y[n * channels + c] = Math.SQRT2 * Math.cos(v * inputs.freqs![c]! + inputs.phases![c]!);
    }
  }
  return { y };
}
