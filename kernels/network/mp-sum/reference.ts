import type { MpSumParams } from "./kernel.js";

export function reference(
  { elements, t: constant, weightIndex, clip }: MpSumParams,
  { a, b, w }: Readonly<Record<string, ArrayLike<number>>>,
): Record<string, Float64Array> {
  const t = constant ?? Math.min(Math.max(w![weightIndex]!, 0), 1);
  const norm = Math.sqrt((1 - t) ** 2 + t ** 2);
  const out = new Float64Array(elements);
  for (let i = 0; i < elements; i++) {
    const sum = ((1 - t) * a![i]! + t * b![i]!) / norm;
    out[i] = clip !== null && Number.isFinite(sum) ? Math.min(Math.max(sum, -clip), clip) : sum;
  }
  return { out };
}
