import { mpSiluSlope } from "../../lib/mp-silu.js";

export interface ScaleSiluBackwardParams {
  readonly batch: number;
  readonly channels: number;
  /** Height times width. */
  readonly pixels: number;
}

export function reference(
  { batch, channels, pixels }: ScaleSiluBackwardParams,
  { x, c, g }: Readonly<Record<string, ArrayLike<number>>>,
): Record<string, Float64Array> {
  const dx = new Float64Array(batch * channels * pixels);
  const dc = new Float64Array(batch * channels);
  dx.forEach((_, i) => {
    const plane = Math.floor(i / pixels);
    const inner = g![i]! * mpSiluSlope(x![i]! * c![plane]!);
    dx[i] = inner * c![plane]!;
    dc[plane]! += inner * x![i]!;
  });
  return { dx, dc };
}
