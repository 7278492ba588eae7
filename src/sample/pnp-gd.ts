import { ema } from "../../kernels/sampling/ema/kernel.js";
import { bad, checkKeys, NcvsdError } from "../errors.js";
import { requireRoom } from "../networks/inputs.js";
import type { GenerativeDenoiser, Labels } from "../networks/session.js";
import { checkPositive, countOf, volume } from "../operators/check.js";
import type { Operator, UlaOptions } from "../operators/operator.js";
import { watched } from "../operators/own.js";
import type { NoiseCallback } from "../random/noise.js";
import { ULA } from "./langevin.js";
import { openLikelihood } from "./likelihood.js";
import type { SampleResult, StepEvent } from "./multi-step.js";
import { openPrior } from "./prior.js";
import { Run } from "./run.js";
import { evaluatedSteps, noiseLevels } from "./schedule.js";

export interface SolveInverseOptions {
  /** What was measured: one of `operators`, or your own. */
  readonly operator: Operator;
  /** y = A(x) + noise: N times the operator's measurementShape. */
  readonly measurement: Float32Array;
  /** Energy strength: 2 * (measurement noise)^2, or tuned. Absent: from `sigmaY`. */
  readonly beta?: number;
  /** Standard deviation of the measurement's noise with images on [-1, 1]; only used without `beta`. */
  readonly sigmaY?: number;
  /** One class per measurement or per sample, or N * runs rows of weights (or one row); absent: the all-zeros label. */
  readonly labels?: Labels;
  /** The annealing schedule, descending; absent: made from the next four. N levels give N - 1 iterations. */
  readonly sigmas?: ArrayLike<number>;
  /** Number of levels, default 50. */
  readonly steps?: number;
  /** Default 0.002. */
  readonly sigmaMin?: number;
  /** Default 80. */
  readonly sigmaMax?: number;
  /** Default 2. */
  readonly rho?: number;
  /** Average the samples of the levels strictly below; default infinity. */
  readonly emaSigma?: number;
  /** mu in x0 <- mu x0 + (1 - mu) x, 0 to 1; default 0: the last sample as it is. */
  readonly emaDecay?: number;
  /** Time steps of a multi-step prior (as in sampleMultiStep); absent: one evaluation per level. */
  readonly ts?: readonly number[] | null;
  /** Share of fresh noise in the multi-step prior, 0 to 1; default 1. */
  readonly zeta?: number;
  /** Langevin dynamics in the likelihood step of operators without a closed form; default: the paper's settings. */
  readonly ula?: UlaOptions | null;
  /** Langevin dynamics even where the operator has a closed form; default false. */
  readonly langevin?: boolean;
  /** Independent samples per measurement, default 1. Sample r of measurement n is image n * runs + r. */
  readonly runs?: number;
  /** One per sample (N * runs), integers 0 to 2^32-1; default 0, 1, 2, … */
  readonly seeds?: ArrayLike<number>;
  /** Replaces the generator: u, then per level the prior's draws and those of the likelihood step. */
  readonly noise?: NoiseCallback;
  readonly onStep?: (event: PnpStepEvent) => void | Promise<void>;
  /** When values stop being finite, name the network's node. */
  readonly debug?: boolean;
}

/** `preview` gives the running average x0. */
export interface PnpStepEvent extends StepEvent {
  /** The prior's sample of this level. Reads back. */
  sample(): Promise<Float32Array>;
  /** The input of the next level; not there after the last. Reads back. */
  next?(): Promise<Float32Array>;
}

export interface SolveInverseResult extends SampleResult {
  /** Network evaluations per image. */
  readonly evaluations: number;
}

/**
 * Plug-and-play inverse problem solving with a generative denoiser (PnP-GD; NCVSD, Algorithm 1):
 *
 *     u = sigma_0 z
 *     for i = 0 … N-2:  x ~ G(u, sigma_i)                                    the prior, one or several evaluations
 *                       x0 = mu x0 + (1 - mu) x  if sigma_i < sigma_ema, else x      (the first x as it is)
 *                       u ~ exp(-||A(u) - y||^2 / beta) N(u; x, sigma_{i+1}^2)       the likelihood
 *
 * All state stays on the GPU. With recorded `noise` a run of the reference is replayed, the draws of the last
 * likelihood step included, although its result is not used and it is not computed.
 * @throws NcvsdError BAD_ARGUMENT, NOT_FINITE (naming the level), OUT_OF_MEMORY, DEVICE_LOST
 */
export async function solveInverse(
  model: GenerativeDenoiser,
  options: SolveInverseOptions,
): Promise<SolveInverseResult> {
  checkKeys("solveInverse", options, KNOWN);
  if (options.ula) checkKeys("solveInverse: ula", options.ula, ULA);
  const { measurement, emaSigma = Number.POSITIVE_INFINITY, emaDecay = 0, zeta = 1 } = options;
  const beta = betaOf(options);
  const { runs = 1, seeds, noise, onStep, debug = false } = options;
  const operator = watched(options.operator);
  const levels = levelsOf(options);
  const batch = checkOptions(model, operator, options) * runs;
  const ts = options.ts ? evaluatedSteps(options.ts) : undefined;
  const iterations = levels.length - 1;

  return Run.during<SolveInverseResult>(model, { what: "PnP-GD", batch, seeds, noise }, async (run) => {
    const { gpu, total } = run;
    const prior = await openPrior(model, run, { labels: labelsOf(options, batch), ts, zeta });
    const y = repeated(measurement, volume(operator.measurementShape), runs);
    const { ula, langevin = false } = options;
    const likelihood = await openLikelihood(run, operator, { y, beta, ula: ula ?? undefined, langevin });
    const x0 = run.buffer("x0");
    const decay = run.buffer("decay", 1);
    const average = await run.stage("ema", ema, { elements: total }, { x: prior.x0, decay, average: x0 });
    const watchSample = await run.watch(prior.x0);
    const watchU = await run.watch(likelihood.u);
    const read = (buffer: GPUBuffer) => () => run.read(buffer);

    // u = sigma_0 z
    await run.start(prior.observed, levels[0]!);

    for (let i = 0; i < iterations; i++) {
      const level = levels[i]!;
      const next = levels[i + 1]!;
      const last = i === iterations - 1;

      // Prior step and running average.
      run.fill(prior.observedSigma, level);
      watchSample.begin(i + 1);
      await prior.sample({}, level);
      gpu.write(decay, Float32Array.of(i > 0 && level < emaSigma ? emaDecay : 0));
      await run.submit([watchSample.stage, average], [[prior.x0, likelihood.centre]]);

      // Likelihood step towards the next level.
      if (last) {
        likelihood.skip();
      } else {
        await likelihood.run(next);
        watchU.begin(i + 1);
        await run.submit([watchU.stage], [[likelihood.u, prior.observed]]);
      }

      // One small read-back per level: an error is told at once, and the callback tells of work done.
      const locate = debug ? () => prior.locateNonFinite() : undefined;
      await watchSample.verify(`The prior step at noise level ${show(level)}`, iterations, locate);
      if (!last) await watchU.verify(`The likelihood step towards noise level ${show(next)}`, iterations);
      await onStep?.({
        step: i + 1,
        steps: iterations,
        sigma: level,
        preview: read(x0),
        sample: read(prior.x0),
        ...(last ? {} : { next: read(likelihood.u) }),
      });
    }
    return { images: await read(x0)(), shape: [batch, ...model.shape], evaluations: iterations * prior.evaluations };
  }).catch((error: unknown) => {
    throw blamed(error, measurement);
  });
}

const KNOWN = {
  operator: true,
  measurement: true,
  beta: true,
  sigmaY: true,
  labels: true,
  sigmas: true,
  steps: true,
  sigmaMin: true,
  sigmaMax: true,
  rho: true,
  emaSigma: true,
  emaDecay: true,
  ts: true,
  zeta: true,
  ula: true,
  langevin: true,
  runs: true,
  seeds: true,
  noise: true,
  onStep: true,
  debug: true,
} as const;

function betaOf({ beta, sigmaY }: SolveInverseOptions): number {
  if (beta === undefined && sigmaY !== undefined) return 2 * checkPositive("solveInverse", "sigmaY", sigmaY) ** 2;
  return checkPositive("solveInverse", "beta", beta);
}

/** Values that are not finite come of a measurement that has some: that is the thing to tell. */
function blamed(error: unknown, measurement: Float32Array): unknown {
  const at = measurement.findIndex((v) => !Number.isFinite(v));
  if (at < 0 || !(error instanceof NcvsdError && error.code === "NOT_FINITE")) return error;
  const why = "everything that the operator looks at must be finite";
  return new NcvsdError("NOT_FINITE", `measurement holds ${measurement[at]} at index ${at}: ${why}.`, { cause: error });
}

function show(level: number): string {
  return String(Number(level.toPrecision(6)));
}

/** The annealing schedule in single precision. */
function levelsOf(options: SolveInverseOptions): Float32Array {
  const { sigmas, steps = 50, sigmaMin = 0.002, sigmaMax = 80, rho = 2 } = options;
  const levels = Float32Array.from(sigmas ?? noiseLevels({ steps, sigmaMin, sigmaMax, rho }));
  if (levels.length < 2)
    throw bad(
      `The annealing schedule has ${levels.length} levels: at least 2 are needed (N levels give N - 1 iterations).`,
    );
  levels.forEach((level, i) => {
    if (!(level > 0 && Number.isFinite(level)))
      throw bad(`Level ${i} of the annealing schedule is ${level}: levels must be positive and finite.`);
    if (i > 0 && level >= levels[i - 1]!)
      throw bad(`The annealing schedule must descend strictly: level ${i} is ${level} after ${levels[i - 1]}.`);
  });
  return levels;
}

/** @returns the number of measurements */
function checkOptions(model: GenerativeDenoiser, operator: Operator, options: SolveInverseOptions): number {
  const { measurement, emaSigma = Number.POSITIVE_INFINITY, emaDecay = 0, zeta = 1, runs = 1 } = options;
  if (operator.shape.join() !== model.shape.join()) {
    throw bad(
      `The operator is for images of ${operator.shape.join(" x ")}, the network makes ${model.shape.join(" x ")}: they must agree.`,
    );
  }
  const count = countOf("measurement", measurement, volume(operator.measurementShape), operator.measurementShape);
  if (!(emaDecay >= 0 && emaDecay <= 1)) throw bad(`emaDecay must be from 0 to 1, got ${emaDecay}.`);
  if (!(emaSigma >= 0)) throw bad(`emaSigma must not be negative, got ${emaSigma}.`);
  if (!(zeta >= 0 && zeta <= 1)) throw bad(`zeta must be from 0 to 1, got ${zeta}.`);
  if (!Number.isInteger(runs) || runs < 1) throw bad(`runs must be a positive integer, got ${runs}.`);
  requireRoom(model, count * runs);
  return count;
}

/** Labels given per measurement hold for each of its runs. */
function labelsOf({ labels, runs = 1 }: SolveInverseOptions, batch: number): Labels | undefined {
  if (labels === undefined || labels instanceof Float32Array || labels.length !== batch / runs) return labels;
  return Array.from(labels).flatMap((label) => Array<number>(runs).fill(label));
}

/** Each item of `one` values `times` times in a row. */
function repeated(values: Float32Array, one: number, times: number): Float32Array {
  if (times === 1) return values;
  const result = new Float32Array(values.length * times);
  for (let n = 0; n * one < values.length; n++) {
    for (let r = 0; r < times; r++) result.set(values.subarray(n * one, (n + 1) * one), (n * times + r) * one);
  }
  return result;
}
