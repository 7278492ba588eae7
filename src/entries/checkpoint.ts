/** Checkpoints without a GPU: safetensors, their shards, and pickles of the reference, read as data: `ncvsd-gpu/checkpoint`. */
export {
  type Checkpoint,
  type CheckpointInput,
  type FetchOptions,
  openCheckpoint,
  type ReadOptions,
  type TensorInfo,
} from "../checkpoint/index.js";
export { type ErrorCode, NcvsdError } from "../errors.js";
