import type { Inputs } from "../../../src/gpu/contract.js";

export interface PrecondInParams {
  /** Images. */
  readonly batch: number;
  /** Channels of x; y has one more. */
  readonly channels: number;
  /** Height times width. */
  readonly pixels: number;
  /** Standard deviation of the data, 0.5 in EDM2. */
  readonly sigmaData: number;
}

export function reference({ batch, channels, pixels, sigmaData }: PrecondInParams, { x, sigma }: Inputs) {
  const y = new Float64Array(batch * (channels + 1) * pixels).fill(1);
  for (let n = 0; n < batch; n++) {
    const cIn = 1 / Math.sqrt(sigma![n]! ** 2 + sigmaData ** 2);
    for (let k = 0; k < channels * pixels; k++) {
      y[n * (channels + 1) * pixels + k] = cIn * x![n * channels * pixels + k]!;
    }
  }
  return { y };
}
