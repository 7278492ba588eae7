import type { Inputs } from "../../../src/gpu/contract.js";

/** Attention of transformers (EDM2's own is the kernel `attention`); f32 whatever the precision of the plan. */
export interface TokenAttentionParams {
  readonly images: number;
  readonly heads: number;
  /** Channels of one head, at most 128: an invocation holds two vectors of them. */
  readonly headDim: number;
  readonly tokens: number;
  /** The first so many tokens are attended to, the others are padding. Default: all. */
  readonly keys?: number;
}

export function reference({ images, heads, headDim, tokens, keys = tokens }: TokenAttentionParams, { qkv }: Inputs) {
  const y = new Float64Array(images * heads * headDim * tokens);
  for (let n = 0; n < images; n++) {
    for (let h = 0; h < heads; h++) {
      const at = (part: number, c: number, t: number) =>
        qkv![(((n * 3 + part) * heads + h) * headDim + c) * tokens + t]!;
      for (let i = 0; i < tokens; i++) {
        const logits = Array.from({ length: keys }, (_, j) => {
          let sum = 0;
          for (let c = 0; c < headDim; c++) sum += at(0, c, i) * at(1, c, j);
          return sum / Math.sqrt(headDim);
        });
        const top = Math.max(...logits);
        const weights = logits.map((logit) => Math.exp(logit - top));
        const total = weights.reduce((a, b) => a + b, 0);
        for (let c = 0; c < headDim; c++) {
          let sum = 0;
          for (let j = 0; j < keys; j++) sum += (weights[j]! / total) * at(2, c, j);
          y[((n * heads + h) * headDim + c) * tokens + i] = sum;
        }
      }
    }
  }
  return { y };
}
