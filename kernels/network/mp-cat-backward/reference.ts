import { mpSiluSlope } from "../../lib/mp-silu.js";

export interface MpCatBackwardParams {
  /** Images. */
  readonly batch: number;
  /** Channels of a, which come first in y. */
  readonly channelsA: number;
  /** Channels of b. */
  readonly channelsB: number;
  /** Height times width. */
  readonly pixels: number;
  /** Share of b in [0, 1]. */
  readonly t: number;
  /** There is a gradient of y. At least one of direct and silu. */
  readonly direct: boolean;
  /** There is a gradient of s = mp_silu(y). */
  readonly silu: boolean;
}

export function reference(
  { batch, channelsA, channelsB, pixels, t, direct, silu }: MpCatBackwardParams,
  { y, gy, gs }: Readonly<Record<string, ArrayLike<number>>>,
): Record<string, Float64Array> {
  const channels = channelsA + channelsB;
  const scale = Math.sqrt(channels / ((1 - t) ** 2 + t ** 2));
  const da = new Float64Array(batch * channelsA * pixels);
  const db = new Float64Array(batch * channelsB * pixels);
  for (let n = 0; n < batch; n++) {
    for (let c = 0; c < channels; c++) {
      for (let q = 0; q < pixels; q++) {
        const i = (n * channels + c) * pixels + q;
        const g = (direct ? gy![i]! : 0) + (silu ? gs![i]! * mpSiluSlope(y![i]!) : 0);
        if (c < channelsA) da[(n * channelsA + c) * pixels + q] = (g * scale * (1 - t)) / Math.sqrt(channelsA);
        else db[(n * channelsB + c - channelsA) * pixels + q] = (g * scale * t) / Math.sqrt(channelsB);
      }
    }
  }
  return { da, db };
}
