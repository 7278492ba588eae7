import { openCheckpoint, writeSafetensors } from "../checkpoint/index.js";
import { bad } from "../errors.js";
import { checkRun, checkShard, type FeatureRun, type FeatureShard } from "./feature-run.js";
import { checkFinite } from "./statistics.js";

/** Features of the images `start` up to `end` of a run. */
export interface FeatureRows {
  readonly start: number;
  readonly end: number;
  /** [end - start, dim] */
  readonly features: Float32Array;
  /** Class asked for; -1: none. */
  readonly labels: Int32Array;
  /** Class found by the feature network; -1: it has no classifier. */
  readonly predictions: Int32Array;
  /** Seconds that making them took. */
  readonly seconds: number;
}

export interface FeatureFile {
  readonly file: string;
  readonly run: FeatureRun;
  readonly shard: FeatureShard;
  readonly rows: FeatureRows;
}

const FORMAT = "1";

export function encodeFeatures(rows: FeatureRows, run: FeatureRun, shard: FeatureShard): Uint8Array {
  const n = rows.end - rows.start;
  return writeSafetensors(
    [
      { name: "features", dtype: "F32", shape: [n, run.network.dim], data: rows.features },
      { name: "labels", dtype: "I32", shape: [n], data: rows.labels },
      { name: "predictions", dtype: "I32", shape: [n], data: rows.predictions },
    ],
    {
      format: "pt",
      content: `features of ${run.network.name}, images ${rows.start} to ${rows.end - 1} of ${run.n}`,
      ncvsd_features: FORMAT,
      start: String(rows.start),
      seconds: String(rows.seconds),
      run: JSON.stringify(run),
      shard: JSON.stringify(shard),
    },
  );
}

/** @throws BAD_ARGUMENT or BAD_CHECKPOINT when it is no whole file of features */
export async function readFeatures(file: string): Promise<FeatureFile> {
  const checkpoint = await openCheckpoint(file);
  try {
    const { metadata, tensors } = checkpoint;
    const format = metadata.ncvsd_features;
    if (format !== FORMAT) {
      const why = format === undefined ? "it was not written by `evaluate fd`" : "it was written by another version";
      throw bad(`${file} holds no features of a run: ${why}`);
    }
    const run = checkRun(JSON.parse(metadata.run ?? "null"), file);
    const shard = checkShard(JSON.parse(metadata.shard ?? "null"), file);
    const shape = tensors.get("features")?.shape ?? [];
    const [n, dim] = [shape[0] ?? 0, run.network.dim];
    const [start, seconds] = [Number(metadata.start), Number(metadata.seconds)];
    const whole =
      shape.length === 2 &&
      shape[1] === dim &&
      ["labels", "predictions"].every(
        (t) => tensors.get(t)?.shape.join() === `${n}` && tensors.get(t)?.dtype === "I32",
      );
    const within = Number.isSafeInteger(start) && start >= 0 && start + n <= run.n && seconds >= 0;
    if (!whole || !within) throw bad(`${file} is damaged: its tensors do not fit its description`);
    const integers = async (name: string) => new Int32Array((await checkpoint.readBytes(name)).slice().buffer);
    const features = await checkpoint.readF32("features", { allowNonFinite: true });
    const rows = {
      start,
      end: start + n,
      features,
      labels: await integers("labels"),
      predictions: await integers("predictions"),
    };
    checkFinite(features, run.network.dim, (i) => `seed ${run.firstSeed + start + i} in ${file}`);
    if (rows.labels.some((label) => label < -1 || label >= Math.max(run.classes, 0)))
      throw bad(`${file} is damaged: a label is no class of its run`);
    return { file, run, shard, rows: { ...rows, seconds } };
  } catch (cause) {
    throw cause instanceof SyntaxError ? bad(`${file} is damaged: its description cannot be read`, cause) : cause;
  } finally {
    await checkpoint.close();
  }
}

/** Rows that follow one another as one piece. */
export function joinRows(parts: readonly FeatureRows[], dim: number): FeatureRows {
  const start = parts[0]?.start ?? 0;
  const end = parts.at(-1)?.end ?? start;
  const features = new Float32Array((end - start) * dim);
  const labels = new Int32Array(end - start);
  const predictions = new Int32Array(end - start);
  for (const part of parts) {
    features.set(part.features, (part.start - start) * dim);
    labels.set(part.labels, part.start - start);
    predictions.set(part.predictions, part.start - start);
  }
  return { start, end, features, labels, predictions, seconds: parts.reduce((sum, p) => sum + p.seconds, 0) };
}

/** The images `start` up to `end` of rows that hold them. */
export function sliceRows(rows: FeatureRows, start: number, end: number, dim: number): FeatureRows {
  const [from, to] = [start - rows.start, end - rows.start];
  return {
    start,
    end,
    features: rows.features.subarray(from * dim, to * dim),
    labels: rows.labels.subarray(from, to),
    predictions: rows.predictions.subarray(from, to),
    seconds: rows.seconds * ((end - start) / Math.max(1, rows.end - rows.start)),
  };
}

/**
 * The whole run from its shards, in the order of the images: nothing of the result depends on how it was cut.
 * @throws BAD_ARGUMENT when they are of different runs, overlap, or do not make up the whole run
 */
export function combineShards(files: readonly FeatureFile[]): { readonly run: FeatureRun; readonly rows: FeatureRows } {
  const [first] = files;
  if (!first) throw bad("no shard was named");
  for (const other of files.slice(1)) requireSameRun(first, other);
  const { run } = first;
  const seeds = (start: number, end: number) => `seeds ${run.firstSeed + start} to ${run.firstSeed + end - 1}`;
  const sorted = [...files].sort((a, b) => a.rows.start - b.rows.start);
  for (const [i, { file, rows }] of sorted.entries()) {
    const before = sorted[i - 1];
    if (before && rows.start < before.rows.end) {
      const both = seeds(rows.start, Math.min(rows.end, before.rows.end));
      throw bad(`${before.file} and ${file} both have ${both}: they would be counted twice; leave one of them out`);
    }
  }
  const gaps: string[] = [];
  let at = 0;
  for (const { rows } of sorted) {
    if (rows.start > at) gaps.push(seeds(at, rows.start));
    at = rows.end;
  }
  if (at < run.n) gaps.push(seeds(at, run.n));
  if (gaps.length > 0)
    throw bad(`${missingShards(files)} missing (${gaps.join(", ")}): run them first, then merge again`);
  return {
    run,
    rows: joinRows(
      sorted.map(({ rows }) => rows),
      run.network.dim,
    ),
  };
}

function requireSameRun(a: FeatureFile, b: FeatureFile): void {
  const differ = (what: string, x: unknown, y: unknown) =>
    bad(`${a.file} and ${b.file} are of different runs (${what}: ${x} and ${y}): only shards of one run can be merged`);
  const [p, q] = [a.run, b.run];
  if (p.network.name !== q.network.name) throw differ("feature network", p.network.name, q.network.name);
  if (p.network.dim !== q.network.dim) throw differ("features", p.network.dim, q.network.dim);
  if (p.network.sha256 !== q.network.sha256)
    throw differ(`weights of ${p.network.name}`, p.network.sha256.slice(0, 12), q.network.sha256.slice(0, 12));
  if (p.checkpoint.sha256 !== q.checkpoint.sha256) throw differ("checkpoint", p.checkpoint.name, q.checkpoint.name);
  if (p.n !== q.n) throw differ("--n", p.n, q.n);
  if (p.firstSeed !== q.firstSeed) throw differ("--seed", p.firstSeed, q.firstSeed);
  if (p.key !== q.key) throw differ("options", JSON.stringify(p.options), JSON.stringify(q.options));
}

function missingShards(files: readonly FeatureFile[]): string {
  const counts = new Set(files.map(({ shard }) => shard.count));
  const [count] = counts;
  if (counts.size > 1 || count === undefined) return "parts of the run are";
  const there = new Set(files.map(({ shard }) => shard.index));
  const absent = count - there.size;
  if (absent <= 0) return "parts of the run are";
  // The list may be long: as many as are shown are looked for.
  const missing: string[] = [];
  for (let i = 1; i <= count && missing.length < Math.min(absent, 10); i++)
    if (!there.has(i)) missing.push(`${i}/${count}`);
  const more = absent > missing.length ? `, and ${absent - missing.length} more` : "";
  return `${absent === 1 ? "shard" : "shards"} ${missing.join(", ")}${more} ${absent === 1 ? "is" : "are"}`;
}
