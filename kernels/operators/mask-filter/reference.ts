import type { MaskFilterParams } from "./kernel.js";

export function maskFilterReference(
  { batch, elements, residual }: MaskFilterParams,
  { x, mask, measured }: Readonly<Record<string, ArrayLike<number>>>,
): Record<string, Float64Array> {
  const y = Float64Array.from({ length: batch * elements }, (_, i) => {
    if (mask![i % elements] === 0) return 0;
    return residual ? 2 * (x![i]! - measured![i]!) : x![i]!;
  });
  return { y };
}
