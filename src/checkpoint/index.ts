/** Checkpoint files: bytes only, nothing of the networks. Runs in Node and in browsers. */

export type { ByteSource } from "./byte-source.js";
export type { Checkpoint, TensorInfo } from "./checkpoint.js";
export type { FetchOptions } from "./download.js";
export { DTYPES, dtypeBits, FLOAT_DTYPES } from "./dtypes.js";
export { narrowBF16, narrowF16, widenBF16, widenF16 } from "./half.js";
export { networkPrefixes } from "./prefixes.js";
export { openCheckpoint } from "./safetensors.js";
export { type CheckpointInput, openSource } from "./source.js";
export type { ReadOptions } from "./values.js";
export { type TensorToWrite, writeSafetensors } from "./write.js";
