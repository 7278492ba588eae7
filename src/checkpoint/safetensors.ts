import { dtypeBits, FLOAT_DTYPES } from "./dtypes.js";
import { bad, quote } from "./fail.js";
import { widenBF16, widenF16 } from "./half.js";
import { type Header, readHeader, type StoredTensor } from "./header.js";
import { bareName, networkPrefixes } from "./prefixes.js";
import { Sha256 } from "./sha256.js";
import { type OpenedShards, openShards } from "./shards.js";
import { type ByteSource, type CheckpointInput, isNode, openSource } from "./source.js";

/** What a checkpoint says about one tensor. */
export interface TensorInfo {
  readonly name: string;
  /** safetensors dtype, such as "F32", "F16", "BF16". */
  readonly dtype: string;
  /** Row-major extents; [] is a scalar. */
  readonly shape: readonly number[];
  readonly byteLength: number;
  /** The file that holds it (a shard, or the checkpoint itself). */
  readonly file: string;
}

export interface ReadOptions {
  readonly allowNonFinite?: boolean;
  readonly weights?: boolean;
}

/** An open checkpoint: everything about its tensors is known and checked, their data are read on demand. */
export interface Checkpoint {
  /** As it was given: path, URL without query, or "(bytes)". */
  readonly name: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** The stored bytes of one tensor, little-endian, row-major. */
  readBytes(name: string): Promise<Uint8Array>;
  /**
   * One tensor as 32-bit floats: F16 and BF16 widened exactly, F64 rounded to nearest.
   * @throws NcvsdError BAD_CHECKPOINT for another dtype; unless `allowNonFinite`, for a NaN or an infinity; with `weights`, for
   *   a weight that is zero where no trained one is: what an interrupted download leaves.
   */
  readF32(name: string, options?: ReadOptions): Promise<Float32Array<ArrayBuffer>>;
  /** SHA-256 in hexadecimal: of the file, or of all shards one after the other, in the order in which the index first names them. */
  sha256(): Promise<string>;
  close(): Promise<void>;
}

/** Hashing reads the file in pieces of this size. */
const HASH_CHUNK = 4 * 2 ** 20;
/** Values that are no F32 are read in pieces of this size. */
const CAST_CHUNK = 8 * 2 ** 20;

/**
 * Opens one `.safetensors` file, or a set of shards through their `*.safetensors.index.json`, and checks all of it except
 * the tensor values. Close it when the weights are read.
 * @throws NcvsdError BAD_CHECKPOINT: what is wrong, in which file, with which tensor.
 */
export async function openCheckpoint(input: CheckpointInput): Promise<Checkpoint> {
  const source = await openSource(input);
  try {
    if (source.name.endsWith(".json")) {
      const shards = await openShards(source, input);
      await source.close();
      return checkpointOf(source.name, shards);
    }
    return checkpointOf(source.name, singleFile(source, await readHeader(source)));
  } catch (error) {
    await source.close();
    throw error;
  }
}

function singleFile(source: ByteSource, header: Header): OpenedShards {
  const tensors = new Map(header.tensors.map((tensor) => [tensor.name, { tensor, source }]));
  return { sources: [source], metadata: header.metadata, tensors };
}

/** Names as the network has them: without what wrappers put in, and without a prefix that all of them have. */
function withoutPrefixes(stored: OpenedShards["tensors"]): OpenedShards["tensors"] {
  const bare = new Map([...stored].map(([name, value]) => [bareName(name), value]));
  // Two copies of one tensor: whoever reads them has to see both.
  if (bare.size < stored.size) return stored;
  const [only, ...more] = networkPrefixes(bare.keys());
  const prefix = more.length === 0 ? (only?.prefix ?? "") : "";
  if (prefix === "" || ![...bare.keys()].every((name) => name.startsWith(prefix))) return bare;
  return new Map([...bare].map(([name, value]) => [name.slice(prefix.length), value]));
}

function checkpointOf(name: string, { sources, metadata, tensors: stored }: OpenedShards): Checkpoint {
  const tensors = withoutPrefixes(stored);
  const infos = new Map<string, TensorInfo>();
  for (const [key, { tensor, source }] of tensors) {
    const { dtype, shape, byteLength } = tensor;
    infos.set(key, { name: key, dtype, shape, byteLength, file: source.name });
  }
  let digest: Promise<string> | undefined;

  function locate(tensorName: string): { tensor: StoredTensor; source: ByteSource } {
    const found = tensors.get(tensorName);
    if (found === undefined) throw bad(`${quote(name)} has no tensor ${quote(tensorName)}`);
    return found;
  }

  return {
    name,
    metadata: Object.freeze(nullPrototype(metadata)),
    tensors: infos,
    async readBytes(tensorName) {
      const { tensor, source } = locate(tensorName);
      return source.read(tensor.offset, tensor.byteLength);
    },
    async readF32(tensorName, options = {}) {
      const { tensor, source } = locate(tensorName);
      if (!FLOAT_DTYPES.includes(tensor.dtype)) {
        throw bad(
          `${quote(source.name)}: tensor ${quote(tensorName)} is ${tensor.dtype}, where floats are needed (${FLOAT_DTYPES.join(", ")})`,
        );
      }
      const values = await readValues(source, tensor);
      if (!options.allowNonFinite) checkFinite(source.name, tensor, values);
      if (options.weights) checkZeros(source.name, tensor, values);
      return values;
    },
    sha256() {
      digest ??= hash(sources);
      return digest;
    },
    async close() {
      await Promise.all(sources.map((source) => source.close()));
    },
  };
}

/** The elements as 32-bit floats; where they are stored otherwise, a piece at a time, so that the stored ones take little memory. */
async function readValues(source: ByteSource, { dtype, offset, byteLength }: StoredTensor) {
  if (dtype === "F32" || byteLength <= CAST_CHUNK) return toF32(await source.read(offset, byteLength), dtype);
  const values = new Float32Array((8 * byteLength) / dtypeBits(dtype)!);
  for (let at = 0; at < byteLength; at += CAST_CHUNK) {
    const piece = await source.read(offset + at, Math.min(CAST_CHUNK, byteLength - at));
    values.set(toF32(piece, dtype), (8 * at) / dtypeBits(dtype)!);
  }
  return values;
}

/** The stored elements as 32-bit floats. `bytes` are fresh memory from the start of their buffer, hence aligned. */
function toF32(bytes: Uint8Array, dtype: string): Float32Array<ArrayBuffer> {
  const buffer = bytes.buffer as ArrayBuffer;
  if (dtype === "F16") return widenF16(new Uint16Array(buffer));
  if (dtype === "BF16") return widenBF16(new Uint16Array(buffer));
  if (dtype === "F64") return Float32Array.from(new Float64Array(buffer));
  return new Float32Array(buffer);
}

function checkFinite(file: string, tensor: StoredTensor, values: Float32Array): void {
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
function checkZeros(file: string, { name, shape }: StoredTensor, values: Float32Array): void {
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

async function hash(sources: readonly ByteSource[]): Promise<string> {
  let update: (bytes: Uint8Array) => void;
  let finish: () => string;
  if (isNode) {
    const { createHash } = await import("node:crypto");
    const native = createHash("sha256");
    update = (bytes) => native.update(bytes);
    finish = () => native.digest("hex");
  } else {
    const own = new Sha256();
    update = (bytes) => own.update(bytes);
    finish = () => own.hex();
  }
  for (const source of sources) {
    for (let at = 0; at < source.size; at += HASH_CHUNK) {
      update(await source.read(at, Math.min(HASH_CHUNK, source.size - at)));
    }
  }
  return finish();
}

/** A plain record without a prototype, so that a key such as `__proto__` or `toString` is only ever what the file says. */
function nullPrototype(map: ReadonlyMap<string, string>): Record<string, string> {
  const record: Record<string, string> = Object.create(null);
  for (const [key, value] of map) record[key] = value;
  return record;
}
