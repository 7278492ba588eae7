import { mpSiluOf } from "../../lib/mp-silu.js";

export interface ScaleSiluParams {
  readonly batch: number;
  readonly channels: number;
  /** Height times width. */
  readonly pixels: number;
}

export function reference(
  { batch, channels, pixels }: ScaleSiluParams,
  { x, c }: Readonly<Record<string, ArrayLike<number>>>,
): Record<string, Float64Array> {
  const length = batch * channels * pixels;
  return { y: Float64Array.from({ length }, (_, i) => mpSiluOf(x![i]! * c![Math.floor(i / pixels)]!)) };
}
