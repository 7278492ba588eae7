/**
 * F16 (IEEE binary16) and BF16 to and from 32-bit floats. Widening is exact, bit for bit (subnormals, infinities, NaN
 * payloads); narrowing rounds to nearest, ties to even. Typed arrays are little-endian on every platform WebGPU runs on.
 */

let f16Table: Uint32Array | undefined;

/** Bits of the 32-bit float with the value of half `h`. */
function widenHalfBits(h: number): number {
  const sign = (h & 0x8000) << 16;
  const exponent = (h >>> 10) & 0x1f;
  const fraction = h & 0x3ff;
  if (exponent === 31) return (sign | 0x7f800000 | (fraction << 13)) >>> 0;
  if (exponent !== 0) return (sign | ((exponent + 112) << 23) | (fraction << 13)) >>> 0;
  if (fraction === 0) return sign >>> 0;
  // Subnormal: fraction * 2^-24. Shift the leading one to bit 10, where the hidden bit of a normal half sits.
  const shift = Math.clz32(fraction) - 21;
  return (sign | ((113 - shift) << 23) | (((fraction << shift) & 0x3ff) << 13)) >>> 0;
}

/** F16 bits to F32, one for one. */
export function widenF16(source: Uint16Array): Float32Array<ArrayBuffer> {
  f16Table ??= Uint32Array.from({ length: 65536 }, (_, h) => widenHalfBits(h));
  const table = f16Table;
  const out = new Uint32Array(source.length);
  for (let i = 0; i < source.length; i++) out[i] = table[source[i]!]!;
  return new Float32Array(out.buffer);
}

/** BF16 bits to F32, one for one. */
export function widenBF16(source: Uint16Array): Float32Array<ArrayBuffer> {
  const out = new Uint32Array(source.length);
  for (let i = 0; i < source.length; i++) out[i] = source[i]! << 16;
  return new Float32Array(out.buffer);
}

function narrowToHalf(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const a = bits & 0x7fffffff;
  // NaN stays NaN (made quiet, so that dropping payload bits cannot turn it into infinity).
  if (a > 0x7f800000) return sign | 0x7e00 | ((a >>> 13) & 0x3ff);
  // From 65520, halfway between the largest half and 2^16, everything rounds to infinity.
  if (a >= 0x477ff000) return sign | 0x7c00;
  // Normal halves, from 2^-14: rebias the exponent, round at bit 13; a carry moves into the exponent, as it should.
  if (a >= 0x38800000) return sign | ((a - 0x38000000 + 0xfff + ((a >>> 13) & 1)) >>> 13);
  // Up to and including 2^-25, half of the smallest subnormal: zero (the tie goes to even).
  if (a <= 0x33000000) return sign;
  const significand = (a & 0x7fffff) | 0x800000;
  const shift = 126 - (a >>> 23);
  const kept = significand >>> shift;
  const rest = significand & ((1 << shift) - 1);
  const tie = 1 << (shift - 1);
  return sign | (kept + (rest > tie || (rest === tie && (kept & 1) === 1) ? 1 : 0));
}

function narrowToBF16(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40;
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

/** F32 to F16 bits, rounding to nearest even; beyond 65520 infinity. */
export function narrowF16(source: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = new Uint32Array(source.buffer, source.byteOffset, source.length);
  const out = new Uint16Array(source.length);
  for (let i = 0; i < out.length; i++) out[i] = narrowToHalf(bits[i]!);
  return out;
}

/** F32 to BF16 bits, rounding to nearest even. */
export function narrowBF16(source: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = new Uint32Array(source.buffer, source.byteOffset, source.length);
  const out = new Uint16Array(source.length);
  for (let i = 0; i < out.length; i++) out[i] = narrowToBF16(bits[i]!);
  return out;
}
