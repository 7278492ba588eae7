import type { Inputs } from "../../../src/gpu/contract.js";

export interface PrecondOutParams {
  /** Images. */
  readonly batch: number;
  readonly channels: number;
  /** Height times width. */
  readonly pixels: number;
  /** Standard deviation of the data, 0.5 in EDM2. */
  readonly sigmaData: number;
}

export function reference({ batch, channels, pixels, sigmaData }: PrecondOutParams, { x, f, sigma }: Inputs) {
  const size = channels * pixels;
  const d = new Float64Array(batch * size);
  for (let n = 0; n < batch; n++) {
    const q = sigma![n]! ** 2 + sigmaData ** 2;
    const cSkip = sigmaData ** 2 / q;
    const cOut = (sigma![n]! * sigmaData) / Math.sqrt(q);
    for (let i = n * size; i < (n + 1) * size; i++) d[i] = cSkip * x![i]! + cOut * f![i]!;
  }
  return { d };
}
