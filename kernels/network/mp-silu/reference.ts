import type { MpSiluParams } from "./kernel.js";

export function reference(
  { elements }: MpSiluParams,
  { x }: Readonly<Record<string, ArrayLike<number>>>,
): Record<string, Float64Array> {
  const y = new Float64Array(elements);
  for (let i = 0; i < elements; i++) y[i] = x![i]! / (1 + Math.exp(-x![i]!)) / 0.596;
  return { y };
}
