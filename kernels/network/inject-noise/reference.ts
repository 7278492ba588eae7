import type { Inputs } from "../../../src/gpu/contract.js";

export interface InjectNoiseParams {
  readonly batch: number;
  /** Values per image. */
  readonly elements: number;
  /** Relative increase of the noise level, at least 0. */
  readonly gamma: number;
}

export function reference({ batch, elements, gamma }: InjectNoiseParams, inputs: Inputs) {
  const { y, sigma, z } = inputs;
  const yHat = new Float64Array(batch * elements);
  const sigmaHat = new Float64Array(batch);
  for (let n = 0; n < batch; n++) {
    sigmaHat[n] = (1 + gamma) * sigma![n]!;
    const spread = sigma![n]! * Math.sqrt(gamma * (2 + gamma));
    for (let i = n * elements; i < (n + 1) * elements; i++) yHat[i] = y![i]! + spread * z![i]!;
  }
  return { yHat, sigmaHat };
}
