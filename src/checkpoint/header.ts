import type { ByteSource } from "./byte-source.js";
import { DTYPES, dtypeBits, tensorBytes } from "./dtypes.js";
import { bad, quote } from "./fail.js";
import { JsonNumber, type JsonValue, parseJson } from "./json.js";
import { SNIFF_BYTES, sniff } from "./sniff.js";

/** Longest header: the bound of the safetensors crate, against files that make a reader allocate without end. */
export const MAX_HEADER_BYTES = 100_000_000;
/** Most tensors in one checkpoint. The largest EDM2 network has about 700. */
export const MAX_TENSORS = 100_000;
/** Most dimensions of one tensor: PyTorch's own bound. */
const MAX_RANK = 64;

/** One tensor as the header describes it. */
export interface StoredTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly byteLength: number;
  /** Of its first byte, from the start of the file. */
  readonly offset: number;
}

export interface Header {
  readonly metadata: ReadonlyMap<string, string>;
  /** In the order of their data. */
  readonly tensors: readonly StoredTensor[];
}

/**
 * Reads and checks the header of one safetensors file: everything that can be known without reading tensor data.
 * @throws NcvsdError BAD_CHECKPOINT naming the file, and the tensor where it is one tensor's fault.
 */
export async function readHeader(source: ByteSource): Promise<Header> {
  const file = quote(source.name);
  const head = await source.read(0, Math.min(source.size, SNIFF_BYTES));
  const length =
    head.length < 8 ? undefined : new DataView(head.buffer).getBigUint64(head.byteOffset, /* littleEndian */ true);
  // A length in range and an opening brace: safetensors, so whatever is wrong further on is said exactly.
  const plausible = length !== undefined && length <= MAX_HEADER_BYTES && (head[8] === 0x7b || source.size === 8);
  const looks = plausible ? undefined : sniff(head);
  if (looks !== undefined) throw bad(`${file} is not a safetensors file: it ${looks}`);
  if (length === undefined) {
    throw bad(
      `${file} is not a safetensors file: it has only ${source.size} bytes, the length of the header alone takes 8`,
    );
  }
  if (length > MAX_HEADER_BYTES) {
    throw bad(
      `${file} is not a safetensors file, or is damaged: it claims a header of ${length} bytes, the limit is ${MAX_HEADER_BYTES}`,
    );
  }
  const headerBytes = Number(length);
  if (8 + headerBytes > source.size) {
    throw bad(
      `${file} is truncated: its header should be ${headerBytes} bytes long, but the whole file has only ${source.size}; copy or download it again`,
    );
  }
  const bytes = await source.read(8, headerBytes);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw bad(`${file} is damaged: its header is not valid UTF-8`, cause);
  }
  if (!text.startsWith("{"))
    throw bad(`${file} is not a safetensors file, or is damaged: its header does not start with "{"`);
  return parseHeader(source.name, text, 8 + headerBytes, source.size);
}

/** Checks the header `text` of a file of `fileSize` bytes whose tensor data start at `dataStart`. */
function parseHeader(name: string, text: string, dataStart: number, fileSize: number): Header {
  const file = quote(name);
  let root: JsonValue;
  try {
    root = parseJson(text);
  } catch (cause) {
    throw bad(`${file} is damaged: its header is not valid JSON: ${(cause as Error).message}`, cause);
  }
  if (!(root instanceof Map)) throw bad(`${file}: the header is not a JSON object`);
  const metadata = root.has("__metadata__") ? stringMap(file, root.get("__metadata__")!) : new Map<string, string>();
  root.delete("__metadata__");
  if (root.size > MAX_TENSORS) throw bad(`${file} lists ${root.size} tensors; the limit is ${MAX_TENSORS}`);

  const tensors: StoredTensor[] = [];
  for (const [tensor, info] of root) tensors.push(parseTensor(file, tensor, info, dataStart));
  tensors.sort((a, b) => a.offset - b.offset || a.byteLength - b.byteLength);

  let end = dataStart;
  for (const tensor of tensors) {
    if (tensor.offset !== end) {
      const what = tensor.offset > end ? "leaves a hole before" : "overlaps the tensor before";
      throw bad(
        `${file}: tensor ${quote(tensor.name)} ${what} its data (offset ${tensor.offset - dataStart}, expected ${end - dataStart})`,
      );
    }
    end += tensor.byteLength;
    if (end > fileSize) {
      throw bad(
        `${file} is truncated: the data of tensor ${quote(tensor.name)} end at byte ${end}, but the file has only ${fileSize}; copy or download it again`,
      );
    }
  }
  if (end !== fileSize) {
    throw bad(
      `${file}: ${fileSize - end} bytes follow the data of the last tensor; every byte has to belong to a tensor`,
    );
  }
  return { metadata, tensors };
}

function stringMap(file: string, value: JsonValue): Map<string, string> {
  // Some writers put null where there is nothing to say.
  if (value === null) return new Map();
  if (!(value instanceof Map)) throw bad(`${file}: __metadata__ is not a JSON object`);
  const strings = new Map<string, string>();
  for (const [key, entry] of value) {
    if (entry === null) continue;
    if (typeof entry !== "string") {
      throw bad(`${file}: __metadata__ ${quote(key)} is not a string: store other values as JSON text`);
    }
    strings.set(key, entry);
  }
  return strings;
}

function parseTensor(file: string, name: string, info: JsonValue, dataStart: number): StoredTensor {
  const where = `${file}: tensor ${quote(name)}`;
  if (!(info instanceof Map)) throw bad(`${where} is not described by a JSON object`);
  const dtype = info.get("dtype");
  if (typeof dtype !== "string") throw bad(`${where} has no dtype`);
  const bits = dtypeBits(dtype);
  if (bits === undefined) throw bad(`${where} has the unknown dtype ${quote(dtype)}; known are ${DTYPES.join(", ")}`);

  const shape = indices(info.get("shape"));
  if (shape === undefined) throw bad(`${where}: its shape is not a list of integers from 0 to 2^53 - 1`);
  if (shape.length > MAX_RANK) throw bad(`${where} has ${shape.length} dimensions; the limit is ${MAX_RANK}`);
  const byteLength = tensorBytes(shape, bits);
  if (byteLength === undefined) {
    throw bad(`${where}: shape [${shape.join(", ")}] of ${dtype} overflows, or is no whole number of bytes`);
  }
  const offsets = indices(info.get("data_offsets"));
  if (offsets?.length !== 2) throw bad(`${where}: its data_offsets are not two integers from 0 to 2^53 - 1`);
  const [begin, end] = offsets as [number, number];
  if (end < begin) throw bad(`${where}: its data end (${end}) before they begin (${begin})`);
  if (end - begin !== byteLength) {
    throw bad(
      `${where}: ${dtype} [${shape.join(", ")}] needs ${byteLength} bytes, but its data_offsets span ${end - begin}`,
    );
  }
  return { name, dtype, shape, byteLength, offset: dataStart + begin };
}

/** A list of non-negative safe integers, or undefined. */
function indices(value: JsonValue | undefined): number[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const out: number[] = [];
  for (const entry of value) {
    const index = entry instanceof JsonNumber ? entry.index : undefined;
    if (index === undefined) return undefined;
    out.push(index);
  }
  return out;
}
