import { openCheckpoint } from "../checkpoint/index.js";
import { type Gpu, openGpu } from "../gpu/device.js";
import { silenceDriverWarnings } from "../gpu/native.js";
import { parseConfig } from "../model/config.js";
import { loadModel, type Model } from "../model/model.js";
import { validateTensors } from "../model/names.js";
import { parsePrecision } from "./args.js";
import { createProgress } from "./progress.js";

/** Options that every command with a GPU has. */
export interface EngineOptions {
  readonly adapter?: string;
  readonly precision?: string;
  readonly verbose?: boolean;
}

/** Times of the start-up's parts in seconds, for `--verbose`. */
export class Stopwatch {
  readonly parts: Record<string, number> = {};
  #last = performance.now();

  lap(name: string): void {
    const now = performance.now();
    this.parts[name] = (now - this.#last) / 1000;
    this.#last = now;
  }

  toString(): string {
    return Object.entries(this.parts)
      .map(([name, seconds]) => `${name} ${seconds.toFixed(2)} s`)
      .join(", ");
  }
}

export const PRECISION_HELP = "storage of weights and activations: f32, f16, or auto (f16 where a GPU has it)";

export async function openEngine(options: EngineOptions, watch: Stopwatch): Promise<Gpu> {
  const adapter = options.adapter === undefined ? {} : { adapter: options.adapter };
  const auto = options.precision === "auto";
  const precision = auto ? "f32" : parsePrecision(options.precision ?? "f32");
  silenceDriverWarnings();
  let gpu = await openGpu({ precision, ...adapter });
  // A software adapter computes in f32 anyway: there f16 saves memory, but no time.
  if (auto && !gpu.info.software && gpu.features.includes("shader-f16")) {
    gpu.close();
    gpu = await openGpu({ precision: "f16", ...adapter });
  }
  watch.lap("adapter");
  return gpu;
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
