import { bad } from "../errors.js";
import { posteriorSamplers } from "../sample/posterior/samplers.js";
import type { Settings } from "../sample/samplers.js";
import type { SolveInverseOptions } from "../sample/solve-inverse.js";
import { solveInverse } from "../sample/solve-inverse.js";
import { directionsOf } from "./directions.js";
import { distances, type Figure, type Judge, type Judgement, judged } from "./judged.js";
import type { KnownCase, KnownProblem } from "./problem.js";
import { joined } from "./rows.js";
import { verdictOf } from "./verdict.js";

/** A sampler with settings of its own, under a name for the page. */
export interface Entrant {
  readonly label: string;
  readonly sampler: SolveInverseOptions["sampler"] & string;
  readonly settings: Settings;
  /** The settings for another number of steps; absent: the same with `steps`. */
  atSteps?(steps: number): Settings;
}

export interface CalibrationOptions {
  readonly problem: KnownProblem;
  readonly entrants: readonly Entrant[];
  /** Truths, each with one measurement. */
  readonly cases: number;
  /** Samples of each sampler per measurement. */
  readonly runs: number;
  readonly seed: number;
  /** Also with a quarter, half and twice the steps. */
  readonly curve: boolean;
  /** Images at a time at most. */
  readonly batch: number;
  /** Images that were sampled since the last call. */
  readonly onProgress?: (images: number) => void;
}

/** What came of one sampler. */
export interface Entry {
  readonly label: string;
  readonly sampler: string;
  /** As the run had them. */
  readonly settings: Settings;
  /** Of the network, per image. */
  readonly evaluations: number;
  readonly derivatives: number;
  readonly seconds: number;
  readonly judgement: Judgement;
  readonly passed: boolean;
  readonly verdict: string;
  /** Sliced W1 by evaluations, of fewer cases. */
  readonly curve: readonly { readonly evaluations: number; readonly slicedW1: Figure }[];
}

export interface Calibration {
  readonly prior: string;
  readonly cases: number;
  readonly runs: number;
  readonly seed: number;
  readonly sigmaY: number;
  /** Mean effective number of pictures of a posterior; undefined for densities. */
  readonly ess: number | undefined;
  /** Numbers of directions; undefined: A has no singular vectors that are known. */
  readonly directions: { readonly measured: number; readonly blind: number } | undefined;
  /** Exact draws, judged like a sampler: unless they pass, nothing else counts. */
  readonly control: { readonly judgement: Judgement; readonly passed: boolean; readonly verdict: string };
  readonly entries: readonly Entry[];
}

/** Shares of the steps that the curve is measured at, beside all of them, and on how many cases at most. */
const SHARES = [0.25, 0.5, 2];
const CURVE_CASES = 50;
const LEAST_STEPS = 4;

/** Images that `calibrate` samples: what its progress counts to. */
export function imagesOf({ problem, entrants, cases, runs, curve }: CalibrationOptions): number {
  const more = (entrant: Entrant) => (curve ? variantsOf(problem, entrant).length * Math.min(cases, CURVE_CASES) : 0);
  return entrants.reduce((sum, entrant) => sum + (cases + more(entrant)) * runs, 0);
}

/**
 * Runs samplers on measurements whose posterior is known, and judges their draws: by ranks of the truths, by the exact posterior's
 * moments and densities, and beside exact draws.
 */
export async function calibrate(options: CalibrationOptions): Promise<Calibration> {
  const { problem, entrants, runs, seed } = options;
  if (runs < 4) throw bad(`calibrate: at least 4 runs are needed to tell ranks apart, got ${runs}.`);
  const cases = await problem.cases(options.cases, seed);
  const directions = await directionsOf(problem);
  const drawn = (from: number) =>
    joined(cases.map((c, i) => c.draw(runs, (seed * 7919 + from * 1_000_003 + i) % 2 ** 32)));
  const judge: Judge = { problem, cases, runs, directions, exact: drawn(1), others: drawn(2) };
  const control = await judged(judge, judge.exact);
  const few: Judge = firstCases(judge, Math.min(cases.length, CURVE_CASES));
  const entries: Entry[] = [];
  for (const entrant of entrants) {
    const started = performance.now();
    const found = await sampled(options, entrant.sampler, entrant.settings, cases);
    const seconds = (performance.now() - started) / 1000;
    const judgement = await judged(judge, found.images);
    const { passed, line } = verdictOf(judgement);
    const own = found.images.subarray(0, few.exact.length);
    const curve = [{ evaluations: found.evaluations, slicedW1: distances(few, own) }];
    for (const settings of options.curve ? variantsOf(problem, entrant) : []) {
      const other = await sampled(options, entrant.sampler, settings, few.cases);
      curve.push({ evaluations: other.evaluations, slicedW1: distances(few, other.images) });
    }
    const { evaluations, derivatives } = found;
    entries.push({
      ...{ label: entrant.label, sampler: entrant.sampler, settings: found.settings },
      ...{ evaluations, derivatives, seconds, judgement, passed, verdict: line },
      curve: curve.sort((a, b) => a.evaluations - b.evaluations),
    });
  }
  const known = cases.flatMap(({ ess }) => ess ?? []);
  const measured = directions?.measured.filter(Boolean).length;
  const { passed, line } = verdictOf(control);
  return {
    ...{ prior: problem.prior, cases: cases.length, runs, seed, sigmaY: problem.sigmaY },
    ess: known.length > 0 ? known.reduce((a, b) => a + b, 0) / known.length : undefined,
    directions: directions && { measured: measured!, blind: directions.measured.length - measured! },
    control: { judgement: control, passed, verdict: line },
    entries,
  };
}

/** The settings with a quarter, half and twice the steps. Of levels that are given one by one there is nothing to multiply. */
function variantsOf(problem: KnownProblem, { sampler, settings, atSteps }: Entrant): Settings[] {
  const { steps, sigmas } = completed(problem, sampler, settings) as {
    steps?: unknown;
    sigmas?: ArrayLike<number> | null;
  };
  const count = atSteps && sigmas ? sigmas.length : steps;
  if (typeof count !== "number" || (sigmas && !atSteps)) return [];
  return SHARES.map((share) => Math.round(count * share))
    .filter((few) => few >= LEAST_STEPS)
    .map((few) => atSteps?.(few) ?? { ...settings, steps: few });
}

/** As a run has them. Exact priors have a mean: samplers that can take either take that. */
function completed({ operator }: KnownProblem, sampler: Entrant["sampler"], settings: Settings): Settings {
  const known = posteriorSamplers[sampler];
  const generative = !(known.architectures as readonly string[]).includes("edm2");
  return known.complete(settings, { operator, generative });
}

/** A sampler's images for each case, all runs of a case together. */
async function sampled(
  { problem, runs, seed, batch, onProgress }: CalibrationOptions,
  sampler: Entrant["sampler"],
  own: Settings,
  cases: readonly KnownCase[],
) {
  const { model, operator, sigmaY } = problem;
  const perCall = Math.max(1, Math.floor(Math.min(batch, model.largestBatch(batch)) / runs));
  const images: Float32Array[] = [];
  let [evaluations, derivatives] = [0, 0];
  for (let first = 0; first < cases.length; first += perCall) {
    const some = cases.slice(first, first + perCall);
    const seeds = Array.from({ length: some.length * runs }, (_, n) => (seed * 65_537 + first * runs + n) % 2 ** 32);
    const measurement = joined(some.map(({ y }) => y));
    const common = { sampler, operator, measurement, sigmaY, runs, seeds };
    const result = await solveInverse(model, { ...common, ...own } as SolveInverseOptions);
    images.push(result.images);
    ({ evaluations, derivatives } = result);
    onProgress?.(some.length * runs);
  }
  return { images: joined(images), evaluations, derivatives, settings: completed(problem, sampler, own) };
}

function firstCases(judge: Judge, count: number): Judge {
  const one = judge.exact.length / judge.cases.length;
  const part = (set: Float32Array) => set.subarray(0, count * one);
  return { ...judge, cases: judge.cases.slice(0, count), exact: part(judge.exact), others: part(judge.others) };
}
