import { mpSiluSlope } from "../../lib/mp-silu.js";

export interface MpSiluBackwardParams {
  /** Length of x, g and dx. */
  readonly elements: number;
  /** Elements of one image: decides between scalar and vector access, which may not depend on the batch. Default: all. */
  readonly perImage?: number;
  /** Element type of x, g and dx. */
  readonly type: "f32" | "act";
}

export function reference(
  { elements }: MpSiluBackwardParams,
  { x, g }: Readonly<Record<string, ArrayLike<number>>>,
): Record<string, Float64Array> {
  return { dx: Float64Array.from({ length: elements }, (_, i) => g![i]! * mpSiluSlope(x![i]!)) };
}
