import { basename } from "node:path";
import { oneLine } from "../../errors.js";
import { evaluateRows, RANDOM_CLASSES } from "../../evaluate/evaluation.js";
import { type FeatureRows, MOST_KEPT, PICTURES } from "../../evaluate/feature-rows.js";
import type { FeatureRun, FeatureShard, MeasuredBy } from "../../evaluate/feature-run.js";
import { fewSamples } from "../../evaluate/frechet.js";
import { type FdResult, formatDistance, type MemoryUse, type MetricResult, percent } from "../../evaluate/result.js";
import { featuresName, withoutEnding } from "../../runs/feature-log.js";
import { formatDuration, tell } from "../../runs/progress.js";
import { table } from "../../runs/table.js";
import { folded } from "../../runs/terminal.js";
import { nameOf, remarksOn } from "./detectors.js";
import type { OpenedReference } from "./options.js";

/** @param references of each of the run's networks; undefined: the metric is left out */
export function makeResult(
  run: FeatureRun,
  rows: FeatureRows,
  references: readonly (OpenedReference | undefined)[],
  extra: { shards: number; imagesPerSecond?: number | undefined; memory?: readonly MemoryUse[] },
): FdResult {
  const rate = extra.imagesPerSecond ?? run.n / Math.max(rows.seconds, 1e-9);
  const { distances, labels } = evaluateRows(
    rows,
    run,
    references.map((reference) => reference?.frechet),
  );
  const all = distances.flatMap((distance, k): MetricResult[] => {
    if (!distance) return [];
    const { file, statistics } = references[k]!;
    const features = run.networks[k]!;
    const remarks = remarksOf(features, run.n, { file, count: statistics.count });
    return [
      {
        ...distance,
        features,
        reference: { file, count: statistics.count ?? null },
        ...(remarks.length > 0 ? { remarks } : {}),
      },
    ];
  });
  const [first, ...others] = all;
  const named = all.flatMap(({ features, fd }) => (features.metric === undefined ? [] : [[features.metric, fd]]));
  return {
    tool: "ncvsd-gpu",
    kind: "fd",
    format: 1,
    ...first!,
    ...(named.length > 0 ? { metrics: Object.fromEntries(named) } : {}),
    ...(others.length > 0 ? { others } : {}),
    ...(labels ? { labels } : {}),
    n: run.n,
    firstSeed: run.firstSeed,
    checkpoint: run.checkpoint,
    options: run.options,
    evaluationsPerImage: run.evaluationsPerImage,
    classes: run.classes,
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

function remarksOf(
  source: MeasuredBy,
  n: number,
  reference: { readonly file: string; readonly count: number | undefined },
): string[] {
  const few = [fewSamples(n, source, "this run"), fewSamples(reference.count, source, reference.file)];
  const interval = source.dim > MOST_KEPT ? [`no interval above ${MOST_KEPT} features: repeat with other seeds`] : [];
  return [...remarksOn(source), ...few.filter((line) => line !== undefined), ...interval];
}

/** Which classes a run's images have, in words; undefined: none, or nobody asked for them. */
function classRule({ options, classes, checkpoint }: FdResult): string | undefined {
  if (classes === 0 || checkpoint.architecture === PICTURES) return undefined;
  if (options.class === RANDOM_CLASSES) return `classes: drawn for each image, of ${classes}`;
  return `classes: all ${classes} in turn (the reference draws them: --classes random)`;
}

/** Six digits, as the reference prints them. */
const sixDigits = (value: number) => String(Number(value.toPrecision(6)));

function distanceLines({ fd, interval, features, reference, remarks = [] }: MetricResult, n: number): string[] {
  const range = interval
    ? ` (${100 * interval.level}% interval ${formatDistance(interval.low)} to ${formatDistance(interval.high)})`
    : "";
  const of = reference.count === null ? "" : ` of ${reference.count} images`;
  const against = `${n} images against ${oneLine(basename(reference.file))}${of}`;
  if (features.metric === undefined) return [`FD ${formatDistance(fd)}${range}`, `  ${against}`];
  return [
    `${features.metric} = ${sixDigits(fd)}${range}`,
    `  ${against}, by ${oneLine(nameOf(features))}`,
    ...remarks.map((remark) => `  ${oneLine(remark)}`),
  ];
}

/** The result in words, one fact a line. */
export function describeResult(result: FdResult): string {
  const { labels, n, others = [], timing } = result;
  const words = [result, ...others].flatMap((metric) => distanceLines(metric, n)).join("\n");
  const lines = [folded(words, process.stdout.columns || Infinity)];
  const rule = result.metrics && classRule(result);
  if (rule !== undefined) lines.push(rule);
  if (labels) {
    lines.push(`classes: ${percent(labels.agreement)} found as asked for by ${oneLine(result.features.name)}`);
    const rows = labels.perClass.map((c) => [oneLine(c.name ?? `class ${c.class}`), percent(c.agreement), `of ${c.n}`]);
    lines.push(...table(["class", "found", ""], rows, { bare: true, indent: 2, cut: ["class"] }));
  }
  const rate = `${timing.imagesPerSecond.toFixed(1)} images/s, ${timing.evaluationsPerSecond.toFixed(1)} evaluations/s`;
  lines.push(`made in ${formatDuration(timing.seconds)}: ${rate}`);
  return lines.join("\n");
}

/** Says where a shard's features are, and what to do when all are there. */
export function tellShard(done: {
  readonly out: string;
  readonly all: string;
  readonly shard: FeatureShard;
  readonly images: number;
  readonly seconds: number;
  readonly flags: { readonly json?: boolean; readonly quiet?: boolean };
  /** What the merged statistics or result are written by. */
  readonly merge?: string;
}): void {
  const { out, all, shard, images, seconds, flags } = done;
  const file = featuresName(out);
  const json = { kind: "shard", file, shard, images, seconds };
  process.stdout.write(`${flags.json ? JSON.stringify(json) : file}\n`);
  if (flags.json || flags.quiet) return;
  const shards = `${withoutEnding(all)}-*-of-${shard.count}.features.safetensors`;
  tell(`when all shards are done: ncvsd-gpu evaluate merge ${shards} ${done.merge ?? `--out ${all}`}`);
}
