import { type Checkpoint, openCheckpoint, writeSafetensors } from "../checkpoint/index.js";
import { bad } from "../errors.js";
import { type FeatureRows, imageOf, joinRows, type Kept, MOST_KEPT } from "./feature-rows.js";
import { checkRun, checkShard, type FeatureRun, type FeatureShard } from "./feature-run.js";
import { checkFinite } from "./statistics.js";

export interface FeatureFile {
  readonly file: string;
  readonly run: FeatureRun;
  readonly shard: FeatureShard;
  readonly rows: FeatureRows;
}

/** 1: features of one network, without a number in their name. */
const FORMAT = "2";

const triangle = (dim: number) => (dim * (dim + 1)) / 2;

/** Features of network k as `features.k`; or moments: `mean.k`, `products.k`, and the vectors that are not in them yet, `open.k`. */
export function encodeFeatures(rows: FeatureRows, run: FeatureRun, shard: FeatureShard): Uint8Array {
  const n = rows.end - rows.start;
  const counted: Record<string, string> = {};
  const wide = [];
  const narrow = [];
  for (const [k, kept] of rows.kept.entries()) {
    const { dim } = run.networks[k]!;
    if ("features" in kept) {
      narrow.push({ name: `features.${k}`, dtype: "F32", shape: [n, dim], data: kept.features });
      continue;
    }
    const { total, open } = kept.moments;
    counted[`counted.${k}`] = String(total.count);
    wide.push(
      { name: `mean.${k}`, dtype: "F64", shape: [dim], data: total.mean },
      { name: `products.${k}`, dtype: "F64", shape: [triangle(dim)], data: total.products },
      { name: `open.${k}`, dtype: "F64", shape: [open.length / dim, dim], data: open },
    );
  }
  const names = run.networks.map(({ name }) => name).join(", ");
  return writeSafetensors(
    [
      ...wide,
      ...narrow,
      { name: "labels", dtype: "I32", shape: [n], data: rows.labels },
      { name: "predictions", dtype: "I32", shape: [n], data: rows.predictions },
    ],
    {
      format: "pt",
      content: `features of ${names}, images ${rows.start} to ${rows.end - 1} of ${run.n}`,
      ncvsd_features: FORMAT,
      start: String(rows.start),
      seconds: String(rows.seconds),
      ...counted,
      run: JSON.stringify(run),
      shard: JSON.stringify(shard),
    },
  );
}

/** @throws BAD_ARGUMENT or BAD_CHECKPOINT when it is no whole file of features */
export async function readFeatures(file: string): Promise<FeatureFile> {
  const checkpoint = await openCheckpoint(file);
  const damaged = (what: string) => bad(`${file} is damaged: ${what}`);
  try {
    const { metadata, tensors } = checkpoint;
    const format = metadata.ncvsd_features;
    if (format !== FORMAT) {
      const why = format === undefined ? "it was not written by `evaluate fd`" : "it was written by another version";
      throw bad(`${file} holds no features of a run: ${why}`);
    }
    const run = checkRun(JSON.parse(metadata.run ?? "null"), file);
    const shard = checkShard(JSON.parse(metadata.shard ?? "null"), file);
    const n = tensors.get("labels")?.shape[0] ?? 0;
    const [start, seconds] = [Number(metadata.start), Number(metadata.seconds)];
    if (!(Number.isSafeInteger(start) && start >= 0 && start + n <= run.n && seconds >= 0))
      throw damaged("its tensors do not fit its description");
    const whole = (name: string, dtype: string, shape: readonly number[]) => {
      const tensor = tensors.get(name);
      if (tensor?.dtype !== dtype || tensor.shape.join() !== shape.join())
        throw damaged("its tensors do not fit its description");
    };
    const integers = async (name: string) => {
      whole(name, "I32", [n]);
      return new Int32Array((await checkpoint.readBytes(name)).slice().buffer);
    };
    const kept: Kept[] = [];
    for (const [k, { dim }] of run.networks.entries()) {
      if (dim > MOST_KEPT) {
        kept.push(await momentsIn(checkpoint, k, { dim, n }, whole, damaged));
        continue;
      }
      whole(`features.${k}`, "F32", [n, dim]);
      const features = await checkpoint.readF32(`features.${k}`, { allowNonFinite: true });
      checkFinite(features, dim, (i) => `${imageOf(run, start + i)} in ${file}`);
      kept.push({ features });
    }
    const [labels, predictions] = [await integers("labels"), await integers("predictions")];
    if (labels.some((label) => label < -1 || label >= Math.max(run.classes, 0)))
      throw damaged("a label is no class of its run");
    return { file, run, shard, rows: { start, end: start + n, kept, labels, predictions, seconds } };
  } catch (cause) {
    throw cause instanceof SyntaxError ? bad(`${file} is damaged: its description cannot be read`, cause) : cause;
  } finally {
    await checkpoint.close();
  }
}

async function momentsIn(
  checkpoint: Checkpoint,
  k: number,
  { dim, n }: { dim: number; n: number },
  whole: (name: string, dtype: string, shape: readonly number[]) => void,
  damaged: (what: string) => Error,
): Promise<Kept> {
  const count = Number(checkpoint.metadata[`counted.${k}`]);
  if (!Number.isSafeInteger(count) || count < 0 || count > n) throw damaged("its moments do not fit its images");
  whole(`mean.${k}`, "F64", [dim]);
  whole(`products.${k}`, "F64", [triangle(dim)]);
  whole(`open.${k}`, "F64", [n - count, dim]);
  const read = async (name: string) => {
    const values = new Float64Array((await checkpoint.readBytes(`${name}.${k}`)).slice().buffer);
    if (!values.every(Number.isFinite)) throw damaged("its moments are not finite");
    return values;
  };
  const total = { count, mean: await read("mean"), products: await read("products") };
  return { moments: { total, open: await read("open") } };
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
  const seeds = (start: number, end: number) => {
    const [first, last] = [imageOf(run, start), imageOf(run, end - 1)];
    return `${first.replace(" ", "s ")} to ${last.split(" ")[1]}`;
  };
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
      run.networks.map(({ dim }) => dim),
    ),
  };
}

function requireSameRun(a: FeatureFile, b: FeatureFile): void {
  const differ = (what: string, x: unknown, y: unknown) =>
    bad(`${a.file} and ${b.file} are of different runs (${what}: ${x} and ${y}): only shards of one run can be merged`);
  const [p, q] = [a.run, b.run];
  const of = (run: FeatureRun) => run.networks.map(({ name, variant }) => [name, variant].filter(Boolean).join("/"));
  if (of(p).join() !== of(q).join()) throw differ("feature networks", of(p).join(", "), of(q).join(", "));
  for (const [k, one] of p.networks.entries()) {
    const other = q.networks[k]!;
    if (one.dim !== other.dim) throw differ("features", one.dim, other.dim);
    if (one.sha256 !== other.sha256)
      throw differ(`weights of ${one.name}`, one.sha256.slice(0, 12), other.sha256.slice(0, 12));
  }
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
