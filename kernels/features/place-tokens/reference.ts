import type { Inputs } from "../../../src/gpu/contract.js";

/** Assembles the tokens of a vision transformer; f32 whatever the precision of the plan. */
export interface PlaceTokensParams {
  readonly images: number;
  readonly channels: number;
  readonly patches: number;
  /** Tokens before the first patch. */
  readonly first: number;
  /** In all, padding included. */
  readonly tokens: number;
}

export function reference({ images, channels, patches, first, tokens }: PlaceTokensParams, { x, table }: Inputs) {
  const y = new Float64Array(images * channels * tokens);
  for (let row = 0; row < images * channels; row++) {
    for (let t = 0; t < tokens; t++) {
      const patch = t - first;
      const value = patch >= 0 && patch < patches ? x![row * patches + patch]! : 0;
      y[row * tokens + t] = table![(row % channels) * tokens + t]! + value;
    }
  }
  return { y };
}
