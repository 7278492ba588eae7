import { philox4x32 } from "../../kernels/lib/philox.js";
import { MOST_KEPT } from "./feature-rows.js";
import type { FrechetReference } from "./frechet.js";
import { mergeMoments, momentsOf, RunningMoments, statisticsOf } from "./statistics.js";

/** How far the distance would differ in another run of as many images with other seeds. */
export interface Interval {
  /** 0.95. */
  readonly level: number;
  readonly low: number;
  readonly high: number;
  readonly replicates: number;
  /** Groups of images that were drawn with replacement. */
  readonly groups: number;
}

/** Fewer groups than this say nothing about the spread. */
const MIN_GROUPS = 10;
const MAX_GROUPS = 100;

/**
 * A bootstrap interval of the Frechet distance (Efron 1979), over groups of images with balanced classes, as the run itself
 * has them. Resampled sets repeat images, which raises their distance; so their spread is taken about their own mean and
 * laid about the distance found. It is an interval of the expected distance of n images, not of the limit of many, which is
 * lower (see `sampleCurve`). Where that bias is most of the distance (data and images nearly alike) it is up to four times too
 * wide, never too narrow; with the bundled checkpoint's images it was 0.8 to 1.2 times as wide as separate runs spread.
 * @param features [n, dim] in the order of the run
 * @param unit images after which the classes repeat; groups are multiples of it
 * @returns undefined where there are too few groups, or too many dimensions
 */
export function bootstrapInterval(
  features: ArrayLike<number>,
  reference: FrechetReference,
  options: { unit?: number; replicates?: number; level?: number; seed?: number } = {},
): Interval | undefined {
  const { unit = 1, replicates = 200, level = 0.95, seed = 0 } = options;
  const { dim } = reference;
  const n = features.length / dim;
  const units = Math.floor(n / unit);
  const groups = Math.min(MAX_GROUPS, units);
  if (groups < MIN_GROUPS || dim > MOST_KEPT || n <= dim) return undefined;
  const bound = (g: number) => (g === groups ? n : Math.floor((g * units) / groups) * unit);
  const parts = Array.from({ length: groups }, (_, g) => momentsOf(features, dim, bound(g), bound(g + 1)));
  const found = reference.distance(statisticsOf(mergeMoments(parts, dim)));
  const values = Array.from({ length: replicates }, (_, r) =>
    reference.distance(statisticsOf(mergeMoments(parts, dim, resampled(groups, r, seed)))),
  ).sort((a, b) => a - b);
  const mean = values.reduce((a, b) => a + b, 0) / replicates;
  const shifted = (q: number) => Math.max(0, found + quantile(values, q) - mean);
  return { level, low: shifted((1 - level) / 2), high: shifted((1 + level) / 2), replicates, groups };
}

/** How often each group is drawn in replicate r; the same in every run. */
function resampled(groups: number, r: number, seed: number): Float64Array {
  const times = new Float64Array(groups);
  for (let at = 0; at < groups; at += 4) {
    for (const [k, word] of philox4x32([at, r, 0, 0], [seed, 0xb0075]).entries()) {
      if (at + k < groups) times[Math.floor((word / 2 ** 32) * groups)]! += 1;
    }
  }
  return times;
}

/** Linear between the order statistics. */
function quantile(sorted: readonly number[], q: number): number {
  const at = q * (sorted.length - 1);
  const low = Math.floor(at);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low]! + (at - low) * (sorted[high]! - sorted[low]!);
}

/** The distance of the first n images, for rising n: how far it still falls with more of them. */
export function sampleCurve(
  features: Float32Array,
  reference: FrechetReference,
  unit = 1,
): { readonly n: number; readonly fd: number }[] {
  const { dim } = reference;
  const n = features.length / dim;
  const lowest = Math.max(2 * dim, 100);
  const sizes = new Set([n]);
  for (let k = 1; n / 2 ** (k / 2) >= lowest; k++) sizes.add(Math.floor(n / 2 ** (k / 2) / unit) * unit);
  const running = new RunningMoments(dim);
  const curve: { n: number; fd: number }[] = [];
  for (const size of [...sizes].filter((s) => s > dim || s === n).sort((a, b) => a - b)) {
    running.push(features.subarray(running.count * dim, size * dim));
    curve.push({ n: size, fd: reference.distance(statisticsOf(running.moments())) });
  }
  return curve;
}
