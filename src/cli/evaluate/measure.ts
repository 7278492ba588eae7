import type { Detector } from "../../evaluate/detector.js";
import type { FeatureRun } from "../../evaluate/feature-run.js";
import type { MemoryUse } from "../../evaluate/result.js";
import { checkFinite } from "../../evaluate/statistics.js";
import type { Gpu } from "../../gpu/device.js";
import type { FeatureInput } from "../../networks/features/load.js";
import type { FeatureLog } from "../../runs/feature-log.js";
import { onInterrupt } from "../../runs/interrupt.js";
import { createProgress } from "../../runs/progress.js";
import { warn } from "../../runs/terminal.js";

/** Images `start` up to `end` of a run. */
export interface ImageBatch extends FeatureInput {
  /** Classes asked for; undefined: none. */
  readonly labels: readonly number[] | undefined;
}

export interface MeasureTask {
  readonly gpu: Gpu;
  readonly run: FeatureRun;
  readonly detectors: readonly Detector[];
  readonly range: { readonly start: number; readonly end: number };
  readonly batch: number;
  /** The images of a batch. */
  images(start: number, end: number): Promise<ImageBatch>;
  /** The next batch may be read while this one is measured. */
  readonly ahead: boolean;
  /** What to call image i of the run. */
  nameOf(i: number): string;
  readonly silent: boolean;
  readonly label: string;
  /** What an interrupted run can be continued by. */
  readonly continued: string;
}

export interface Measured {
  readonly imagesPerSecond?: number | undefined;
  readonly memory?: readonly MemoryUse[];
}

/** Features of the images that are missing, batch by batch, by all detectors at once; the images themselves are not kept. */
export async function measureAll(log: FeatureLog, task: MeasureTask): Promise<Measured> {
  const { gpu, range, silent, batch } = task;
  const from = log.next;
  const total = range.end - from;
  const progress = createProgress({ total, silent: silent || total === 0, label: task.label });
  const unregister = onInterrupt(() => {
    progress.stop();
    log.flush();
    const done = log.next - range.start;
    warn(`Stopped after ${done} of ${range.end - range.start} images; ${task.continued}.`);
  });
  const memory: MemoryUse[] = [];
  const measure = () =>
    memory.push({ images: log.next - from, rssBytes: process.memoryUsage.rss(), gpuBytes: gpu.allocatedBytes });
  let steadySince: number | undefined;
  let steadyFrom = from;
  const read = (at: number) => (at < range.end ? task.images(at, Math.min(at + batch, range.end)) : undefined);
  let ahead: Promise<ImageBatch> | undefined;
  try {
    log.startClock();
    while (log.next < range.end) {
      const images = await (ahead ?? read(log.next)!);
      ahead = task.ahead ? read(log.next + images.shape[0]) : undefined;
      // Its failure is told when its turn comes.
      ahead?.catch(() => {});
      log.append(await measureBatch(task, images, log.next));
      progress.update(log.next - from);
      if (steadySince === undefined) {
        steadySince = performance.now();
        steadyFrom = log.next;
      }
      if (memory.length === 0 && log.next - from >= Math.min(1000, total)) measure();
      // Signals are delivered between the batches.
      await new Promise((resolve) => setImmediate(resolve));
    }
  } catch (error) {
    log.flush();
    throw error;
  } finally {
    progress.stop();
    unregister();
  }
  if (total === 0) return {};
  measure();
  const steady = range.end - steadyFrom;
  const seconds = (performance.now() - steadySince!) / 1000;
  return { memory, ...(steady > 0 ? { imagesPerSecond: steady / seconds } : {}) };
}

async function measureBatch({ run, detectors, nameOf }: MeasureTask, images: ImageBatch, at: number) {
  const none = new Int32Array(images.shape[0]).fill(-1);
  const features: Float32Array[] = [];
  let predictions: Int32Array = none;
  for (const [k, detector] of detectors.entries()) {
    const found = await detector.measure(images);
    checkFinite(found.features, detector.source.dim, (i) => nameOf(at + i));
    features.push(found.features);
    if (k === 0 && found.predictions && detector.classes === run.classes) predictions = found.predictions;
  }
  return { features, labels: images.labels ? Int32Array.from(images.labels) : none, predictions };
}
