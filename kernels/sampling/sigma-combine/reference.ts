import type { Inputs } from "../../../src/gpu/contract.js";

export interface SigmaCombineParams {
  readonly batch: number;
  /** Values per image. */
  readonly elements: number;
  /** A level of x for each image rather than one for all. */
  readonly each?: boolean;
}

export function reference({ batch, elements, each }: SigmaCombineParams, inputs: Inputs) {
  const { y, sigma, x, level } = inputs;
  const yEff = new Float64Array(batch * elements);
  const sigmaEff = new Float64Array(batch);
  for (let n = 0; n < batch; n++) {
    const precisionX = level![each ? n : 0]! ** -2;
    const precisionY = sigma![n]! ** -2;
    const variance = 1 / (precisionY + precisionX);
    sigmaEff[n] = Math.sqrt(variance);
    for (let i = n * elements; i < (n + 1) * elements; i++) {
      yEff[i] = variance * (precisionY * y![i]! + precisionX * x![i]!);
    }
  }
  return { yEff, sigmaEff };
}
