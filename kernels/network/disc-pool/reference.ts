import type { Inputs } from "../../../src/gpu/contract.js";

export interface DiscPoolParams {
  readonly batch: number;
  /** Channels of the condition's features a, which come first, and of the image's, b. */
  readonly channelsA: number;
  readonly channelsB: number;
  /** Height times width. */
  readonly pixels: number;
}

/** Factors of mp_cat(a, b, 0.5). */
export function catFactors({ channelsA, channelsB }: Pick<DiscPoolParams, "channelsA" | "channelsB">) {
  const scale = Math.sqrt((channelsA + channelsB) / 2);
  return { a: scale / Math.sqrt(channelsA), b: scale / Math.sqrt(channelsB) };
}

export function reference(params: DiscPoolParams, { a, b }: Inputs) {
  const { batch, channelsA, channelsB, pixels } = params;
  const factors = catFactors(params);
  const channels = channelsA + channelsB;
  const y = new Float64Array(batch * channels);
  for (let n = 0; n < batch; n++) {
    for (let c = 0; c < channels; c++) {
      const ofA = c < channelsA;
      const plane = ofA ? n * channelsA + c : n * channelsB + c - channelsA;
      let sum = 0;
      for (let q = 0; q < pixels; q++) sum += (ofA ? a! : b!)[plane * pixels + q]!;
      y[n * channels + c] = ((ofA ? factors.a : factors.b) * sum) / pixels;
    }
  }
  return { y };
}
