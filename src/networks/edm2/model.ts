import { type CheckpointInput, type FetchOptions, openCheckpoint } from "../../checkpoint/index.js";
import { bad, checkKeys } from "../../errors.js";
import type { Gpu } from "../../gpu/device.js";
import type { NcvsdConfig } from "./arguments.js";
import type { Model } from "./loaded.js";

export type { DenoiseInput, Evaluation, GenerateInput, Model } from "./loaded.js";

/** Besides: how a file behind an address is fetched. `signal` stops loading within a tensor. */
export interface LoadModelOptions extends FetchOptions {
  /** Constructor arguments that replace those of the checkpoint, under the reference's names: `{ clip_act: null }`. */
  readonly config?: Partial<NcvsdConfig>;
  /** Called while weights are read: tensors done, tensors in all. */
  readonly onProgress?: (done: number, total: number) => void;
}

const LOAD_OPTIONS = {
  config: true,
  onProgress: true,
  onBytes: true,
  signal: true,
  sha256: true,
  offline: true,
} as const;

/**
 * Loads a checkpoint (`.safetensors`, the index of its shards, or a pickle of the reference) onto the GPU.
 * @param input a path or URL, `hf://owner/repo/file`, the name of a published network, bytes, or a Blob; absent or "bundled": the
 *   bundled NCVSD network (Fashion-MNIST, 32x32); "bundled-teacher": its teacher, in Node. What is
 *   fetched is kept: in Node in the user's cache folder, in browsers in their Cache storage.
 * @throws NcvsdError BAD_CHECKPOINT when the file is no whole checkpoint of a known network, OUT_OF_MEMORY when it does not fit
 */
export async function loadModel(
  gpu: Gpu,
  input: CheckpointInput = "bundled",
  options: LoadModelOptions = {},
): Promise<Model> {
  const { config, onProgress, ...fetching } = options;
  checkKeys("loadModel", options, LOAD_OPTIONS);
  if (typeof gpu?.check !== "function") throw bad("loadModel: the first argument must be what openGpu() gives.");
  gpu.check();
  // What builds networks comes while the checkpoint is opened: no page waits for one after the other, or has it before it loads a model.
  const network = import("./loaded.js");
  network.catch(() => {});
  const checkpoint = await openCheckpoint(await named(input), fetching);
  try {
    const { loadOpened } = await network;
    return await loadOpened(gpu, checkpoint, config, (done, total) => {
      options.signal?.throwIfAborted();
      onProgress?.(done, total);
    });
  } catch (error) {
    await checkpoint.close();
    throw error;
  }
}

/** Where a name may stand for a file: the table of published networks is imported for names alone. */
async function named(input: CheckpointInput): Promise<CheckpointInput> {
  if (typeof input !== "string") return input;
  return (await import("./published.js")).networkFile(input);
}
