import { NcvsdError } from "../errors.js";
import { dtypeBits, tensorBytes } from "./dtypes.js";
import { quote } from "./fail.js";

/** One tensor to write: `data` holds its elements little-endian and row-major, exactly as they go into the file. */
export interface TensorToWrite {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: ArrayBufferView;
}

/**
 * The bytes of a safetensors file. Wider dtypes come first, so that every tensor is aligned to its elements;
 * among equals the given order stays. The header is padded with spaces to a multiple of 8 bytes.
 * @throws NcvsdError BAD_ARGUMENT for a name used twice, an unknown dtype, or data whose length does not fit the shape.
 */
export function writeSafetensors(
  tensors: Iterable<TensorToWrite>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const list = [...tensors].map((tensor) => ({ ...tensor, bits: checked(tensor) }));
  list.sort((a, b) => b.bits - a.bits);

  const entries: string[] = [];
  const names = new Set<string>();
  const own = Object.entries(metadata);
  if (own.length > 0) {
    for (const [key, value] of own) wellFormed(key + value);
    entries.push(
      `"__metadata__":{${own.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(",")}}`,
    );
  }
  let end = 0;
  for (const { name, dtype, shape, data } of list) {
    if (names.has(name)) throw new NcvsdError("BAD_ARGUMENT", `two tensors to write are called ${quote(name)}`);
    names.add(name);
    const info = JSON.stringify({ dtype, shape, data_offsets: [end, end + data.byteLength] });
    entries.push(`${JSON.stringify(name)}:${info}`);
    end += data.byteLength;
  }
  const json = new TextEncoder().encode(`{${entries.join(",")}}`);
  const headerBytes = Math.ceil(json.length / 8) * 8;

  const out = new Uint8Array(8 + headerBytes + end);
  new DataView(out.buffer).setBigUint64(0, BigInt(headerBytes), true);
  out.fill(0x20, 8, 8 + headerBytes);
  out.set(json, 8);
  let at = 8 + headerBytes;
  for (const { data } of list) {
    out.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return out;
}

/** Bits per element of a tensor that can be written. */
function checked({ name, dtype, shape, data }: TensorToWrite): number {
  wellFormed(name);
  if (name === "__metadata__") throw new NcvsdError("BAD_ARGUMENT", "a tensor cannot be called __metadata__");
  const bits = dtypeBits(dtype);
  if (bits === undefined) throw new NcvsdError("BAD_ARGUMENT", `tensor ${quote(name)}: unknown dtype ${quote(dtype)}`);
  const valid = shape.every((extent) => Number.isSafeInteger(extent) && extent >= 0);
  const bytes = valid ? tensorBytes(shape, bits) : undefined;
  if (bytes !== data.byteLength) {
    throw new NcvsdError(
      "BAD_ARGUMENT",
      `tensor ${quote(name)}: ${dtype} [${shape.join(", ")}] does not take the ${data.byteLength} bytes that were given`,
    );
  }
  return bits;
}

/** UTF-8 cannot hold half a surrogate pair; encoding one would silently change the name. */
function wellFormed(text: string): void {
  if (/\p{Surrogate}/u.test(text)) throw new NcvsdError("BAD_ARGUMENT", `${quote(text)} is not well-formed Unicode`);
}
