import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Input } from "../../data/inputs.js";
import { sheetPng } from "../../figures/sheet.js";
import type { RawImage } from "../../image/pixels.js";
import type { Model } from "../../networks/edm2/model.js";
import type { BatchSize } from "../../runs/batch-size.js";
import { onInterrupt } from "../../runs/interrupt.js";
import { className } from "../../runs/labels.js";
import { imageText, type Options, runKey, streamSeed } from "../../runs/origin.js";
import { prepareOutdir } from "../../runs/output.js";
import { version } from "../../runs/package.js";
import { createProgress, type Progress } from "../../runs/progress.js";
import { warn } from "../../runs/terminal.js";
import { writeAtomic } from "../../runs/whole-file.js";
import { solveInverse } from "../../sample/solve-inverse.js";
import type { TaskSampler } from "../../sample/task-settings.js";
import { extreme, type Judge, judge, measure, parts, tile } from "./figures.js";
import { finishedResult, measurementPicture, moments, type Reconstruction, writeResult } from "./files.js";
import {
  type Figures,
  type ImageResult,
  markdown,
  metricsJson,
  type ReportHead,
  type SampleFigures,
  type Spread,
} from "./report.js";
import { type Aperture, apertureOf, imageSheet, overviewSheet } from "./sheets.js";
import { spreadOf } from "./spread.js";

/** One folder of reconstructions to make. */
export interface RestoreJob extends Judge {
  readonly model: Model;
  /** Clean images when `simulated`, else measurements. */
  readonly inputs: readonly Input[];
  readonly simulated: boolean;
  /** One class per input, -1 for none; undefined for an unconditional network. */
  readonly labels: readonly number[] | undefined;
  readonly sampler: TaskSampler;
  readonly seed: number;
  readonly runs: number;
  /** Reconstructions at a time. */
  readonly batch: BatchSize;
  /** Everything that decides a reconstruction besides its input. */
  readonly options: Options;
  readonly head: ReportHead;
  readonly outdir: string;
  readonly force: boolean;
  readonly silent: boolean;
  readonly debug: boolean;
}

export interface Restored {
  readonly results: readonly ImageResult[];
  readonly made: number;
  readonly kept: number;
  readonly seconds: number;
}

const sha256 = (bytes: Uint8Array | string) => createHash("sha256").update(bytes).digest("hex");

/** Makes the reconstructions that are not there yet, then the sheets and tables of all. */
export async function restore(job: RestoreJob): Promise<Restored> {
  const { inputs, runs, batch } = job;
  const metrics = join(job.outdir, "metrics.json");
  const outdir = prepareOutdir(job.outdir);
  const results = new Map<string, ImageResult>();
  const redo = inputs.flatMap((input, at) => {
    const done = finishedResult(join(job.outdir, input.name), keyOf(job, at), job.force);
    if (done) results.set(input.name, done);
    return done ? [] : [at];
  });
  const kept = results.size;
  const started = performance.now();
  const progress = createProgress({
    total: redo.length * runs,
    unit: "reconstruction",
    label: "restoring",
    silent: job.silent || redo.length === 0,
  });
  const finished = () => inputs.flatMap(({ name }) => results.get(name) ?? []);
  const report = (spread?: Spread) => {
    if (results.size > 0) {
      writeAtomic(metrics, metricsJson(job.head, finished(), results.size === inputs.length, spread));
      writeAtomic(join(job.outdir, "metrics.md"), markdown(job.head, finished(), spread));
    }
    outdir.discardIfEmpty();
  };
  const unregister = onInterrupt(() => {
    progress.stop();
    report();
    warn(
      `Stopped: ${results.size} of ${inputs.length} images are in ${job.outdir}; the same command goes on from there.`,
    );
  });
  try {
    const group = Math.max(1, Math.floor(batch.now / runs));
    const aperture = redo.length > 0 ? await apertureOf(job.task) : undefined;
    for (let at = 0; at < redo.length; at += group) {
      const members = redo.slice(at, at + group);
      await restoreGroup({ job, aperture, members, progress, before: at * runs }, (result) =>
        results.set(result.name, result),
      );
      // Signals are delivered between one group's files and the next group.
      await new Promise((resolve) => setImmediate(resolve));
    }
    progress.stop();
    const names = finished().map(({ name }) => name);
    report(job.simulated ? await spreadOf(job.outdir, names, runs) : undefined);
    writeAtomic(
      join(job.outdir, "overview.png"),
      await sheetPng(await overviewSheet(job.head, job.outdir, finished(), job.model.shape), {
        "ncvsd-gpu:sheet": version,
      }),
    );
    return { results: finished(), made: redo.length, kept, seconds: (performance.now() - started) / 1000 };
  } catch (error) {
    progress.stop();
    report();
    throw error;
  } finally {
    unregister();
  }
}

function keyOf(job: RestoreJob, at: number): string {
  const { name, values } = job.inputs[at]!;
  const input = sha256(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  const run = runKey(job.options, job.head.checkpoint.sha256);
  return sha256(JSON.stringify({ run, name, input, label: job.labels?.[at] ?? null }));
}

interface Group {
  readonly job: RestoreJob;
  readonly aperture: Aperture | undefined;
  /** Places of the inputs. */
  readonly members: readonly number[];
  readonly progress: Progress;
  /** Reconstructions of the groups before. */
  readonly before: number;
}

/** Measures, samples, compares and writes a few images at once. */
async function restoreGroup(
  { job, aperture, members, progress, before }: Group,
  finish: (result: ImageResult) => void,
): Promise<void> {
  const { model, task, runs, seed, sampler, sigmaY } = job;
  const names = members.map((at) => job.inputs[at]!.name);
  const values = members.map((at) => job.inputs[at]!.values);
  const measurementSeeds = names.map((name) => streamSeed(seed, name, "measurement"));
  const measured = job.simulated ? await measure(task, values, sigmaY, measurementSeeds) : values;

  const pairs = members.flatMap((_, m) => Array.from({ length: runs }, (_, run) => ({ m, run })));
  const samples: { values: Float32Array; figures: SampleFigures }[] = [];
  const { labels } = job;
  let from = 0;
  const solved = async (chunk: readonly { m: number; run: number }[]) => {
    const begun = performance.now();
    const seeds = chunk.map(({ m, run }) => streamSeed(seed, names[m]!, String(run)));
    const measurement = tile(chunk.map(({ m }) => measured[m]!));
    const result = await solveInverse(model, {
      operator: task.operator,
      measurement,
      ...(labels ? { labels: chunk.map(({ m }) => labels[members[m]!]!) } : {}),
      sampler: sampler.name,
      sigmaY,
      ...sampler.settings,
      seeds,
      debug: job.debug,
      onStep: ({ step, steps }) => progress.update(before + from + (chunk.length * step) / steps - 1e-6),
    });
    return { seeds, measurement, result, seconds: (performance.now() - begun) / 1000 / chunk.length };
  };
  while (from < pairs.length) {
    const done = await job.batch.next(pairs, from, solved);
    const { seeds, measurement, result, seconds } = done.result;
    const chunk = done.some;
    const { derivatives, capped = 0 } = result;
    const more = { ...(derivatives > 0 ? { vjps: derivatives } : {}), ...(capped > 0 ? { capped } : {}) };
    const truths = job.simulated ? chunk.map(({ m }) => values[m]!) : undefined;
    const figures = await judge(job, result.images, measurement, truths, chunk.length);
    parts(result.images, chunk.length).forEach((image, i) => {
      samples.push({
        values: image,
        figures: { seed: seeds[i]!, ...figures[i]!, nfe: result.evaluations, ...more, seconds },
      });
    });
    from += chunk.length;
    progress.update(before + from);
  }

  const simple = await task.baselines({ operator: task.operator, y: tile(measured), sigmaY, seeds: measurementSeeds });
  const means = members.map((_, m) => moments(samples.slice(m * runs, (m + 1) * runs).map((s) => s.values)));
  const y = tile(measured);
  const truths = job.simulated ? values : undefined;
  const meanFigures = await judge(job, tile(means.map((s) => s.mean)), y, truths, members.length);
  const simpleFigures: Record<string, Figures[]> = {};
  for (const [method, images] of Object.entries(simple))
    simpleFigures[method] = await judge(job, images, y, truths, members.length);
  for (const [m, at] of members.entries()) {
    const truth = job.simulated ? values[m]! : undefined;
    const own = samples.slice(m * runs, (m + 1) * runs);
    const baselines = Object.fromEntries(
      Object.entries(simple).map(([method, images]) => [method, parts(images, members.length)[m]!]),
    );
    const reconstruction: Reconstruction = {
      name: names[m]!,
      ...(truth ? { truth } : {}),
      measurement: measured[m]!,
      measurementShape: task.operator.measurementShape,
      samples: own.map((s) => s.values),
      ...means[m]!,
      baselines,
    };
    const figures = own.map((s) => s.figures);
    const label = job.labels?.[at];
    const known =
      label === undefined || label < 0
        ? {}
        : { label, className: className(label, { labelDim: model.labelDim, labels: model.labels }) };
    const result = {
      tool: "ncvsd-gpu" as const,
      format: 1 as const,
      name: names[m]!,
      key: keyOf(job, at),
      ...known,
      samples: figures,
      mean: meanFigures[m]!,
      ...(truth ? { best: extreme(figures, (f) => -f.psnr!) } : {}),
      mostConsistent: extreme(figures, (f) => f.chi2!),
      baselines: Object.fromEntries(Object.entries(simpleFigures).map(([method, all]) => [method, all[m]!])),
    };
    finish(await writeImage(job, reconstruction, result, await shown(task, measured[m]!), aperture));
  }
}

async function shown({ show, operator }: RestoreJob["task"], y: Float32Array): Promise<RawImage | undefined> {
  const { values, shape, logarithmic = false } = show ? await show(y) : { values: y, shape: operator.measurementShape };
  return measurementPicture(values, shape, logarithmic);
}

async function writeImage(
  job: RestoreJob,
  r: Reconstruction,
  result: Omit<ImageResult, "files">,
  picture: RawImage | undefined,
  aperture: Aperture | undefined,
): Promise<ImageResult> {
  const { shape } = job.model;
  const { checkpoint, adapter } = job.head;
  const text = (run: number | undefined) => ({
    ...imageText({
      seed: run === undefined ? job.seed : result.samples[run]!.seed,
      classIndex: result.label,
      className: result.className,
      checkpoint,
      options: job.options,
      adapter,
      version,
    }),
    "ncvsd-gpu:image": r.name,
  });
  const sheet = await sheetPng(imageSheet(job.head, r, result, shape, picture, aperture), text(undefined));
  return writeResult(join(job.outdir, r.name), r, result, { shape, measurement: picture, sheet }, text);
}
