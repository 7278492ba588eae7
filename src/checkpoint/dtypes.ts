/** Bits of one element, for every dtype that the safetensors format knows. */
const BITS: ReadonlyMap<string, number> = new Map([
  ["BOOL", 8],
  ["F4", 4],
  ["F6_E2M3", 6],
  ["F6_E3M2", 6],
  ["U8", 8],
  ["I8", 8],
  ["F8_E5M2", 8],
  ["F8_E4M3", 8],
  ["F8_E8M0", 8],
  ["F8_E4M3FNUZ", 8],
  ["F8_E5M2FNUZ", 8],
  ["I16", 16],
  ["U16", 16],
  ["F16", 16],
  ["BF16", 16],
  ["I32", 32],
  ["U32", 32],
  ["F32", 32],
  ["C64", 64],
  ["F64", 64],
  ["I64", 64],
  ["U64", 64],
]);

/** Every dtype name of the format. */
export const DTYPES: readonly string[] = [...BITS.keys()];

/** Bits of one element of `dtype`, or undefined for a name that the format does not have. */
export function dtypeBits(dtype: string): number | undefined {
  return BITS.get(dtype);
}

/** The dtypes that `readF32` turns into 32-bit floats. */
export const FLOAT_DTYPES: readonly string[] = ["F32", "F16", "BF16", "F64"];

/**
 * Bytes of a tensor. Undefined when the element or bit count leaves the safe integers,
 * or when the elements (4 or 6 bits each) do not fill whole bytes.
 */
export function tensorBytes(shape: readonly number[], bits: number): number | undefined {
  // A zero-sized tensor may have any other extents: 0 elements whatever they multiply to.
  if (shape.includes(0)) return 0;
  let elements = 1;
  for (const extent of shape) {
    elements *= extent;
    if (elements > Number.MAX_SAFE_INTEGER) return undefined;
  }
  const total = elements * bits;
  if (total > Number.MAX_SAFE_INTEGER || total % 8 !== 0) return undefined;
  return total / 8;
}
