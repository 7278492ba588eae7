import { type Gpu, type LoadModelOptions, loadModel, type Model, sampleHeun, sampleMultiStep } from "ncvsd-gpu";
import type { Context } from "./engine.js";
import type { Own, OwnJob } from "./protocol.js";

let kept: { readonly file: File; readonly model: Model } | undefined;

/** 3x3 weights take up to four times their size on the GPU, and f16 ones twice that in f32. */
const MEMORY_PER_BYTE = 8;
/** Steps of a teacher. */
const HEUN_STEPS = 12;

const giga = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;

/** @throws where the device will hardly hold a file of this size: before a byte of it is read */
function requireRoom(file: File): void {
  const { deviceMemory } = navigator as { deviceMemory?: number };
  const needed = file.size * MEMORY_PER_BYTE;
  // Browsers say 8 where there is more.
  if (deviceMemory === undefined || deviceMemory >= 8 || needed <= (deviceMemory * 1e9) / 2) return;
  const message = `${file.name} may need ${giga(needed)} of memory on the GPU, and this device has ${deviceMemory} GB in all: nothing was loaded.`;
  throw Object.assign(new Error(message), { code: "OUT_OF_MEMORY" });
}

/** A file is another object in each message. */
const same = (a: File, b: File) => a.name === b.name && a.size === b.size && a.lastModified === b.lastModified;

/** The network of a file, from the last time where it is the same one on the same device. */
export async function ownModel(gpu: Gpu, file: File, options: LoadModelOptions): Promise<Model> {
  if (kept?.model.gpu === gpu && same(kept.file, file)) return kept.model;
  requireRoom(file);
  // The one before gives its memory back first.
  await kept?.model.close();
  kept = undefined;
  const model = await loadModel(gpu, file, options);
  kept = { file, model };
  return model;
}

/** Loads a network of the visitor's (a pickle is read as data, nothing in it is executed) and draws pictures with it. */
export async function own({ file, seeds }: OwnJob, { engine, signal, tell }: Context<"own">): Promise<Own> {
  const { gpu } = await engine.ready();
  const model = await ownModel(gpu, file, { signal, onProgress: (done, total) => tell({ done, total }) });
  const begun = performance.now();
  const labels = seeds.map((seed) => (model.labelDim > 0 ? seed % model.labelDim : -1));
  const common = { seeds, signal, ...(model.labelDim > 0 ? { labels } : {}) };
  const ncvsd = model.architecture === "ncvsd";
  const { images, shape } = ncvsd
    ? await sampleMultiStep(model, common)
    : await sampleHeun(model, { ...common, steps: HEUN_STEPS });
  const sizes = Array.from(model.checkpoint.tensors.values(), ({ shape: s }) => s.reduce((a, b) => a * b, 1));
  return {
    ...{ images, shape, architecture: model.architecture },
    parameters: sizes.reduce((a, b) => a + b, 0),
    evaluations: ncvsd ? 1 : 2 * HEUN_STEPS - 1,
    seconds: (performance.now() - begun) / 1000,
  };
}
