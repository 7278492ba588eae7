import type { ByteSource } from "./byte-source.js";
import { dtypeBits, FLOAT_DTYPES } from "./dtypes.js";
import { bad, quote } from "./fail.js";
import { widenBF16, widenF16 } from "./half.js";
import type { StoredTensor } from "./header.js";

/** Values that are no F32 are read in pieces of this size. */
const CAST_CHUNK = 8 * 2 ** 20;

export interface ReadOptions {
  readonly allowNonFinite?: boolean;
  readonly weights?: boolean;
}

type Stored = Pick<StoredTensor, "name" | "shape">;

/** @throws NcvsdError BAD_CHECKPOINT for a tensor of another type */
export function requireFloats(file: string, { name, dtype }: { readonly name: string; readonly dtype: string }): void {
  if (FLOAT_DTYPES.includes(dtype)) return;
  throw bad(`${quote(file)}: tensor ${quote(name)} is ${dtype}, where floats are needed (${FLOAT_DTYPES.join(", ")})`);
}

/** The values, if they are what weights can be. @throws NcvsdError BAD_CHECKPOINT */
export function checkedValues<T extends Float32Array>(
  file: string,
  tensor: Stored,
  values: T,
  options: ReadOptions,
): T {
  if (!options.allowNonFinite) checkFinite(file, tensor, values);
  if (options.weights) checkZeros(file, tensor, values);
  return values;
}

/** The elements as 32-bit floats; where they are stored otherwise, a piece at a time, so that the stored ones take little memory. */
export async function readValues(source: ByteSource, { dtype, offset, byteLength }: StoredTensor) {
  if (dtype === "F32" || byteLength <= CAST_CHUNK) return toF32(await source.read(offset, byteLength), dtype);
  const values = new Float32Array((8 * byteLength) / dtypeBits(dtype)!);
  for (let at = 0; at < byteLength; at += CAST_CHUNK) {
    const piece = await source.read(offset + at, Math.min(CAST_CHUNK, byteLength - at));
    values.set(toF32(piece, dtype), (8 * at) / dtypeBits(dtype)!);
  }
  return values;
}

/** The stored elements as 32-bit floats. `bytes` are fresh memory from the start of their buffer, hence aligned. */
export function toF32(bytes: Uint8Array, dtype: string): Float32Array<ArrayBuffer> {
  const buffer = bytes.buffer as ArrayBuffer;
  if (dtype === "F16") return widenF16(new Uint16Array(buffer));
  if (dtype === "BF16") return widenBF16(new Uint16Array(buffer));
  if (dtype === "F64") return Float32Array.from(new Float64Array(buffer));
  return new Float32Array(buffer);
}

function checkFinite(file: string, tensor: Stored, values: Float32Array): void {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < bits.length; i++) {
    if ((bits[i]! & 0x7f800000) === 0x7f800000) {
      const index = tensor.shape.length === 0 ? "" : ` at [${multiIndex(i, tensor.shape).join(", ")}]`;
      throw bad(
        `${quote(file)}: tensor ${quote(tensor.name)} holds ${values[i]}${index}; the weights are damaged or training diverged`,
      );
    }
  }
}

/** Shortest run of zeros that is looked at, and the longest that a trained weight may have (64 KiB in f32). */
const ZERO_RUN = 256;
const LONG_ZERO_RUN = 16384;

/**
 * Refuses a weight of which all, an eighth, or a long piece is exactly zero. Scalars, gains, biases and other short vectors may
 * be zero; no matrix or kernel of a trained network is.
 */
function checkZeros(file: string, { name, shape }: Stored, values: Float32Array): void {
  const { length } = values;
  const least = shape.length >= 2 ? 16 : 64;
  if (length < least || (shape.length < 2 && /(bias|beta|mean)$/.test(name))) return;
  const allowed = shape.length < 2 ? length : Math.min(length, Math.max(ZERO_RUN, Math.min(length / 8, LONG_ZERO_RUN)));
  const step = Math.floor(allowed);
  // A run of that length has a zero at one of these places.
  for (let at = step - 1; at < length; at += step) {
    if (values[at] !== 0) continue;
    let from = at;
    let to = at + 1;
    while (from > 0 && values[from - 1] === 0) from--;
    while (to < length && values[to] === 0) to++;
    if (to - from >= allowed) {
      const what = to - from === length ? "is all zeros" : `is zero from element ${from} to ${to} of ${length}`;
      throw bad(
        `${quote(file)}: tensor ${quote(name)} ${what}, which no trained weight is: the download was interrupted or the writer failed; copy or download the file again`,
      );
    }
  }
}

function multiIndex(flat: number, shape: readonly number[]): number[] {
  const index = new Array<number>(shape.length);
  let rest = flat;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    index[axis] = rest % shape[axis]!;
    rest = Math.floor(rest / shape[axis]!);
  }
  return index;
}
