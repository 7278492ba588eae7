import { zipSync } from "fflate";
import type { ByteSource } from "../checkpoint/byte-source.js";
import { type CheckpointInput, openCheckpoint, openSource, writeSafetensors } from "../checkpoint/index.js";
import { npyValues } from "../checkpoint/npy.js";
import { npyBytes } from "../checkpoint/npy-write.js";
import { openNpz } from "../checkpoint/npz.js";
import type { ArrayTree } from "../checkpoint/unpickle/arrays.js";
import { bad, checkKeys } from "../errors.js";
import { frechetDistance } from "./frechet.js";
import { pickledDict } from "./pickled-statistics.js";
import type { Statistics } from "./statistics.js";

/** Statistics of features, and which features they are of, as far as a file tells. */
export interface FeatureStatistics extends Statistics {
  /** In EDM2's words: "fid" or "fd_dinov2". */
  readonly metric?: string | undefined;
  /** Name of the feature network. */
  readonly network?: string | undefined;
  readonly variant?: string | undefined;
  /** Hash of the network's tensors. */
  readonly sha256?: string | undefined;
  /** Of every metric of the file, by its name, where it names them. */
  readonly metrics?: Readonly<Record<string, FeatureStatistics>> | undefined;
}

export interface ReadStatisticsOptions {
  /** Of a file with several: "fid" (default, where it is there) or "fd_dinov2". */
  readonly metric?: string;
}

const METRICS = ["fid", "fd_dinov2"];
/** Most features of a file that is taken seriously. */
const MOST = 8192;

/**
 * Mean and covariance of features from a file of any tool, recognised by its content: EDM2's and NCVSD's `.pkl` (both metrics),
 * StyleGAN3's cache (its covariance has the divisor n), `.npz` of pytorch-fid, EDM and guided-diffusion (`mu`, `sigma`), and our own
 * safetensors, which tell feature network, variant and hash as well. Pickles are read as data.
 * @throws BAD_ARGUMENT or BAD_CHECKPOINT when there are no statistics in it, or not those of the metric
 */
export async function readStatisticsFile(
  input: CheckpointInput,
  options: ReadStatisticsOptions = {},
): Promise<FeatureStatistics> {
  checkKeys("readStatistics", options, { metric: true });
  const source = await openSource(input);
  try {
    const head = await source.read(0, Math.min(4, source.size));
    if (head[0] === 0x50 && head[1] === 0x4b) return await fromNpz(source, options.metric);
    if (head[0] === 0x80 && head[1]! >= 2 && head[1]! <= 5) {
      const { openPickledArrays } = await import("../checkpoint/unpickle/arrays.js");
      return await fromPickle(await openPickledArrays(source), source.name, options.metric);
    }
    return await fromSafetensors(input, options.metric);
  } finally {
    await source.close();
  }
}

function requireMetric(file: string, wanted: string | undefined, found: readonly string[]): void {
  if (wanted === undefined || found.includes(wanted)) return;
  throw bad(
    `${file} has no statistics of the metric ${JSON.stringify(wanted)}: there is ${found.join(", ") || "none"}`,
  );
}

function checked<T extends FeatureStatistics>(file: string, statistics: T): T {
  const { mean, cov } = statistics;
  const fits = mean.length > 0 && mean.length <= MOST && cov.length === mean.length ** 2;
  if (!fits) throw bad(`${file}: a mean of ${mean.length} features and a covariance of ${cov.length} do not fit`);
  if (!mean.every(Number.isFinite) || !cov.every(Number.isFinite))
    throw bad(`${file}: the mean or the covariance has values that are not finite`);
  return statistics;
}

async function fromPickle(tree: ArrayTree, file: string, wanted: string | undefined): Promise<FeatureStatistics> {
  const items = tree.numbers.get("num_items");
  const [sum, squares] = [tree.arrays.get("raw_mean"), tree.arrays.get("raw_cov")];
  if (items !== undefined && sum && squares) {
    const mean = (await sum.read()).map((v) => v / items);
    const cov = (await squares.read()).map((v, i) => {
      return v / items - mean[Math.floor(i / mean.length)]! * mean[i % mean.length]!;
    });
    return checked(file, { count: items, mean, cov });
  }
  const count = tree.numbers.get("num_images");
  const metrics: Record<string, FeatureStatistics> = {};
  for (const [metric, inner] of tree.trees) {
    const [mu, sigma] = [inner.arrays.get("mu"), inner.arrays.get("sigma")];
    if (!mu || !sigma) continue;
    const told = Object.fromEntries(
      ["network", "variant", "sha256"].flatMap((key) => (inner.texts.has(key) ? [[key, inner.texts.get(key)!]] : [])),
    );
    metrics[metric] = checked(file, { metric, count, mean: await mu.read(), cov: await sigma.read(), ...told });
  }
  const names = Object.keys(metrics);
  requireMetric(file, wanted, names);
  const metric = wanted ?? METRICS.find((name) => metrics[name]) ?? names[0];
  if (metric === undefined)
    throw bad(`${file} holds no statistics: dicts such as fid and fd_dinov2 with mu and sigma are looked for`);
  return { ...metrics[metric]!, metrics };
}

async function fromNpz(source: ByteSource, wanted: string | undefined): Promise<FeatureStatistics> {
  const file = source.name;
  const arrays = await openNpz(source, file, ["mu", "sigma", "mean", "cov", "m", "s", "count", "n"], 8 * MOST * MOST);
  const read = async (names: readonly string[]) => {
    const name = names.find((n) => arrays.has(n));
    if (name === undefined) return undefined;
    const { header, bytes } = arrays.get(name)!;
    return npyValues(await bytes(), header, `${file}: ${name}`, new Float64Array(header.count));
  };
  const [mean, cov] = [await read(["mu", "mean", "m"]), await read(["sigma", "cov", "s"])];
  if (!mean || !cov) throw bad(`${file} holds no statistics: arrays called mu and sigma are looked for`);
  // As the reference has it: such files are of FID.
  requireMetric(file, wanted, ["fid"]);
  return checked(file, { metric: "fid", count: (await read(["count", "n"]))?.[0], mean, cov });
}

async function fromSafetensors(input: CheckpointInput, wanted: string | undefined): Promise<FeatureStatistics> {
  const checkpoint = await openCheckpoint(input);
  try {
    const { metadata, tensors, name } = checkpoint;
    if (!tensors.has("mean") || !tensors.has("cov"))
      throw bad(`${name} holds no statistics: it has no tensors called mean and cov`);
    const read = async (tensor: string) =>
      tensors.get(tensor)!.dtype === "F64"
        ? new Float64Array((await checkpoint.readBytes(tensor)).slice().buffer)
        : Float64Array.from(await checkpoint.readF32(tensor));
    const { metric, feature_network: network, variant, feature_network_sha256: sha256 } = metadata;
    if (metric !== undefined) requireMetric(name, wanted, [metric]);
    const count = /^\d+$/.test(metadata.count ?? "") ? Number(metadata.count) : undefined;
    return checked(name, { metric, network, variant, sha256, count, mean: await read("mean"), cov: await read("cov") });
  } finally {
    await checkpoint.close();
  }
}

/** The metric of statistics that do not say: by their network, else by their features. */
function metricOf({ metric, network, mean }: FeatureStatistics): string {
  return (
    metric ??
    (network?.startsWith("dinov2") || (network === undefined && mean.length === 1024) ? METRICS[1]! : METRICS[0]!)
  );
}

/** The bytes of a statistics file in the format of this ending: "pkl", "npz" or "safetensors". */
function statisticsBytes(format: string, statistics: FeatureStatistics): Uint8Array<ArrayBuffer> {
  const { count, mean, cov, network, variant, sha256 } = checked("the statistics", statistics);
  if (format === "npz")
    return zipSync(
      { "mu.npy": npyBytes(mean, [mean.length]), "sigma.npy": npyBytes(cov, [mean.length, mean.length]) },
      { level: 0 },
    ) as Uint8Array<ArrayBuffer>;
  if (format === "pkl") {
    const all = Object.values(statistics.metrics ?? {});
    const metrics = all.length > 0 ? all : [statistics];
    if (count === undefined)
      throw bad("writeStatistics: EDM2's format needs the number of pictures, and count is undefined");
    const entries = metrics.map((own) => {
      checked("the statistics", own);
      const told = Object.fromEntries(
        Object.entries({ network: own.network, variant: own.variant, sha256: own.sha256 }).filter(
          ([, v]) => v !== undefined,
        ),
      ) as Record<string, string>;
      return [metricOf(own), { mu: own.mean, sigma: own.cov, ...told }] as const;
    });
    return pickledDict(
      { num_images: count, ...Object.fromEntries(entries) },
      metrics.map((own) => own.cov),
    );
  }
  if (format !== "safetensors") throw bad(`statistics are written as .pkl, .npz or .safetensors, not .${format}`);
  const dim = mean.length;
  const metadata: Record<string, string> = { format: "pt", metric: metricOf(statistics) };
  for (const [key, value] of Object.entries({
    count,
    feature_network: network,
    variant,
    feature_network_sha256: sha256,
  }))
    if (value !== undefined) metadata[key] = String(value);
  const tensors = [
    { name: "mean", dtype: "F64", shape: [dim], data: mean },
    { name: "cov", dtype: "F64", shape: [dim, dim], data: cov },
  ];
  return writeSafetensors(tensors, metadata) as Uint8Array<ArrayBuffer>;
}

/**
 * Writes statistics, in the format of the path's ending: `.pkl` (EDM2's, of every metric of `metrics`), `.npz` (mu, sigma) or
 * `.safetensors`. Feature network, variant and hash travel in the first and the last; `.npz` has no place for them. Node only.
 * @throws BAD_ARGUMENT for other endings, or statistics that are none
 */
export async function writeStatisticsFile(path: string, statistics: FeatureStatistics): Promise<void> {
  const ending = /\.(\w+)$/.exec(path)?.[1]?.toLowerCase() ?? "";
  const bytes = statisticsBytes(ending, statistics);
  const { writeFile } = await import("node:fs/promises");
  await writeFile(path, bytes);
}

/**
 * The Frechet distance of two sets of statistics, |m_a - m_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2)), by eigenvalues or singular values.
 * @throws BAD_ARGUMENT when they say that they are of different feature networks, variants, weights or metrics, or their
 *   dimensions differ
 */
export function distanceOf(a: FeatureStatistics, b: FeatureStatistics): number {
  for (const [key, what] of [
    ["metric", "metrics"],
    ["network", "feature networks"],
    ["variant", "variants"],
    ["sha256", "weights"],
  ] as const) {
    const [one, other] = [a[key], b[key]];
    if (one !== undefined && other !== undefined && one !== other)
      throw bad(
        `the statistics are of different ${what}, ${one} and ${other}: a distance between different feature spaces means nothing`,
      );
  }
  return frechetDistance(a, b);
}
