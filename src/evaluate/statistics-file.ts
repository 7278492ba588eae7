import { zipSync } from "fflate";
import type { ByteSource } from "../checkpoint/byte-source.js";
import {
  type CheckpointInput,
  type FetchOptions,
  openCheckpoint,
  openSource,
  writeSafetensors,
} from "../checkpoint/index.js";
import { npyValues } from "../checkpoint/npy.js";
import { npyBytes } from "../checkpoint/npy-write.js";
import { openNpz } from "../checkpoint/npz.js";
import type { ArrayTree } from "../checkpoint/unpickle/arrays.js";
import { bad, checkKeys } from "../errors.js";
import { featureNetworkNames } from "../networks/features/network.js";
import { node } from "../node/modules.js";
import { pickledDict } from "./pickled-statistics.js";
import type { FeatureStatistics } from "./same-features.js";

/** Of a file behind an address also how it is fetched, as for `loadModel`. */
export interface ReadStatisticsOptions extends FetchOptions {
  /** Of a file with several: "fid" (default, where it is there) or "fd_dinov2". */
  readonly metric?: string;
}

/** EDM2's metrics: what their files call them, the network and variant that they are of, and its features. */
const METRICS: Readonly<Record<string, { readonly network: string; readonly variant: string; readonly dim: number }>> =
  {
    fid: { network: "inception-v3-fid", variant: "nvidia", dim: 2048 },
    fd_dinov2: { network: "dinov2-vitl14", variant: "hub", dim: 1024 },
  };
/** What files of ours say. */
const TOOL = "ncvsd-gpu";
/** Most features of a file that is taken seriously. */
const MOST = 8192;
const MEAN = ["mu", "mean", "m"];
const COV = ["sigma", "cov", "s"];
const COUNT = ["count", "n", "num_items", "num_images"];

/**
 * Mean and covariance of features from a file of any tool, recognised by its content: EDM2's and NCVSD's `.pkl` (both metrics),
 * StyleGAN3's cache (its covariance has the divisor n), `.npz` of pytorch-fid, EDM and guided-diffusion (`mu`, `sigma`), and our own
 * safetensors, which tell feature network, variant and hash as well. Pickles are read as data.
 * @throws BAD_ARGUMENT or BAD_CHECKPOINT when there are no statistics in it, or not those of the metric
 */
export async function readStatistics(
  input: CheckpointInput,
  options: ReadStatisticsOptions = {},
): Promise<FeatureStatistics> {
  checkKeys("readStatistics", options, { metric: true, signal: true, onBytes: true, sha256: true, offline: true });
  const { metric, ...fetching } = options;
  const source = await openSource(input, fetching);
  try {
    const head = await source.read(0, Math.min(8, source.size));
    if (head[0] === 0x50 && head[1] === 0x4b) return await fromNpz(source, metric);
    if (head[0] === 0x93) throw bad(`${source.name} is one NumPy array, not statistics: ${NEEDED}`);
    if (/\.npz$/i.test(source.name))
      throw bad(`${source.name} is no .npz file: it does not begin like a zip archive; ${NEEDED}`);
    // The length of a safetensors header may begin as a pickle does; four zeros follow it.
    const pickled = head[0] === 0x80 && head[1]! >= 2 && head[1]! <= 5 && head.subarray(4).some((v) => v !== 0);
    if (pickled || /\.(pkl|pickle)$/i.test(source.name)) {
      const { openPickledArrays } = await import("../checkpoint/unpickle/arrays.js");
      return await fromPickle(await openPickledArrays(source), source.name, metric);
    }
    return await fromSafetensors(input, metric, fetching);
  } finally {
    await source.close();
  }
}

const NEEDED =
  "statistics are a .pkl as EDM2 writes it, an .npz with mu and sigma, or a .safetensors with mean and cov";

function requireMetric(file: string, wanted: string | undefined, found: readonly string[]): void {
  if (wanted === undefined || found.includes(wanted)) return;
  throw bad(
    `${file} has no statistics of the metric ${JSON.stringify(wanted)}: there is ${found.join(", ") || "none"}`,
  );
}

/** @throws BAD_ARGUMENT unless the shapes are [d] and [d, d], d at most 8192 */
function checkShapes(file: string, mean: readonly number[], cov: readonly number[]): void {
  const [dim = 0, more] = mean;
  if (more === undefined && dim > 0 && cov.length === 2 && cov[0] === dim && cov[1] === dim) {
    if (dim > MOST) throw bad(`${file} has statistics of ${dim} features: more than ${MOST} are not read`);
    return;
  }
  throw bad(
    `${file}: a mean of shape [${mean.join(", ")}] and a covariance of [${cov.join(", ")}] do not fit: [d] and [d, d] belong together`,
  );
}

function checked<T extends FeatureStatistics>(file: string, statistics: T): T {
  const { mean, cov } = statistics;
  if (cov.length !== mean.length ** 2)
    throw bad(`${file}: a mean of ${mean.length} features and a covariance of ${cov.length} do not fit`);
  checkShapes(file, [mean.length], [mean.length, mean.length]);
  if (!mean.every(Number.isFinite) || !cov.every(Number.isFinite))
    throw bad(`${file}: the mean or the covariance has values that are not finite`);
  return statistics;
}

async function fromPickle(tree: ArrayTree, file: string, wanted: string | undefined): Promise<FeatureStatistics> {
  const items = tree.numbers.get("num_items");
  const [sum, squares] = [tree.arrays.get("raw_mean"), tree.arrays.get("raw_cov")];
  if (items !== undefined && sum && squares) {
    checkShapes(file, sum.shape, squares.shape);
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
    checkShapes(`${file}: ${metric}`, mu.shape, sigma.shape);
    const [dim] = mu.shape;
    // What EDM2's own files do not say is the same in all of them; ours say what is known.
    const known = METRICS[metric]?.dim === dim && tree.texts.get("tool") !== TOOL ? METRICS[metric]! : undefined;
    const told = {
      ...(known && { network: known.network, variant: known.variant }),
      ...Object.fromEntries(
        ["network", "variant", "sha256"].flatMap((key) => (inner.texts.has(key) ? [[key, inner.texts.get(key)!]] : [])),
      ),
    };
    metrics[metric] = checked(file, { metric, count, mean: await mu.read(), cov: await sigma.read(), ...told });
  }
  const names = Object.keys(metrics);
  requireMetric(file, wanted, names);
  const metric = wanted ?? Object.keys(METRICS).find((name) => metrics[name]) ?? names[0];
  if (metric === undefined)
    throw bad(`${file} holds no statistics: dicts such as fid and fd_dinov2 with mu and sigma are looked for`);
  return { ...metrics[metric]!, metrics };
}

async function fromNpz(source: ByteSource, wanted: string | undefined): Promise<FeatureStatistics> {
  const file = source.name;
  const arrays = await openNpz(source, file, [...MEAN, ...COV, ...COUNT], 8 * MOST * MOST);
  const pick = (names: readonly string[]) => names.find((name) => arrays.has(name));
  const read = async (name: string) => {
    const { header, bytes } = arrays.get(name)!;
    return npyValues(await bytes(), header, `${file}: ${name}`, new Float64Array(header.count));
  };
  const [mean, cov, counted] = [pick(MEAN), pick(COV), pick(COUNT)];
  if (mean === undefined || cov === undefined)
    throw bad(`${file} holds no statistics: arrays called mu and sigma (or mean and cov) are looked for`);
  checkShapes(file, arrays.get(mean)!.header.shape, arrays.get(cov)!.header.shape);
  // As the reference has it: such files are of FID.
  requireMetric(file, wanted, ["fid"]);
  const count = counted === undefined ? undefined : (await read(counted))[0];
  return checked(file, { metric: "fid", count, mean: await read(mean), cov: await read(cov) });
}

async function fromSafetensors(
  input: CheckpointInput,
  wanted: string | undefined,
  fetching: FetchOptions,
): Promise<FeatureStatistics> {
  const checkpoint = await openCheckpoint(input, fetching);
  try {
    const { metadata, tensors, name } = checkpoint;
    const [mean, cov] = [tensors.get("mean"), tensors.get("cov")];
    if (!mean || !cov) throw bad(`${name} holds no statistics: it has no tensors called mean and cov`);
    checkShapes(name, mean.shape, cov.shape);
    const read = async (tensor: string) =>
      tensors.get(tensor)!.dtype === "F64"
        ? new Float64Array((await checkpoint.readBytes(tensor)).slice().buffer)
        : Float64Array.from(await checkpoint.readF32(tensor));
    const { metric, variant, feature_network_sha256: sha256 } = metadata;
    // Some files say it in words.
    const network =
      metadata.feature_network ??
      featureNetworkNames.find((known) => metadata.content?.split(/[\s,;]+/).includes(known));
    if (metric !== undefined) requireMetric(name, wanted, [metric]);
    const count = /^\d+$/.test(metadata.count ?? "") ? Number(metadata.count) : undefined;
    return checked(name, { metric, network, variant, sha256, count, mean: await read("mean"), cov: await read("cov") });
  } finally {
    await checkpoint.close();
  }
}

/** The metric of statistics that do not say: by their network, else by their features; undefined: of a network of its own. */
function metricOf({ metric, network, mean }: FeatureStatistics): string | undefined {
  if (metric !== undefined) return metric;
  if (network !== undefined) {
    if (network.startsWith("dinov2")) return "fd_dinov2";
    return network.startsWith("inception") ? "fid" : undefined;
  }
  return mean.length === METRICS.fd_dinov2!.dim ? "fd_dinov2" : "fid";
}

const ENDINGS = ["pkl", "npz", "safetensors"];

/**
 * The format of statistics that a path's ending asks for.
 * @throws BAD_ARGUMENT for another
 */
export function statisticsFormat(path: string): string {
  const ending = /\.(\w+)$/.exec(path)?.[1]?.toLowerCase() ?? "";
  if (ENDINGS.includes(ending)) return ending;
  throw bad(`statistics are written as .pkl (EDM2's format), .npz or .safetensors, not .${ending}`);
}

/** The bytes of a statistics file in the format of this path's ending. @throws BAD_ARGUMENT for another ending, or what are no statistics */
export function statisticsBytes(path: string, statistics: FeatureStatistics): Uint8Array<ArrayBuffer> {
  const format = statisticsFormat(path);
  const { count, mean, cov, network, variant, sha256 } = checked("the statistics", statistics);
  const dim = mean.length;
  if (format === "npz")
    return zipSync(
      { "mu.npy": npyBytes(mean, [dim]), "sigma.npy": npyBytes(cov, [dim, dim]) },
      { level: 0 },
    ) as Uint8Array<ArrayBuffer>;
  if (format === "pkl") return pickled(statistics);
  const metric = metricOf(statistics);
  const words = network === undefined || count === undefined ? {} : { content: `statistics of ${network}` };
  const told = { metric, count, feature_network: network, variant, feature_network_sha256: sha256, ...words };
  const metadata = Object.entries(told).flatMap(([key, value]) => (value === undefined ? [] : [[key, String(value)]]));
  return writeSafetensors(
    [
      { name: "mean", dtype: "F64", shape: [dim], data: mean },
      { name: "cov", dtype: "F64", shape: [dim, dim], data: cov },
    ],
    { format: "pt", tool: TOOL, ...Object.fromEntries(metadata) },
  ) as Uint8Array<ArrayBuffer>;
}

/** As EDM2's scripts keep them, with what they do not say before the arrays. */
function pickled(statistics: FeatureStatistics): Uint8Array<ArrayBuffer> {
  const all = Object.values(statistics.metrics ?? {});
  const metrics = all.length > 0 ? all : [statistics];
  const { count } = statistics;
  if (count === undefined)
    throw bad("writeStatistics: EDM2's format needs the number of pictures, and count is undefined");
  const entries = metrics.map((own) => {
    const { network, variant, sha256, mean, cov } = checked("the statistics", own);
    const told = Object.entries({ network, variant, sha256 }).flatMap(([key, value]) =>
      value === undefined ? [] : [[key, value] as const],
    );
    return [metricOf(own) ?? network!, { ...Object.fromEntries(told), mu: mean, sigma: cov }] as const;
  });
  return pickledDict(
    { tool: TOOL, num_images: count, ...Object.fromEntries(entries) },
    metrics.map((own) => own.cov),
  );
}

/**
 * Writes statistics, in the format of the path's ending: `.pkl` (EDM2's, of every metric of `metrics`), `.npz` (mu, sigma) or
 * `.safetensors`. Feature network, variant and hash travel in the first and the last; `.npz` has no place for them. Node only.
 * @throws BAD_ARGUMENT for other endings, or statistics that are none
 */
export async function writeStatistics(path: string, statistics: FeatureStatistics): Promise<void> {
  const bytes = statisticsBytes(path, statistics);
  const { writeFile } = await node.files();
  await writeFile(path, bytes);
}
