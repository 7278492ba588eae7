import type { Inputs } from "../../../src/gpu/contract.js";

export interface MpCatParams {
  /** Images. */
  readonly batch: number;
  /** Channels of a, which come first in the result. */
  readonly channelsA: number;
  /** Channels of b. */
  readonly channelsB: number;
  /** Height times width. */
  readonly pixels: number;
  /** Share of b in [0, 1]. */
  readonly t: number;
  /** Write y = mp_cat(a, b, t). At least one of raw and silu. */
  readonly raw: boolean;
  /** Write s = mp_silu(mp_cat(a, b, t)). */
  readonly silu: boolean;
  /** b is mp_sum(b, other, w[weightIndex] clipped to [0, 1]), w of so many weights; absent: b alone. */
  readonly mix?: { readonly weightIndex: number; readonly weights: number };
}

export function reference(params: MpCatParams, inputs: Inputs) {
  const { batch, channelsA, channelsB, pixels, t, raw, silu, mix } = params;
  const { a, b, other, w } = inputs;
  const share = mix ? Math.min(Math.max(w![mix.weightIndex]!, 0), 1) : 0;
  const norm = Math.hypot(1 - share, share);
  const ofB = (i: number) => (mix ? ((1 - share) * b![i]! + share * other![i]!) / norm : b![i]!);
  const channels = channelsA + channelsB;
  const scale = Math.sqrt(channels / ((1 - t) ** 2 + t ** 2));
  const y = new Float64Array(raw ? batch * channels * pixels : 0);
  const s = new Float64Array(silu ? batch * channels * pixels : 0);
  for (let n = 0; n < batch; n++) {
    for (let c = 0; c < channels; c++) {
      for (let q = 0; q < pixels; q++) {
        const v =
          c < channelsA
            ? (a![(n * channelsA + c) * pixels + q]! * scale * (1 - t)) / Math.sqrt(channelsA)
            : (ofB((n * channelsB + c - channelsA) * pixels + q) * scale * t) / Math.sqrt(channelsB);
        const i = (n * channels + c) * pixels + q;
        if (raw) y[i] = v;
        if (silu) s[i] = v / (1 + Math.exp(-v)) / 0.596;
      }
    }
  }
  return { y, s };
}
