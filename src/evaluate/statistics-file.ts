import { type Checkpoint, openCheckpoint, writeSafetensors } from "../checkpoint/index.js";
import { readNpz } from "../checkpoint/npz.js";
import { bad } from "../errors.js";
import type { FeatureSource } from "../networks/features/extractor.js";
import { featureNetworkNames } from "../networks/features/network.js";
import type { Statistics } from "./statistics.js";

/** Statistics as a file has them. */
export interface StatisticsFile {
  readonly file: string;
  readonly statistics: Statistics;
  /** The feature network's name; undefined where the file does not say. */
  readonly network: string | undefined;
  /** Hash of the network's weights; undefined where the file does not say. */
  readonly sha256: string | undefined;
}

const MEAN_NAMES = ["mean", "mu", "m"];
const COV_NAMES = ["cov", "sigma", "s"];
const COUNT_NAMES = ["count", "n", "num_items"];

/** The bytes of a statistics file: `mean` and `cov` in F64; count, feature network and its hash in the metadata. */
export function encodeStatistics(
  { count, mean, cov }: Statistics,
  network: FeatureSource,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const dim = mean.length;
  return writeSafetensors(
    [
      { name: "mean", dtype: "F64", shape: [dim], data: mean },
      { name: "cov", dtype: "F64", shape: [dim, dim], data: cov },
    ],
    {
      format: "pt",
      content: `mean and covariance (unbiased) of ${network.name} over ${count} images`,
      feature_network: network.name,
      feature_network_sha256: network.sha256,
      count: String(count),
      ...metadata,
    },
  );
}

/**
 * Reads statistics from safetensors (`mean`, `cov`) or from a NumPy archive (`mu` and `sigma`, or `mean` and `cov`).
 * @param bytes of an .npz file, by path
 * @throws BAD_ARGUMENT or BAD_CHECKPOINT when it is neither, or mean and covariance do not fit together
 */
export async function readStatistics(file: string, bytes: (path: string) => Uint8Array): Promise<StatisticsFile> {
  if (/\.(pkl|pickle)$/i.test(file))
    throw bad(`${file} is a pickle, which is not executed here: save its mu and sigma with numpy.savez to a .npz`);
  return /\.npz$/i.test(file) ? fromNpz(file, bytes(file)) : fromSafetensors(file);
}

function fromNpz(file: string, bytes: Uint8Array): StatisticsFile {
  const arrays = readNpz(bytes, file, [...MEAN_NAMES, ...COV_NAMES, ...COUNT_NAMES]);
  const pick = (names: readonly string[]) => arrays.get(names.find((name) => arrays.has(name)) ?? "");
  const [mean, cov, count] = [pick(MEAN_NAMES), pick(COV_NAMES), pick(COUNT_NAMES)?.values[0]];
  if (!mean || !cov)
    throw bad(`${file} holds no statistics: arrays called mu and sigma (or mean and cov) are looked for`);
  const statistics = { count, mean: mean.values, cov: cov.values };
  checkShapes(file, mean.shape, cov.shape);
  return { file, statistics, network: undefined, sha256: undefined };
}

async function fromSafetensors(file: string): Promise<StatisticsFile> {
  const checkpoint = await openCheckpoint(file);
  try {
    const { metadata, tensors } = checkpoint;
    const [mean, cov] = [tensors.get("mean"), tensors.get("cov")];
    if (!mean || !cov) throw bad(`${file} holds no statistics: it has no tensors called mean and cov`);
    checkShapes(file, mean.shape, cov.shape);
    const count = /^\d+$/.test(metadata.count ?? "") ? Number(metadata.count) : undefined;
    const statistics = { count, mean: await readF64(checkpoint, "mean"), cov: await readF64(checkpoint, "cov") };
    return { file, statistics, network: networkOf(metadata), sha256: metadata.feature_network_sha256 };
  } finally {
    await checkpoint.close();
  }
}

/** Files of other tools may say it in words. */
function networkOf(metadata: Readonly<Record<string, string>>): string | undefined {
  return (
    metadata.feature_network ?? featureNetworkNames.find((name) => metadata.content?.split(/[\s,;]+/).includes(name))
  );
}

async function readF64(checkpoint: Checkpoint, name: string): Promise<Float64Array> {
  if (checkpoint.tensors.get(name)!.dtype !== "F64") return Float64Array.from(await checkpoint.readF32(name));
  const bytes = await checkpoint.readBytes(name);
  return new Float64Array(bytes.slice().buffer);
}

function checkShapes(file: string, mean: readonly number[], cov: readonly number[]): void {
  const [dim = 0, more] = mean;
  if (more === undefined && dim > 0 && cov.length === 2 && cov[0] === dim && cov[1] === dim) return;
  throw bad(
    `${file}: a mean of shape [${mean.join(", ")}] and a covariance of [${cov.join(", ")}] do not belong together: [d] and [d, d] are needed`,
  );
}

/**
 * @returns a remark where the file does not name its network
 * @throws BAD_ARGUMENT when the statistics are of another feature network, other weights, or another dimension
 */
export function requireSameNetwork(reference: StatisticsFile, source: FeatureSource): string | undefined {
  const { file, network, sha256, statistics } = reference;
  const compare = "distances between different feature spaces mean nothing; make statistics with `evaluate stats`";
  if (network !== undefined && network !== source.name)
    throw bad(
      `${file} has statistics of the feature network ${network}, but the features are those of ${source.name}: ${compare}`,
    );
  if (statistics.mean.length !== source.dim)
    throw bad(
      `${file} has statistics of ${statistics.mean.length} features, but ${source.name} has ${source.dim}: ${compare}`,
    );
  if (sha256 !== undefined && sha256 !== source.sha256)
    throw bad(
      `${file} was made with other weights of ${source.name} (SHA-256 ${sha256.slice(0, 12)}... instead of ${source.sha256.slice(0, 12)}...): ${compare}`,
    );
  return network === undefined
    ? `${file} does not say of which feature network it is; taken for ${source.name}`
    : undefined;
}
