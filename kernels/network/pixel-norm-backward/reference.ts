import { mpSiluSlope } from "../../lib/mp-silu.js";

export interface PixelNormBackwardParams {
  /** Images. */
  readonly batch: number;
  /** Channels, over which the norm runs. */
  readonly channels: number;
  /** Height times width. */
  readonly pixels: number;
  /** There is a gradient of y. At least one of direct and silu. */
  readonly direct: boolean;
  /** There is a gradient of s = mp_silu(y). */
  readonly silu: boolean;
}

/** y = x / s, s = 1e-4 + r, r = RMS over m channels: dx = (g - x (g . x) / (m r s)) / s; dx = g / s where r is 0. */
export function reference(
  { batch, channels, pixels, direct, silu }: PixelNormBackwardParams,
  { x, gy, gs }: Readonly<Record<string, ArrayLike<number>>>,
): Record<string, Float64Array> {
  const dx = new Float64Array(batch * channels * pixels);
  const g = new Float64Array(channels);
  for (let n = 0; n < batch; n++) {
    for (let q = 0; q < pixels; q++) {
      const at = (c: number) => (n * channels + c) * pixels + q;
      let squares = 0;
      for (let c = 0; c < channels; c++) squares += x![at(c)]! ** 2;
      const r = Math.sqrt(squares / channels);
      const s = 1e-4 + r;
      let dot = 0;
      for (let c = 0; c < channels; c++) {
        const i = at(c);
        g[c] = (direct ? gy![i]! : 0) + (silu ? gs![i]! * mpSiluSlope(x![i]! / s) : 0);
        dot += g[c]! * x![i]!;
      }
      const pull = r === 0 ? 0 : dot / (channels * r * s);
      for (let c = 0; c < channels; c++) dx[at(c)] = (g[c]! - x![at(c)]! * pull) / s;
    }
  }
  return { dx };
}
