import { bad } from "../errors.js";
import type { MeasuredBy } from "./feature-run.js";
import { distanceBetween } from "./frechet.js";
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

const TOLD = [
  ["metric", "metrics"],
  ["network", "feature networks"],
  ["variant", "variants"],
  ["sha256", "weights (SHA-256)"],
] as const;

type Told = { readonly [key in (typeof TOLD)[number][0]]?: string | undefined };

/** The first thing that both say, and say differently. */
function difference(a: Told, b: Told): string | undefined {
  for (const [key, what] of TOLD) {
    const [one, other] = [a[key], b[key]];
    if (one !== undefined && other !== undefined && one !== other) {
      const short = (text: string) => (key === "sha256" ? `${text.slice(0, 12)}...` : text);
      return `${what}, ${short(one)} and ${short(other)}`;
    }
  }
  return undefined;
}

const MEANING = "a distance between different feature spaces means nothing";

/**
 * The Frechet distance of two sets of statistics, |m_a - m_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2)): 0 for equal ones, and never below.
 * @throws BAD_ARGUMENT when they say that they are of different feature networks, variants, weights or metrics, or their
 *   dimensions differ
 */
export function frechetDistance(a: FeatureStatistics, b: FeatureStatistics): number {
  const found = difference(a, b);
  if (found !== undefined) throw bad(`the statistics are of different ${found}: ${MEANING}`);
  return distanceBetween(a, b);
}

/**
 * @returns a remark where the file does not name its network
 * @throws BAD_ARGUMENT when the statistics are of another feature network, variant, weights, or another dimension
 */
export function requireSameNetwork(file: string, reference: FeatureStatistics, source: MeasuredBy): string | undefined {
  const { name, variant, sha256, dim, metric } = source;
  const found = difference(reference, { network: name, variant, sha256, metric });
  const remedy = `${MEANING}; make statistics with \`evaluate ref\``;
  if (found !== undefined) throw bad(`${file} and the features of ${name} are of different ${found}: ${remedy}`);
  if (reference.mean.length !== dim)
    throw bad(`${file} has statistics of ${reference.mean.length} features, but ${name} has ${dim}: ${remedy}`);
  if (reference.network !== undefined) return undefined;
  const whole = variant === undefined ? name : `${name}, variant ${variant}`;
  return `${file} does not say of which feature network it is; taken for ${whole}`;
}
