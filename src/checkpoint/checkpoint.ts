import type { ReadOptions } from "./values.js";

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
