import { readFileSync } from "node:fs";
import { join } from "node:path";
import { sentenceOf } from "../../errors.js";
import { onStopRequest } from "../../runs/interrupt.js";
import { version } from "../../runs/package.js";
import { createProgress, formatDuration, formatRate, type Progress } from "../../runs/progress.js";
import { writeAtomic } from "../../runs/whole-file.js";
import type { Snapshot } from "../../train/snapshot.js";
import { Log, type LogEntry } from "./log.js";
import { trainingReportHtml } from "./report.js";
import type { Sampled } from "./samples.js";

/** What is trained: a teacher, or the networks of a distillation. */
export interface Trainee {
  /** Images seen, and images of an update. */
  readonly images: number;
  readonly batch: number;
  /** Values with a gradient, of all networks that are trained. */
  readonly parameters: number;
  /** One update. @returns `loss`, `lr`, and what else the log shall have */
  step(): Promise<{ readonly loss: number; readonly lr: number; readonly [name: string]: number }>;
  /** Gradient entries that were not finite, in all updates so far. */
  zeroedGradients(): Promise<number>;
  save(dir: string): Promise<void>;
  /** All averages as files; the first is sampled. */
  snapshots(): Promise<readonly Snapshot[]>;
  sample(snapshot: Snapshot): Promise<Sampled>;
  /** Something that people should know at a snapshot. */
  remark?(): Promise<string | undefined>;
}

export interface LoopPlan {
  readonly title: string;
  readonly outdir: string;
  /** In images. The run ends with the first update that reaches `duration`. */
  readonly duration: number;
  readonly status: number;
  readonly snapshot: number;
  readonly checkpoint: number;
  readonly silent: boolean;
  /** For the report and the log. */
  readonly facts: readonly (readonly [name: string, value: string])[];
  /** Whether it goes on from a state. */
  readonly resumed: boolean;
}

export interface LoopResult {
  readonly images: number;
  readonly loss: number | null;
  readonly files: readonly string[];
  /** Exit code, when a signal ended it. */
  readonly stopped: number | undefined;
}

/** Sheets that the report shows. */
const MOST_SHEETS = 12;

/** A log that goes on comes from a file: no other names are read. */
const SHEET = /^samples-\d+\.png$/;

/** The folder of a run's state. */
export const stateDir = (outdir: string) => join(outdir, "state");
const LOG_NAME = "log.jsonl";
const REPORT_NAME = "report.html";

/** Whether a multiple of `every` was reached with the last update; 0: never. */
const due = (images: number, batch: number, every: number) =>
  every > 0 && Math.floor(images / every) > Math.floor((images - batch) / every);

const percentOf = (share: number) => (share < 0.1 ? (100 * share).toPrecision(2) : (100 * share).toFixed(0));

/** Trains until the end, or until a signal asks to stop; leaves a state, a log, snapshots, sheets of samples and a report. */
export async function trainingLoop(trainee: Trainee, plan: LoopPlan): Promise<LoopResult> {
  const run = new Loop(trainee, plan);
  try {
    return await run.go();
  } finally {
    run.end();
  }
}

class Loop {
  readonly #trainee: Trainee;
  readonly #plan: LoopPlan;
  readonly #log: Log;
  readonly #progress: Progress;
  readonly #begun: number;
  readonly #forget: () => void;
  #stopped: number | undefined;
  /** Sums since the last status. */
  #sums = { steps: 0, figures: new Map<string, number>(), since: performance.now(), images: 0, zeroed: 0 };
  #lr = 0;
  #lastLoss: number | null = null;
  #files: string[] = [];

  constructor(trainee: Trainee, plan: LoopPlan) {
    this.#trainee = trainee;
    this.#plan = plan;
    this.#begun = trainee.images;
    this.#log = Log.open(join(plan.outdir, LOG_NAME), plan.resumed ? trainee.images : -1);
    const total = Math.max(0, plan.duration - this.#begun);
    this.#progress = createProgress({ total, label: "training", silent: plan.silent || total === 0 });
    this.#forget = onStopRequest((code) => {
      this.#stopped = code;
      this.#progress.note("stopping after this update, with a checkpoint (once more ends at once, without)");
    });
  }

  end(): void {
    this.#forget();
    this.#progress.stop();
  }

  async go(): Promise<LoopResult> {
    const { duration, status, snapshot, checkpoint, outdir, facts, resumed } = this.#plan;
    const trainee = this.#trainee;
    const { batch } = trainee;
    if (trainee.images < duration)
      this.#log.add({ what: "start", images: trainee.images, version, resumed, settings: Object.fromEntries(facts) });
    this.#sums.zeroed = await trainee.zeroedGradients();
    this.#clear();
    for (;;) {
      const { images } = trainee;
      const ends = images >= duration || this.#stopped !== undefined;
      if (images > this.#begun) {
        if (ends || due(images, batch, status)) await this.#status();
        if (images >= duration || due(images, batch, snapshot)) await this.#snapshot();
        if (ends || due(images, batch, checkpoint)) await trainee.save(stateDir(outdir));
      }
      if (ends) break;
      await this.#step();
      this.#progress.update(trainee.images - this.#begun);
      // Signals are delivered between the updates.
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (trainee.images > this.#begun) this.#report();
    if (this.#stopped !== undefined) this.#log.add({ what: "stop", images: trainee.images });
    return { images: trainee.images, loss: this.#lastLoss, files: this.#files, stopped: this.#stopped };
  }

  async #step(): Promise<void> {
    const { lr, ...figures } = await this.#trainee.step();
    this.#lr = lr;
    this.#sums.steps++;
    for (const [name, value] of Object.entries(figures))
      this.#sums.figures.set(name, (this.#sums.figures.get(name) ?? 0) + value);
  }

  #clear(): void {
    const { zeroed } = this.#sums;
    const { images } = this.#trainee;
    this.#sums = { steps: 0, figures: new Map(), since: performance.now(), images, zeroed };
  }

  /** A line of the log and one for people: means since the last. */
  async #status(): Promise<void> {
    const trainee = this.#trainee;
    const { steps, figures, since, images: before, zeroed: zeroedBefore } = this.#sums;
    if (steps === 0) return;
    const { images } = trainee;
    const zeroed = await trainee.zeroedGradients();
    const rate = ((images - before) * 1000) / (performance.now() - since);
    const means = Object.fromEntries([...figures].map(([name, sum]) => [name, sum / steps]));
    const entry: LogEntry = {
      what: "status",
      images,
      ...means,
      lr: this.#lr,
      imagesPerSecond: Number(rate.toPrecision(4)),
      zeroedGradients: zeroed,
      rssBytes: process.memoryUsage.rss(),
    };
    this.#lastLoss = entry.loss ?? null;
    this.#log.add(entry);
    const share = (zeroed - zeroedBefore) / (steps * trainee.parameters);
    this.#sums.zeroed = zeroed;
    this.#clear();
    const left = formatDuration(Math.max(0, this.#plan.duration - images) / rate);
    const figuresText = Object.entries(means).map(([name, value]) => `${name} ${value.toPrecision(4)}`);
    this.#progress.note(
      [
        `${images} images`,
        ...figuresText,
        `lr ${this.#lr.toPrecision(3)}`,
        formatRate(rate, "image"),
        `${left} left`,
      ].join(", "),
    );
    if (share > 0)
      this.#progress.note(
        `  ${percentOf(share)}% of the gradient entries since then were not finite, and counted as 0`,
      );
  }

  async #snapshot(): Promise<void> {
    const trainee = this.#trainee;
    const { images } = trainee;
    const { outdir } = this.#plan;
    const snapshots = await trainee.snapshots();
    const files: string[] = [];
    for (const { name, bytes } of snapshots) {
      writeAtomic(join(outdir, name), bytes);
      files.push(name);
    }
    const { sheet, fd } = snapshots[0] ? await trainee.sample(snapshots[0]).catch(this.#unsampled) : {};
    const samples = `samples-${String(Math.floor(images / 1000)).padStart(7, "0")}.png`;
    if (sheet) writeAtomic(join(outdir, samples), sheet);
    this.#log.add({ what: "snapshot", images, files, ...(sheet && { samples }), ...(fd !== undefined && { fd }) });
    this.#files = files.map((file) => join(outdir, file));
    const distance = fd === undefined ? "" : `, FD ${fd.toPrecision(3)}`;
    const remark = await trainee.remark?.();
    if (remark) this.#progress.note(`  ${remark}`);
    this.#progress.note(`  snapshot at ${images} images: ${files.join(", ")}${distance}`);
    this.#report();
    // What snapshots take is not training.
    this.#clear();
  }

  /** A network that gives no images yet is no reason to stop training it. */
  readonly #unsampled = (error: unknown): Sampled => {
    if (!(error instanceof Error)) throw error;
    this.#progress.note(`  no samples: ${sentenceOf(error.message)}`);
    return {};
  };

  #report(): void {
    const { outdir, title, facts, duration } = this.#plan;
    const sheets = this.#log.entries.flatMap(({ images, samples }) =>
      samples && SHEET.test(samples) ? [{ images, samples }] : [],
    );
    const step = Math.max(1, Math.ceil(sheets.length / MOST_SHEETS));
    const shown = sheets.filter((_, i) => (sheets.length - 1 - i) % step === 0);
    const samples = shown.flatMap(({ images, samples }) => {
      try {
        return [{ images, png: readFileSync(join(outdir, samples)) }];
      } catch {
        // Somebody took it away.
        return [];
      }
    });
    const { entries } = this.#log;
    const date = new Date().toISOString();
    const html = trainingReportHtml({ title, version, date, facts, entries, duration, samples });
    writeAtomic(join(outdir, REPORT_NAME), html);
  }
}
