import type { MpCatParams } from "./kernel.js";

export function reference(
  { batch, channelsA, channelsB, pixels, t, raw, silu }: MpCatParams,
  { a, b }: Readonly<Record<string, ArrayLike<number>>>,
): Record<string, Float64Array> {
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
            : (b![(n * channelsB + c - channelsA) * pixels + q]! * scale * t) / Math.sqrt(channelsB);
        const i = (n * channels + c) * pixels + q;
        if (raw) y[i] = v;
        if (silu) s[i] = v / (1 + Math.exp(-v)) / 0.596;
      }
    }
  }
  return { y, s };
}
