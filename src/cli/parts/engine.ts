import { openCheckpoint } from "../../checkpoint/index.js";
import { type Gpu, openGpu } from "../../gpu/device.js";
import { silenceDriverWarnings } from "../../gpu/native.js";
import { parseConfig } from "../../networks/edm2/config.js";
import { loadModel, type Model } from "../../networks/edm2/model.js";
import { validateTensors } from "../../networks/edm2/names.js";
import { parsePrecision } from "../../runs/args.js";
import { createProgress } from "../../runs/progress.js";
import type { Stopwatch } from "../../runs/stopwatch.js";

/** How a command opens its GPU. */
export interface EngineOptions {
  readonly adapter?: string;
  readonly precision?: string;
  readonly verbose?: boolean;
  /** False: `--no-tuning`, and evaluations, whose interrupted runs and shards have to agree to the bit. */
  readonly tuning?: boolean;
}

export const PRECISION_HELP =
  "storage of weights and activations: f32, f16, f16-weights (activations in f32, for adapters without f16), or auto (f16 on a GPU)";

export async function openEngine(options: EngineOptions, watch: Stopwatch): Promise<Gpu> {
  const adapter = options.adapter === undefined ? {} : { adapter: options.adapter };
  const precision = parsePrecision(options.precision ?? "f32");
  silenceDriverWarnings();
  const gpu = await openGpu({ precision, ...adapter, ...(options.tuning === false ? { tuning: false } : {}) });
  watch.lap("adapter");
  return gpu;
}

export const ADAPTER_HELP = "the GPU adapter: part of its name, or its number in the list of `doctor`";

export const NO_TUNING_HELP = "leave the choices of `bench --tune` unused (so does NCVSD_TUNING=off)";

/** For `--verbose`. */
export function tuningLine({ tuning }: Gpu): string {
  if (!tuning) return "tuned choices: none; the cost models choose";
  return `tuned choices: ${tuning.choices.size}${tuning.file === null ? "" : ` from ${tuning.file}`}`;
}

/**
 * Reads a checkpoint's head and checks it, before a GPU is looked for: what is wrong with the file is told first.
 * @throws NcvsdError BAD_CHECKPOINT
 */
export async function checkNetwork(path: string): Promise<void> {
  const checkpoint = await openCheckpoint(path);
  try {
    const { architecture, config } = parseConfig(checkpoint);
    validateTensors(checkpoint, architecture, config);
  } finally {
    await checkpoint.close();
  }
}

/** Loads a checkpoint; a large one shows its progress. */
export async function loadNetwork(gpu: Gpu, path: string, watch: Stopwatch, silent: boolean): Promise<Model> {
  let progress: ReturnType<typeof createProgress> | undefined;
  const started = performance.now();
  const model = await loadModel(gpu, path, {
    onProgress(done, total) {
      if (performance.now() - started < 2000) return;
      progress ??= createProgress({ total, label: "loading", unit: "tensor", silent });
      progress.update(done);
    },
  }).finally(() => progress?.stop());
  watch.lap("weights");
  return model;
}
