import type { ToBytesParams } from "./kernel.js";

export function toBytesReference(
  { elements }: ToBytesParams,
  inputs: Readonly<Record<string, ArrayLike<number>>>,
): Record<string, Float64Array> {
  const out = new Float64Array(Math.ceil(elements / 4));
  for (let i = 0; i < elements; i++) {
    // The product is exact in float64, so each operation is rounded to f32 once.
    const v = Math.fround(Math.fround(127.5 * inputs.x![i]!) + 128);
    const byte = Number.isNaN(v) ? 0 : Math.trunc(Math.min(255, Math.max(0, v)));
    out[i >> 2]! += byte * 256 ** (i % 4);
  }
  return { out };
}
