/** Checkpoint files: bytes only, nothing of the networks. Runs in Node and in browsers. */
export { DTYPES, dtypeBits, FLOAT_DTYPES } from "./dtypes.js";
export { narrowBF16, narrowF16, widenBF16, widenF16 } from "./half.js";
export { networkPrefixes } from "./prefixes.js";
export { type Checkpoint, openCheckpoint, type TensorInfo } from "./safetensors.js";
export { type ByteSource, type CheckpointInput, openSource } from "./source.js";
export { type TensorToWrite, writeSafetensors } from "./write.js";
