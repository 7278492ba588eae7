import {
  type Coverage,
  calibrationFactor,
  coverage,
  densityRanks,
  mmseGap,
  rankHistogram,
  ranks,
} from "../evaluate/calibration.js";
import { slicedWasserstein } from "../evaluate/wasserstein.js";
import { squaredResiduals } from "../operators/baselines.js";
import { uniforms } from "../random/uniforms.js";
import { type Directions, projected } from "./directions.js";
import type { KnownCase, KnownProblem } from "./problem.js";
import { joined } from "./rows.js";

/** A figure, what a right sampler gives, and by how much that scatters. */
export interface Figure {
  readonly value: number;
  readonly expected: number;
  /** Standard error of the value with a right sampler. */
  readonly error: number;
}

/** Coverage at one level. */
export interface LevelCoverage extends Coverage {
  readonly level: number;
}

/** Figures of some coordinates. */
export interface Spread {
  readonly coordinates: number;
  readonly central: { readonly 50: Figure; readonly 90: Figure };
  /** What standard deviations have to be multiplied by. */
  readonly factor: Figure;
}

/** What was found about the samples of one sampler. */
export interface Judgement {
  readonly all: Spread;
  readonly hpd: { readonly 50: Figure; readonly 90: Figure };
  /** Squared error of the means over the posterior variance, less what a finite number of samples gives. */
  readonly gap: Figure;
  /** |A x - y| / (sigma_y sqrt m), root mean square. */
  readonly misfit: Figure;
  /** Sliced W1 to exact draws, in posterior deviations; expected: of other exact draws. */
  readonly slicedW1: Figure;
  readonly histogram: { readonly counts: readonly number[]; readonly bins: number; readonly chi2: number };
  readonly curves: { readonly central: readonly LevelCoverage[]; readonly hpd: readonly LevelCoverage[] };
  /** Directions that the measurement says something of, and the others; absent where A has no singular vectors. */
  readonly measured?: Spread;
  readonly blind?: Spread;
}

/** Cases with exact draws to compare with, twice the runs. */
export interface Judge {
  readonly problem: KnownProblem;
  readonly cases: readonly KnownCase[];
  readonly runs: number;
  readonly directions: Directions | undefined;
  /** cases x runs exact draws, and as many others. */
  readonly exact: Float32Array;
  readonly others: Float32Array;
}

/** Of the prior's deviation: smaller posterior deviations are taken for it when coordinates are made comparable. */
const FLOOR = 1e-2;
const LEVELS = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];
const PROJECTIONS = 24;

/** @param images cases x runs images, the runs of a case one after the other */
export async function judged(judge: Judge, images: Float32Array): Promise<Judgement> {
  const { problem, cases, runs, directions } = judge;
  const settled = await problem.settled(images);
  const truths = joined(cases.map(({ truth }) => truth));
  const dims = truths.length / cases.length;
  const all = spreadOf(settled, truths, runs, dims);
  const hpd = await densityRanksOf(judge, settled, truths);
  const mean = cases.flatMap((c) => Array.from(c.mean));
  const variance = cases.flatMap((c) => Array.from(c.std, (s) => s * s));
  const gapOf = (from: number, to: number) => {
    const part = (list: ArrayLike<number>, one: number) => Array.prototype.slice.call(list, from * one, to * one);
    const samples = part(images, runs * dims);
    const exact = { mean: part(mean, dims), variance: part(variance, dims) };
    return mmseGap({ samples, count: runs, coordinates: dims, ...exact }).corrected;
  };
  const own = await misfits(judge, images);
  const control = await misfits(judge, judge.exact);
  const share = (level: number) => covered(hpd, runs, level, "hpd", 1);
  const { counts, bins, chi2 } = rankHistogram({ ranks: all.ranks, count: runs });
  const curve = (list: Int32Array, kind: "central" | "hpd", coordinates: number) =>
    LEVELS.map((level) => ({ level, ...coverage({ ranks: list, count: runs, level, kind, coordinates }) }));
  const group = (wanted: boolean) => {
    if (!directions) return undefined;
    const [its, true_] = [projected(settled, directions, wanted), projected(truths, directions, wanted)];
    return its.coordinates === 0 ? undefined : spreadOf(its.values, true_.values, runs, its.coordinates).spread;
  };
  const [measured, blind] = [group(true), group(false)];
  return {
    all: all.spread,
    hpd: { 50: share(0.5), 90: share(0.9) },
    gap: { value: gapOf(0, cases.length), expected: 0, error: foldError(cases.length, gapOf) },
    misfit: {
      value: rootMean(own),
      expected: rootMean(control),
      error: errorOfMean(own.map((v, i) => v - control[i]!)) / (2 * rootMean(control)),
    },
    slicedW1: distances(judge, images),
    histogram: { counts: Array.from(counts), bins, chi2 },
    curves: { central: curve(all.ranks, "central", dims), hpd: curve(hpd, "hpd", 1) },
    ...(measured ? { measured } : {}),
    ...(blind ? { blind } : {}),
  };
}

/** The sliced W1 alone, for another number of evaluations. */
export function distances({ problem, cases, runs, exact, others }: Judge, images: Float32Array): Figure {
  const dims = images.length / (cases.length * runs);
  const floor = FLOOR * problem.deviation;
  const [own, theirs, control] = [images, others, exact].map((set) => whitened(cases, runs, set, floor));
  const options = { coordinates: dims, projections: PROJECTIONS };
  const expected = slicedWasserstein(control!, theirs!, options);
  // Of a distance between two samples the scatter is well below the distance.
  return { value: slicedWasserstein(own!, theirs!, options), expected, error: expected / 4 };
}

/** Each coordinate less the case's exact mean, over the exact deviation. */
function whitened(cases: readonly KnownCase[], runs: number, images: Float32Array, floor: number): Float64Array {
  const out = Float64Array.from(images);
  const dims = images.length / (cases.length * runs);
  cases.forEach(({ mean, std }, i) => {
    for (let at = i * runs * dims; at < (i + 1) * runs * dims; at++) {
      const d = at % dims;
      out[at] = (out[at]! - mean[d]!) / Math.max(std[d]!, floor);
    }
  });
  return out;
}

function spreadOf(samples: ArrayLike<number>, truths: ArrayLike<number>, runs: number, coordinates: number) {
  const next = uniforms(0, 5);
  const ties = Float64Array.from({ length: truths.length }, next);
  const list = ranks({ samples, truths, count: runs, coordinates, uniforms: ties });
  const cases = truths.length / coordinates;
  const factorOf = (from: number, to: number) =>
    calibrationFactor({
      samples: Array.prototype.slice.call(samples, from * runs * coordinates, to * runs * coordinates),
      truths: Array.prototype.slice.call(truths, from * coordinates, to * coordinates),
      ...{ count: runs, coordinates },
    });
  const share = (level: number) => covered(list, runs, level, "central", coordinates);
  const spread: Spread = {
    coordinates,
    central: { 50: share(0.5), 90: share(0.9) },
    factor: { value: factorOf(0, cases), expected: 1, error: foldError(cases, factorOf) },
  };
  return { spread, ranks: list };
}

function covered(list: Int32Array, count: number, level: number, kind: "central" | "hpd", coordinates: number): Figure {
  const { observed, expected } = coverage({ ranks: list, count, level, kind, coordinates });
  return { value: observed, expected, error: Math.sqrt((expected * (1 - expected) * coordinates) / list.length) };
}

async function densityRanksOf({ problem, cases, runs }: Judge, settled: Float32Array, truths: Float32Array) {
  const samples = await problem.densities(cases, settled, runs);
  const own = await problem.densities(cases, truths, 1);
  // Pictures of a set are drawn again and again: chance decides among equal ones.
  const next = uniforms(0, 6);
  const apart = (list: Float64Array) => list.map((v) => v + 1e-9 * Math.max(1, Math.abs(v)) * next());
  return densityRanks({ truths: apart(own), samples: apart(samples), count: runs });
}

/** Mean over a case's runs of |A x - y|^2 / (m sigma_y^2). */
async function misfits({ problem, cases, runs }: Judge, images: Float32Array): Promise<number[]> {
  const { operator, sigmaY, observed } = problem;
  const seen = await visible(problem);
  const y = joined(cases.flatMap((c) => Array<Float32Array>(runs).fill(c.y)));
  const squares = squaredResiduals(await operator.forward(images), y, cases.length * runs, seen);
  return cases.map((_, i) => {
    const its = squares.slice(i * runs, (i + 1) * runs);
    return its.reduce((a, b) => a + b, 0) / (runs * observed * sigmaY ** 2);
  });
}

/** Entries of y that count, where only some do. */
async function visible({ operator, observed }: KnownProblem): Promise<Float32Array | undefined> {
  const size = operator.measurementShape.reduce((a, b) => a * b, 1);
  if (observed === size) return undefined;
  const dims = operator.shape.reduce((a, b) => a * b, 1);
  return operator.forward(new Float32Array(dims).fill(1));
}

const FOLDS = 10;

/** Standard error of a figure of all cases, from its values on tenths of them. */
function foldError(cases: number, figure: (from: number, to: number) => number): number {
  const folds = Math.min(FOLDS, cases);
  const cut = (f: number) => Math.round((f * cases) / folds);
  return errorOfMean(Array.from({ length: folds }, (_, f) => figure(cut(f), cut(f + 1))));
}

function errorOfMean(values: readonly number[]): number {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const variance = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / Math.max(1, values.length - 1);
  return Math.sqrt(variance / values.length);
}

const rootMean = (squares: readonly number[]) => Math.sqrt(squares.reduce((a, b) => a + b, 0) / squares.length);
