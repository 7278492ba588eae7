import type { Inputs } from "../../../src/gpu/contract.js";

/** Layer normalisation; f32 whatever the precision of the plan. */
export interface LayerNormParams {
  readonly images: number;
  /** What is normalised over. */
  readonly channels: number;
  readonly tokens: number;
  /** Added to the variance. */
  readonly eps: number;
}

export function reference({ images, channels, tokens, eps }: LayerNormParams, { x, gamma, beta }: Inputs) {
  const y = new Float64Array(images * channels * tokens);
  for (let n = 0; n < images; n++) {
    for (let t = 0; t < tokens; t++) {
      const at = (c: number) => (n * channels + c) * tokens + t;
      let mean = 0;
      for (let c = 0; c < channels; c++) mean += x![at(c)]! / channels;
      let variance = 0;
      for (let c = 0; c < channels; c++) variance += (x![at(c)]! - mean) ** 2 / channels;
      for (let c = 0; c < channels; c++)
        y[at(c)] = ((x![at(c)]! - mean) / Math.sqrt(variance + eps)) * gamma![c]! + beta![c]!;
    }
  }
  return { y };
}
