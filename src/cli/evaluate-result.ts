import { type Evaluation, evaluateRows } from "../evaluate/evaluation.js";
import type { FeatureSource } from "../evaluate/extractor.js";
import type { FeatureRows, FeatureRun } from "../evaluate/feature-file.js";
import type { OpenedReference } from "./evaluate-options.js";
import { formatDuration } from "./progress.js";

/** Resident memory of the process and bytes of GPU buffers, after so many images. */
export interface MemoryUse {
  readonly images: number;
  readonly rssBytes: number;
  readonly gpuBytes: number;
}

/** The JSON file that `evaluate fd` and `evaluate merge` write, and `evaluate report` reads. */
export interface FdResult extends Evaluation {
  readonly tool: "ncvsd-gpu";
  readonly kind: "fd";
  readonly format: 1;
  readonly date: string;
  readonly version: string;
  readonly command: readonly string[];
  readonly adapter: string;
  readonly n: number;
  readonly firstSeed: number;
  readonly checkpoint: FeatureRun["checkpoint"];
  readonly options: FeatureRun["options"];
  readonly evaluationsPerImage: number;
  readonly classes: number;
  readonly features: FeatureSource;
  readonly reference: { readonly file: string; readonly count: number | null };
  /** Parts that the run was made in. */
  readonly shards: number;
  readonly timing: {
    /** Of all parts together. */
    readonly seconds: number;
    /** Without the first batch, where that is known. */
    readonly imagesPerSecond: number;
    readonly evaluationsPerSecond: number;
  };
  /** After the first piece and at the end of this process. */
  readonly memory?: readonly MemoryUse[];
}

export function makeResult(
  run: FeatureRun,
  rows: FeatureRows,
  reference: OpenedReference,
  extra: { shards: number; imagesPerSecond?: number | undefined; memory?: readonly MemoryUse[] },
): FdResult {
  const rate = extra.imagesPerSecond ?? run.n / Math.max(rows.seconds, 1e-9);
  return {
    tool: "ncvsd-gpu",
    kind: "fd",
    format: 1,
    ...evaluateRows(rows, run, reference.frechet),
    n: run.n,
    firstSeed: run.firstSeed,
    checkpoint: run.checkpoint,
    options: run.options,
    evaluationsPerImage: run.evaluationsPerImage,
    classes: run.classes,
    features: run.network,
    reference: { file: reference.file, count: reference.statistics.count ?? null },
    shards: extra.shards,
    timing: {
      seconds: rows.seconds,
      imagesPerSecond: rate,
      evaluationsPerSecond: rate * run.evaluationsPerImage,
    },
    ...(extra.memory ? { memory: extra.memory } : {}),
    adapter: run.adapter,
    version: run.version,
    command: ["ncvsd-gpu", ...process.argv.slice(2)],
    date: new Date().toISOString(),
  };
}

/** "33.8", "1.03", "0.0042". */
export function formatDistance(fd: number): string {
  return fd >= 10 ? fd.toFixed(1) : fd >= 1 ? fd.toFixed(2) : fd.toPrecision(2);
}

export const percent = (share: number): string => `${(100 * share).toFixed(1)}%`;

/** The result in words, one fact a line. */
export function describeResult(result: FdResult): string {
  const { fd, interval, labels, n, reference, timing } = result;
  const range = interval
    ? ` (${100 * interval.level}% interval ${formatDistance(interval.low)} to ${formatDistance(interval.high)})`
    : "";
  const of = reference.count === null ? "" : ` of ${reference.count} images`;
  const lines = [`FD ${formatDistance(fd)}${range}: ${n} images against ${reference.file}${of}`];
  if (labels) {
    lines.push(`classes: ${percent(labels.agreement)} found as asked for by ${result.features.name}`);
    const names = labels.perClass.map((c) => c.name ?? `class ${c.class}`);
    const width = Math.max(...names.map((name) => name.length));
    for (const [i, c] of labels.perClass.entries())
      lines.push(`  ${names[i]!.padEnd(width)}  ${percent(c.agreement).padStart(6)}  of ${c.n}`);
  }
  const rate = `${timing.imagesPerSecond.toFixed(1)} images/s, ${timing.evaluationsPerSecond.toFixed(1)} evaluations/s`;
  lines.push(`made in ${formatDuration(timing.seconds)}: ${rate}`);
  return lines.join("\n");
}
