import { readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { NcvsdError } from "../errors.js";
import { type BatchShape, imagesFromValues, type RawImage } from "../image/pixels.js";
import { decodePng, encodePng } from "../image/png.js";
import type { Model } from "../networks/edm2/model.js";
import type { SampleOptions, SampleResult } from "../sample/multi-step.js";
import { type SamplerName, type Settings, samplers } from "../sample/samplers.js";
import type { BatchSize } from "./batch-size.js";
import { onInterrupt } from "./interrupt.js";
import { className } from "./labels.js";
import { imageText, type Options } from "./origin.js";
import { alreadyDone, imageName, prepareOutdir } from "./output.js";
import { version } from "./package.js";
import { createProgress } from "./progress.js";
import { RawFile } from "./raw-file.js";
import { RunRecord, tuningRecord } from "./run-record.js";
import { warn } from "./terminal.js";
import { syncFolder, writeAtomic } from "./whole-file.js";

/** One folder of images to make. */
export interface GenerateTask {
  readonly model: Model;
  readonly seeds: readonly number[];
  /** One class per seed; undefined for an unconditional network. */
  readonly labels: readonly number[] | undefined;
  /** Everything that decides an image besides its seed, for the record and the fingerprint. */
  readonly options: Options;
  readonly sampler: ChosenSampler;
  readonly checkpointSha256: string;
  readonly batch: BatchSize;
  readonly outdir: string;
  readonly command: readonly string[];
  readonly subdirs?: boolean;
  readonly force?: boolean;
  readonly saveRaw?: string;
  /**
   * How the values of a batch become pictures; absent: they are pictures, of 1 or 3 channels in [-1, 1]. null: they are not, and
   * only `saveRaw` is written.
   */
  readonly pictures?: ((values: Float32Array, shape: BatchShape) => Promise<readonly RawImage[]>) | null;
  readonly silent?: boolean;
  readonly debug?: boolean;
  readonly label?: string;
  /** Called when all is checked and the work begins. */
  readonly onStart?: () => void;
}

export interface Generated {
  readonly made: number;
  readonly kept: number;
  /** Network evaluations per image. */
  readonly evaluations: number;
  readonly timings: {
    /** From the first batch's start to the last image's file. */
    readonly seconds: number;
    /** Until the first batch was done, compilation included. */
    readonly firstBatch: number;
    /** Seconds of the batches after the first, and their images: without the warm-up. */
    readonly steadySeconds: number;
    readonly steadyImages: number;
  };
}

/** A sampler with its settings; of a second network the network itself. */
export interface ChosenSampler {
  readonly name: SamplerName;
  readonly settings: Settings;
}

/** Network evaluations that one image takes. */
export const evaluationsPerImage = ({ name, settings }: ChosenSampler): number => samplers[name].evaluations(settings);

/** Makes the images of a task that are not there yet, each file whole or absent whenever the process ends. */
export async function generate(task: GenerateTask): Promise<Generated> {
  const { model, seeds, sampler, subdirs = false, force = false } = task;
  // Where the file lay on this machine is nobody's business: its hash says which it is.
  const checkpoint = { name: basename(model.checkpoint.name), sha256: task.checkpointSha256 };
  const adapter = model.gpu.info.name;
  const { pictures = async (values, shape) => imagesFromValues(values, shape) } = task;
  // Refuses a network of latents now, not after its first batch.
  if (task.pictures === undefined) {
    imagesFromValues(new Float32Array(model.shape.reduce((a, b) => a * b, 1)), [1, ...model.shape]);
  }
  const outdir = prepareOutdir(task.outdir);
  const run = {
    version,
    command: task.command,
    options: task.options,
    checkpoint: { ...checkpoint, architecture: model.architecture },
    adapter,
    seeds,
    subdirs,
    tuning: tuningRecord(model.gpu),
  };
  const record = RunRecord.open(task.outdir, run, { force });
  const labelOf = new Map(seeds.map((seed, i) => [seed, task.labels?.[i]]));
  const imageLabel = (seed: number) => {
    const index = labelOf.get(seed);
    if (index === undefined) return {};
    const name = model.labels?.[index];
    return { class: index, ...(name === undefined ? {} : { className: name }) };
  };
  // Raw values of kept images are gone: with --save-raw everything is made anew.
  const all = { kept: [], redo: [...seeds] };
  const done = alreadyDone(task.outdir, seeds, record.key, { subdirs, force });
  const { kept, redo } = task.saveRaw === undefined ? done : all;
  for (const seed of kept) record.addKept(seed, imageLabel(seed));

  const timings = { seconds: 0, firstBatch: 0, steadySeconds: 0, steadyImages: 0 };
  const started = performance.now();
  const since = () => (performance.now() - started) / 1000;
  let made = 0;
  let raw: RawFile | undefined;
  const progress = createProgress({
    total: redo.length,
    silent: task.silent || redo.length === 0,
    label: task.label ?? "sampling",
  });
  const finishRecord = () => {
    if (pictures && made + kept.length > 0) record.write({ ...timings, seconds: since() });
    outdir.discardIfEmpty();
  };
  const unregister = onInterrupt(() => {
    progress.stop();
    raw?.discard();
    finishRecord();
    const left = pictures
      ? `${made + kept.length} of ${seeds.length} images are in ${task.outdir}; the same command goes on from there`
      : "nothing was kept";
    warn(`Stopped: ${left}.`);
  });
  try {
    task.onStart?.();
    // On a terminal the bar stands while the first batch compiles.
    if (process.stderr.isTTY) progress.update(0);
    if (task.saveRaw !== undefined)
      raw = new RawFile(task.saveRaw, [seeds.length, ...model.shape], { format: "pt", tool: "ncvsd-gpu" });
    let at = 0;
    const sampled = async (some: readonly number[]) => {
      const labels = task.labels ? some.map((seed) => labelOf.get(seed)!) : undefined;
      const result = await sampleBatch(task, some, labels, ({ step, steps }) => {
        progress.update(at + (some.length * step) / steps - 1e-6);
      });
      return { values: result.images, images: pictures ? await pictures(result.images, result.shape) : [] };
    };
    while (at < redo.length) {
      const first = at === 0;
      const begun = performance.now();
      const { some: batchSeeds, result } = await task.batch.next(redo, at, sampled);
      const { values, images } = result;
      raw?.append(values);
      if (!pictures) made += batchSeeds.length;
      const folders = new Set<string>();
      for (const [i, image] of images.entries()) {
        const seed = batchSeeds[i]!;
        const index = labelOf.get(seed);
        const name =
          index === undefined
            ? undefined
            : className(index, { labelDim: model.config.label_dim, labels: model.labels });
        const text = imageText({
          seed,
          classIndex: index,
          className: name,
          checkpoint,
          options: task.options,
          adapter,
          version,
        });
        const path = join(task.outdir, imageName(seed, subdirs));
        writeAtomic(path, encodePng(image, text), false);
        folders.add(dirname(path));
        record.addMade(seed, imageLabel(seed));
        made++;
      }
      for (const folder of folders) syncFolder(folder);
      const seconds = (performance.now() - begun) / 1000;
      if (first) timings.firstBatch = seconds;
      else {
        timings.steadySeconds += seconds;
        timings.steadyImages += batchSeeds.length;
      }
      at += batchSeeds.length;
      progress.update(at);
      // Signals are delivered between the batches' files and the next batch.
      await new Promise((resolve) => setImmediate(resolve));
    }
    timings.seconds = since();
    raw?.finish();
    raw = undefined;
    progress.stop();
    finishRecord();
    return { made, kept: kept.length, evaluations: evaluationsPerImage(sampler), timings };
  } catch (error) {
    progress.stop();
    raw?.discard();
    try {
      finishRecord();
    } catch {
      // The first failure is the one to tell.
    }
    throw error;
  } finally {
    unregister();
  }
}

/** Images of one batch of seeds, before rounding. */
export function sampleBatch(
  task: Pick<GenerateTask, "model" | "sampler" | "debug">,
  seeds: readonly number[],
  labels: readonly number[] | undefined,
  onStep: NonNullable<SampleOptions["onStep"]>,
): Promise<SampleResult> {
  const common = { seeds, ...(labels ? { labels } : {}), onStep, debug: task.debug ?? false };
  const { model, sampler } = task;
  return samplers[sampler.name].run(model, sampler.settings, common);
}

/** The images of a finished task, read back from their files. */
export function readImages(outdir: string, seeds: readonly number[], subdirs = false): RawImage[] {
  return seeds.map((seed) => {
    const path = join(outdir, imageName(seed, subdirs));
    try {
      return decodePng(readFileSync(path), path);
    } catch (cause) {
      throw new NcvsdError("BAD_ARGUMENT", `${path} cannot be read back for the grid: ${(cause as Error).message}`, {
        cause,
      });
    }
  });
}
