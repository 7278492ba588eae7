import { oneLine } from "../../errors.js";
import { evaluateRows } from "../../evaluate/evaluation.js";
import type { FeatureRows } from "../../evaluate/feature-file.js";
import type { FeatureRun } from "../../evaluate/feature-run.js";
import { type FdResult, formatDistance, type MemoryUse, percent } from "../../evaluate/result.js";
import { formatDuration } from "../../runs/progress.js";
import { table } from "../../runs/table.js";
import type { OpenedReference } from "./options.js";

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

/** The result in words, one fact a line. */
export function describeResult(result: FdResult): string {
  const { fd, interval, labels, n, reference, timing } = result;
  const range = interval
    ? ` (${100 * interval.level}% interval ${formatDistance(interval.low)} to ${formatDistance(interval.high)})`
    : "";
  const of = reference.count === null ? "" : ` of ${reference.count} images`;
  const lines = [`FD ${formatDistance(fd)}${range}: ${n} images against ${oneLine(reference.file)}${of}`];
  if (labels) {
    lines.push(`classes: ${percent(labels.agreement)} found as asked for by ${oneLine(result.features.name)}`);
    const rows = labels.perClass.map((c) => [oneLine(c.name ?? `class ${c.class}`), percent(c.agreement), `of ${c.n}`]);
    lines.push(...table(["class", "found", ""], rows, { bare: true, indent: 2, cut: ["class"] }));
  }
  const rate = `${timing.imagesPerSecond.toFixed(1)} images/s, ${timing.evaluationsPerSecond.toFixed(1)} evaluations/s`;
  lines.push(`made in ${formatDuration(timing.seconds)}: ${rate}`);
  return lines.join("\n");
}
