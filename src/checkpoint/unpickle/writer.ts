import { narrowBF16, narrowF16, widenBF16, widenF16 } from "../half.js";

/** Element types that a converted checkpoint has. */
export type OutputDtype = "F32" | "F16" | "BF16";

const BYTES: Record<string, number> = { F64: 8, F32: 4, F16: 2, BF16: 2 };

/** One tensor to be written later: its place in the file is decided before its values are read. */
export interface PlannedTensor {
  readonly name: string;
  readonly dtype: OutputDtype;
  readonly shape: readonly number[];
  readonly byteLength: number;
}

/** Bytes of `elements` elements. */
export function byteLengthOf(dtype: OutputDtype, shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, BYTES[dtype]!);
}

/**
 * The head of a safetensors file (length, JSON, padding to a multiple of 8), and the order in which the data follow it:
 * wider types first, so that every tensor is aligned to its elements.
 */
export function planSafetensors<T extends PlannedTensor>(
  tensors: Iterable<T>,
  metadata: Readonly<Record<string, string>>,
): { head: Uint8Array<ArrayBuffer>; order: T[]; byteLength: number } {
  const order = [...tensors].sort((a, b) => BYTES[b.dtype]! - BYTES[a.dtype]!);
  const entries = [`"__metadata__":${JSON.stringify(metadata)}`];
  let end = 0;
  for (const { name, dtype, shape, byteLength } of order) {
    entries.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [end, end + byteLength] })}`);
    end += byteLength;
  }
  const json = new TextEncoder().encode(`{${entries.join(",")}}`);
  const padded = Math.ceil(json.length / 8) * 8;
  const head = new Uint8Array(8 + padded).fill(0x20, 8);
  new DataView(head.buffer).setBigUint64(0, BigInt(padded), true);
  head.set(json, 8);
  return { head, order, byteLength: head.length + end };
}

/**
 * Elements of one float type as another: widening exact, narrowing to nearest even. Without a change of type the bytes
 * are passed through as they are.
 * @returns undefined if a finite value is too large for the new type.
 */
export function castElements(bytes: Uint8Array, from: string, to: OutputDtype): Uint8Array | undefined {
  if (from === to) return bytes;
  const aligned = bytes.byteOffset % BYTES[from]! === 0 ? bytes : bytes.slice();
  const { buffer, byteOffset } = aligned;
  const count = bytes.length / BYTES[from]!;
  let values: Float32Array;
  if (from === "F16") values = widenF16(new Uint16Array(buffer, byteOffset, count));
  else if (from === "BF16") values = widenBF16(new Uint16Array(buffer, byteOffset, count));
  else if (from === "F32") values = new Float32Array(buffer, byteOffset, count);
  else {
    const doubles = new Float64Array(buffer, byteOffset, count);
    values = Float32Array.from(doubles);
    if (values.some((value, i) => !Number.isFinite(value) && Number.isFinite(doubles[i]!))) return undefined;
  }
  const out = to === "F32" ? values : to === "F16" ? narrowF16(values) : narrowBF16(values);
  if (out instanceof Uint16Array) {
    // All exponent bits set: infinity or NaN.
    const infinite = to === "F16" ? 0x7c00 : 0x7f80;
    for (let i = 0; i < out.length; i++) {
      if ((out[i]! & infinite) === infinite && Number.isFinite(values[i]!)) return undefined;
    }
  }
  return new Uint8Array(out.buffer, out.byteOffset, out.byteLength);
}
