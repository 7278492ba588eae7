import { type Checkpoint, openCheckpoint, writeSafetensors } from "../checkpoint/index.js";
import { npyValues } from "../checkpoint/npy.js";
import { openNpz } from "../checkpoint/npz.js";
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

/** Features of the widest network that is known, with room. */
const MOST_FEATURES = 8192;

/**
 * Reads statistics from safetensors (`mean`, `cov`) or from a NumPy archive (`mu` and `sigma`, or `mean` and `cov`), whatever
 * the file's ending.
 * @param bytes of a file, by path
 * @param dim features that are expected: what claims more is refused before it is unpacked
 * @throws BAD_ARGUMENT or BAD_CHECKPOINT when it is neither, or mean and covariance do not fit together
 */
export async function readStatistics(
  file: string,
  bytes: (path: string) => Uint8Array,
  dim: number = MOST_FEATURES,
): Promise<StatisticsFile> {
  const needed = "reference statistics are an .npz with mu and sigma, or a .safetensors with mean and cov";
  if (/\.safetensors$/i.test(file)) return fromSafetensors(file);
  if (/\.(pkl|pickle)$/i.test(file))
    throw bad(`${file} is a pickle, which is not executed here: save its mu and sigma with numpy.savez to a .npz`);
  const content = bytes(file);
  if (content[0] === 0x50 && content[1] === 0x4b) return fromNpz(file, content, dim);
  if (content[0] === 0x93)
    throw bad(`${file} is one NumPy array (or a pickled dict, which is not executed here): ${needed}`);
  if (/\.npz$/i.test(file)) throw bad(`${file} is no .npz file: it does not begin like a zip archive; ${needed}`);
  return fromSafetensors(file);
}

async function fromNpz(file: string, content: Uint8Array, dim: number): Promise<StatisticsFile> {
  const arrays = await openNpz(content, file, [...MEAN_NAMES, ...COV_NAMES, ...COUNT_NAMES], 8 * dim * dim);
  const pick = (names: readonly string[]) => names.find((name) => arrays.has(name));
  const read = async (name: string) => {
    const { header, bytes } = arrays.get(name)!;
    return npyValues(await bytes(), header, `${file}: ${name}`, new Float64Array(header.count));
  };
  const [mean, cov, counted] = [pick(MEAN_NAMES), pick(COV_NAMES), pick(COUNT_NAMES)];
  if (mean === undefined || cov === undefined)
    throw bad(`${file} holds no statistics: arrays called mu and sigma (or mean and cov) are looked for`);
  checkShapes(file, arrays.get(mean)!.header.shape, arrays.get(cov)!.header.shape);
  const count = counted === undefined ? undefined : (await read(counted))[0];
  const statistics = { count, mean: await read(mean), cov: await read(cov) };
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
 * @returns a remark where the file does not name its network, or is of too few images
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
  const { count } = statistics;
  if (count !== undefined && count <= source.dim)
    return `${file} has statistics of ${count} images, no more than the ${source.dim} features: distances to it mean little`;
  return network === undefined
    ? `${file} does not say of which feature network it is; taken for ${source.name}`
    : undefined;
}
