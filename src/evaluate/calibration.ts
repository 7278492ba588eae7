import { bad, checkKeys } from "../errors.js";

/**
 * Measures of whether draws of a posterior have the right spread, from samples (cases x count x coordinates) and the truths
 * that the measurements were made of (cases x coordinates), themselves draws of the prior. In float64 on plain arrays. For a
 * right sampler a truth is one more draw, and its rank among the others uniform (Cook et al. 2006; Talts et al. 2018).
 */

export interface SampleSet {
  /** cases x count x coordinates */
  readonly samples: ArrayLike<number>;
  /** Samples per case. */
  readonly count: number;
  readonly coordinates: number;
}

export interface RankOptions extends SampleSet {
  /** cases x coordinates */
  readonly truths: ArrayLike<number>;
  /** cases x coordinates, in [0, 1): decide ranks among equal values; absent: 1/2. */
  readonly uniforms?: ArrayLike<number>;
}

/**
 * Rank of each coordinate of the truth among the samples: how many are below, plus floor(u (equal + 1)).
 * @returns cases x coordinates, each 0 to count
 */
export function ranks(options: RankOptions): Int32Array {
  const call = "ranks";
  checkKeys(call, options, { samples: true, truths: true, count: true, coordinates: true, uniforms: true });
  const { samples, truths, count, coordinates, uniforms } = options;
  const cases = casesOf(call, options, truths);
  finite(call, "truths", truths);
  if (uniforms && uniforms.length !== truths.length)
    throw bad(`${call}: uniforms holds ${uniforms.length} values for ${truths.length} truths: give one each.`);
  return Int32Array.from({ length: cases * coordinates }, (_, at) => {
    const [i, c] = [Math.floor(at / coordinates), at % coordinates];
    let [below, equal] = [0, 0];
    for (let n = 0; n < count; n++) {
      const v = samples[(i * count + n) * coordinates + c]!;
      if (v < truths[at]!) below++;
      else if (v === truths[at]!) equal++;
    }
    const u = uniforms ? uniforms[at]! : 0.5;
    if (!(u >= 0 && u < 1)) throw bad(`${call}: uniforms holds ${u} at index ${at}: they must be from 0 to below 1.`);
    return below + Math.floor(u * (equal + 1));
  });
}

/**
 * How many samples have a higher log density (of the posterior) than the truth.
 * @param options truths: one log density per case; samples: cases x count
 * @returns cases numbers, each 0 to count
 */
export function densityRanks(options: {
  readonly truths: ArrayLike<number>;
  readonly samples: ArrayLike<number>;
  readonly count: number;
}): Int32Array {
  const call = "densityRanks";
  checkKeys(call, options, { truths: true, samples: true, count: true });
  const { truths, samples, count } = options;
  casesOf(call, { samples, count, coordinates: 1 }, truths);
  return Int32Array.from({ length: truths.length }, (_, i) => {
    let above = 0;
    for (let n = 0; n < count; n++) if (samples[i * count + n]! > truths[i]!) above++;
    return above;
  });
}

/** Products of a level and a count that are whole numbers but for rounding count as whole. */
const NEARLY = 1e-9;

/** How far from its expectation a share may be by chance in 95 of 100 tries, in standard deviations. */
const BAND = 1.96;

export interface Coverage {
  /** Share of truths inside. */
  readonly observed: number;
  /** What a right sampler gives at this number of samples, which is not the level. */
  readonly expected: number;
  /** Where a right sampler's share lies in 95 of 100 tries. */
  readonly band: readonly [low: number, high: number];
}

/**
 * Share of truths inside the samples' central interval, or region of highest density, of a level.
 *
 *     central: lo <= rank <= N - lo, lo = ceil(N (1 - level)/2);   expected (N - 2 lo + 1)/(N + 1)
 *     hpd:     rank <= floor(N level);                             expected (floor(N level) + 1)/(N + 1)
 *
 * @param options ranks: of `ranks` (central) or `densityRanks` (hpd); count: samples per case; level: 0 to 1; coordinates: how
 *   many of the ranks belong to one case (default 1): coordinates of one case aren't independent, and the band is that of cases
 */
export function coverage(options: {
  readonly ranks: ArrayLike<number>;
  readonly count: number;
  readonly level: number;
  readonly kind: "central" | "hpd";
  readonly coordinates?: number;
}): Coverage {
  const call = "coverage";
  checkKeys(call, options, { ranks: true, count: true, level: true, kind: true, coordinates: true });
  const { ranks, count, level, kind, coordinates = 1 } = options;
  if (!(level > 0 && level < 1)) throw bad(`${call}: level must be between 0 and 1, got ${level}.`);
  if (kind !== "central" && kind !== "hpd") throw bad(`${call}: kind must be "central" or "hpd", got ${String(kind)}.`);
  checkRanks(call, ranks, count);
  positive(call, "coordinates", coordinates);
  const low = kind === "central" ? Math.ceil((count * (1 - level)) / 2 - NEARLY) : 0;
  const high = kind === "central" ? count - low : Math.floor(count * level + NEARLY);
  let inside = 0;
  for (let i = 0; i < ranks.length; i++) if (ranks[i]! >= low && ranks[i]! <= high) inside++;
  const expected = Math.max(high - low + 1, 0) / (count + 1);
  const reach = BAND * Math.sqrt((expected * (1 - expected) * coordinates) / ranks.length);
  return { observed: inside / ranks.length, expected, band: [expected - reach, expected + reach] };
}

/**
 * Ranks in bins of equal width, and chi^2 = sum (counts - e)^2 / e (bins - 1 degrees of freedom for independent ranks).
 * @param options bins: a divisor of count + 1; absent: the largest up to 10
 */
export function rankHistogram(options: {
  readonly ranks: ArrayLike<number>;
  readonly count: number;
  readonly bins?: number;
}): { counts: Int32Array; bins: number; chi2: number } {
  const call = "rankHistogram";
  checkKeys(call, options, { ranks: true, count: true, bins: true });
  const { ranks, count } = options;
  checkRanks(call, ranks, count);
  const divisor = Array.from({ length: 10 }, (_, i) => 10 - i).find((b) => (count + 1) % b === 0)!;
  const bins = options.bins ?? divisor;
  positive(call, "bins", bins);
  if ((count + 1) % bins !== 0)
    throw bad(`${call}: bins must divide ${count + 1} (samples and one), got ${bins}: take ${divisor}.`);
  const counts = new Int32Array(bins);
  const width = (count + 1) / bins;
  for (let i = 0; i < ranks.length; i++) counts[Math.floor(ranks[i]! / width)]!++;
  const e = ranks.length / bins;
  return { counts, bins, chi2: counts.reduce((sum, c) => sum + (c - e) ** 2 / e, 0) };
}

/**
 * How far the samples' means are from the exact posterior means: the mean square, divided by the mean exact variance.
 * @param options mean, variance: of the exact posterior, cases x coordinates
 * @returns gap: as it is; corrected: each square less the samples' own variance / count, so that exact draws give 0 on average
 */
export function mmseGap(
  options: SampleSet & { readonly mean: ArrayLike<number>; readonly variance: ArrayLike<number> },
): { gap: number; corrected: number } {
  const call = "mmseGap";
  checkKeys(call, options, { samples: true, count: true, coordinates: true, mean: true, variance: true });
  const { mean, variance } = options;
  casesOf(call, options, mean, "mean");
  if (variance.length !== mean.length)
    throw bad(`${call}: variance holds ${variance.length} values and mean ${mean.length}: one each is needed.`);
  const own = moments(options);
  let [gap, corrected, exact] = [0, 0, 0];
  for (let at = 0; at < mean.length; at++) {
    const square = (own.mean[at]! - mean[at]!) ** 2;
    gap += square;
    corrected += square - own.variance[at]! / options.count;
    exact += variance[at]!;
  }
  if (!(exact > 0)) throw bad(`${call}: the exact variance must be positive somewhere.`);
  return { gap: gap / exact, corrected: corrected / exact };
}

/**
 * By how much the samples' standard deviations have to be multiplied to fit the errors of their means:
 * sqrt( sum (truth - mean)^2 / sum variance (1 + 1/count) ), sums over cases and coordinates. Above 1: too narrow.
 */
export function calibrationFactor(options: SampleSet & { readonly truths: ArrayLike<number> }): number {
  const call = "calibrationFactor";
  checkKeys(call, options, { samples: true, truths: true, count: true, coordinates: true });
  const { truths, count } = options;
  casesOf(call, options, truths);
  if (count < 2) throw bad(`${call}: at least 2 samples per case are needed for a variance, got ${count}.`);
  const { mean, variance } = moments(options);
  let [errors, spread] = [0, 0];
  for (let at = 0; at < truths.length; at++) {
    errors += (truths[at]! - mean[at]!) ** 2;
    spread += variance[at]! * (1 + 1 / count);
  }
  return Math.sqrt(errors / spread);
}

/** Mean and unbiased variance of the samples, cases x coordinates; the variance of a single sample is 0. */
function moments({ samples, count, coordinates }: SampleSet): { mean: Float64Array; variance: Float64Array } {
  const cases = samples.length / (count * coordinates);
  const mean = new Float64Array(cases * coordinates);
  const variance = new Float64Array(cases * coordinates);
  for (let at = 0; at < mean.length; at++) {
    const first = Math.floor(at / coordinates) * count * coordinates + (at % coordinates);
    let sum = 0;
    for (let n = 0; n < count; n++) sum += samples[first + n * coordinates]!;
    mean[at] = sum / count;
    let squares = 0;
    for (let n = 0; n < count; n++) squares += (samples[first + n * coordinates]! - mean[at]!) ** 2;
    variance[at] = count > 1 ? squares / (count - 1) : 0;
  }
  return { mean, variance };
}

/** The number of cases. `other` has one row of coordinates per case. */
function casesOf(call: string, set: SampleSet, other: ArrayLike<number>, name = "truths"): number {
  const { samples, count, coordinates } = set;
  positive(call, "count", count);
  positive(call, "coordinates", coordinates);
  const one = count * coordinates;
  if (samples.length === 0 || samples.length % one !== 0)
    throw bad(
      `${call}: samples holds ${samples.length} values, no positive multiple of ${count} x ${coordinates} of a case.`,
    );
  const cases = samples.length / one;
  if (other.length !== cases * coordinates)
    throw bad(`${call}: ${name} holds ${other.length} values where ${cases} cases have ${cases * coordinates}.`);
  finite(call, "samples", samples);
  return cases;
}

function checkRanks(call: string, ranks: ArrayLike<number>, count: number): void {
  positive(call, "count", count);
  if (ranks.length === 0) throw bad(`${call}: ranks is empty: give at least one.`);
  for (let i = 0; i < ranks.length; i++) {
    const rank = ranks[i]!;
    if (!Number.isInteger(rank) || rank < 0 || rank > count)
      throw bad(`${call}: ranks holds ${rank} at index ${i}: among ${count} samples a rank is 0 to ${count}.`);
  }
}

function positive(call: string, name: string, value: number): void {
  if (!Number.isInteger(value) || value < 1) throw bad(`${call}: ${name} must be a positive integer, got ${value}.`);
}

function finite(call: string, name: string, values: ArrayLike<number>): void {
  for (let i = 0; i < values.length; i++)
    if (!Number.isFinite(values[i]))
      throw bad(`${call}: ${name} holds ${values[i]} at index ${i}: every value must be finite.`);
}
