import { existsSync, readdirSync } from "node:fs";
import { bad as badFile, quote as quoteFile } from "../../checkpoint/fail.js";
import { type CheckpointInput, type FetchOptions, openCheckpoint } from "../../checkpoint/index.js";
import { bad, didYouMean, quote } from "../../errors.js";
import { type Gpu, openGpu } from "../../gpu/device.js";
import { parseConfig } from "../../networks/edm2/config.js";
import { loadModel, type Model } from "../../networks/edm2/model.js";
import { validateTensors } from "../../networks/edm2/names.js";
import { networkFile, published } from "../../networks/edm2/published.js";
import { parsePrecision } from "../../runs/args.js";
import { BatchSize } from "../../runs/batch-size.js";
import { createProgress, type Progress } from "../../runs/progress.js";
import type { Stopwatch } from "../../runs/stopwatch.js";

/** How a command opens its GPU. */
export interface EngineOptions {
  readonly adapter?: string;
  readonly precision?: string;
  readonly tensorCores?: "auto" | "off";
  readonly verbose?: boolean;
  /** False: `--no-tuning`, and evaluations, whose interrupted runs and shards have to agree to the bit. */
  readonly tuning?: boolean;
}

export const PRECISION_HELP =
  "storage of weights and activations: f32, f16, f16-weights (activations in f32, for adapters without f16), or auto (f16 on a GPU)";

/** @param choices in place of the tuner's own, which `tuning: false` leaves out */
export async function openEngine(
  options: EngineOptions,
  watch: Stopwatch,
  choices?: ReadonlyMap<string, string>,
): Promise<Gpu> {
  const adapter = options.adapter === undefined ? {} : { adapter: options.adapter };
  const precision = parsePrecision(options.precision ?? "f32");
  const { tensorCores } = options;
  const units = tensorCores === undefined ? {} : { tensorCores };
  const gpu = await openGpu({
    precision,
    ...adapter,
    ...units,
    ...(choices ? { tuning: choices } : options.tuning === false ? { tuning: false } : {}),
  });
  watch.lap("adapter");
  return gpu;
}

export const TENSOR_CORES = ["auto", "off"];
export const TENSOR_CORES_HELP =
  "matrix units of the GPU, with --precision f16: auto (where there are any) or off; experimental";

export const ADAPTER_HELP = "the GPU adapter: part of its name, or its number in the list of `doctor`";

export const NO_TUNING_HELP = "leave the choices of `bench --tune` unused (so does NCVSD_TUNING=off)";

/** For `--verbose`. */
export function tuningLine({ tuning }: Gpu): string {
  if (!tuning) return "tuned choices: none; the cost models choose";
  return `tuned choices: ${tuning.choices.size}${tuning.file === null ? "" : ` from ${tuning.file}`}`;
}

/** Images at a time where no `--batch` says otherwise, if they fit. */
export const BATCH = 16;

export const BATCH_HELP = `at a time; does not change them (default: as many as fit, ${BATCH} at most)`;

/** So many of `images` at a time: as asked, or what fits. */
export function batchFor(model: Model, asked: number | undefined, images: number): BatchSize {
  const size = Math.min(asked ?? Math.max(1, model.largestBatch(Math.min(BATCH, images))), images);
  return new BatchSize(size, asked !== undefined);
}

/** How a network's file may be had. */
export interface FetchFlags {
  readonly offline?: boolean;
  readonly sha256?: string;
}

export const OFFLINE_HELP = "ask no server: use what was fetched before (so does NCVSD_OFFLINE=1)";
export const SHA256_HELP = "SHA-256 that the network's file must have";

/** Something that may fetch a file: how much of it is there is shown when it takes longer than a moment. */
export async function fetching<T>(
  { offline, sha256 }: FetchFlags,
  silent: boolean,
  open: (options: FetchOptions) => Promise<T>,
): Promise<T> {
  let progress: Progress | undefined;
  const started = performance.now();
  const onBytes = (done: number, total: number) => {
    if (performance.now() - started < 500 || !(total > 0)) return;
    const megabytes = Math.max(1, Math.round(total / 1e6));
    progress ??= createProgress({ total: megabytes, label: "fetching", unit: "MB", silent });
    progress.update((megabytes * done) / total);
    // What follows, loading, shows its own.
    if (done === total) progress.stop();
  };
  try {
    return await open({ onBytes, ...(offline ? { offline } : {}), ...(sha256 === undefined ? {} : { sha256 }) });
  } finally {
    progress?.stop();
  }
}

/** Networks in a folder; undefined for what is none that can be read, an address among others. */
function networksIn(path: string): string[] | undefined {
  try {
    return readdirSync(path)
      .filter((file) => file.endsWith(".safetensors"))
      .sort();
  } catch {
    return undefined;
  }
}

/**
 * The file that a network's name, path or address stands for.
 * @throws NcvsdError BAD_CHECKPOINT for a folder, BAD_ARGUMENT for a slip of a published network's name: a word that no file has
 */
export function namedNetwork(network: string): CheckpointInput {
  const names = [...Object.keys(published), "bundled", "bundled-teacher"];
  if (names.includes(network)) return networkFile(network);
  const word = !/[./\\:]/.test(network) && !existsSync(network);
  const inFolder = networksIn(network);
  if (inFolder) {
    const such = inFolder.length > 0 ? `, such as ${inFolder.at(-1)}` : "";
    throw badFile(`${quoteFile(network)} is a folder: give the .safetensors file in it${such}`);
  }
  const meant = word ? didYouMean(network, names) : undefined;
  if (meant) throw bad(`${quote(network)} is neither a file nor a published network: ${meant}`);
  return networkFile(network);
}

/**
 * Reads a checkpoint's head and checks it, before a GPU is looked for: what is wrong with the file is told first.
 * @throws NcvsdError BAD_CHECKPOINT
 */
export async function checkNetwork(path: string, flags: FetchFlags = {}, silent = false): Promise<void> {
  const checkpoint = await fetching(flags, silent, (options) => openCheckpoint(namedNetwork(path), options));
  try {
    const { architecture, config } = parseConfig(checkpoint);
    validateTensors(checkpoint, architecture, config);
  } finally {
    await checkpoint.close();
  }
}

/** Loads a checkpoint; a large one shows its progress. */
export async function loadNetwork(
  gpu: Gpu,
  path: string,
  watch: Stopwatch,
  silent: boolean,
  flags: FetchFlags = {},
): Promise<Model> {
  let progress: Progress | undefined;
  const started = performance.now();
  const onProgress = (done: number, total: number) => {
    if (performance.now() - started < 2000) return;
    progress ??= createProgress({ total, label: "loading", unit: "tensor", silent });
    progress.update(done);
  };
  const model = await fetching(flags, silent, (options) =>
    loadModel(gpu, namedNetwork(path), { ...options, onProgress }),
  ).finally(() => progress?.stop());
  watch.lap("weights");
  return model;
}
