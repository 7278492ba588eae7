import { bad, checkKeys, NcvsdError } from "../errors.js";
import type { Architecture } from "../networks/edm2/arguments.js";
import { requireRoom } from "../networks/inputs.js";
import type { Denoiser, GenerativeDenoiser, Labels } from "../networks/session.js";
import { checkPositive, countOf, volume } from "../operators/check.js";
import type { Operator, Solve } from "../operators/operator.js";
import { watched } from "../operators/own.js";
import type { NoiseCallback } from "../random/noise.js";
import { nameOf } from "./energy.js";
import type { LangevinOptions } from "./langevin.js";
import type { LevelOptions } from "./levels.js";
import type { SampleResult, StepEvent } from "./multi-step.js";
import type { Level, PosteriorSampler, Problem } from "./posterior/sampler.js";
import { isPosteriorSampler, type PosteriorSamplerName, posteriorSamplers } from "./posterior/samplers.js";
import { Run, type Views } from "./run.js";
import type { Settings } from "./samplers.js";

/** What a problem is, whatever the sampler. */
interface ProblemOptions {
  /** How it is solved, one of `samplers`; default "pnp-gd". */
  readonly sampler?: PosteriorSamplerName;
  /** What was measured: one of `operators`, or your own. */
  readonly operator: Operator;
  /** y = A(x) + noise: N times the operator's measurementShape. */
  readonly measurement: Float32Array;
  /** Standard deviation of the measurement's noise with images on [-1, 1]; default 0.05. pnp-gd with `beta`, daps and dps do not use it. */
  readonly sigmaY?: number;
  /** One class per measurement or per sample, or N * runs rows of weights (or one row); absent: the all-zeros label. */
  readonly labels?: Labels;
  /** Independent samples per measurement, default 1. Sample r of measurement n is image n * runs + r. */
  readonly runs?: number;
  /** One per sample (N * runs), integers 0 to 2^32-1; default 0, 1, 2, … */
  readonly seeds?: ArrayLike<number>;
  /** Replaces the generator: called once per draw of the whole batch, in the sampler's order. */
  readonly noise?: NoiseCallback;
  readonly onStep?: (event: PnpStepEvent) => void | Promise<void>;
  /** When values stop being finite, name the network's node. */
  readonly debug?: boolean;
  /** Stops the run within a step: its `reason` is thrown. */
  readonly signal?: AbortSignal;
}

/**
 * Every setting of every sampler; `samplers[name].settings` has those of one, with their defaults. A setting that the sampler
 * lacks is refused.
 */
export interface SolveInverseOptions extends ProblemOptions, LevelOptions {
  /** pnp-gd: energy strength, 2 * (measurement noise)^2, or tuned. Absent: 2 sigmaY^2. */
  readonly beta?: number;
  /** pnp-gd: average the samples of the levels strictly below; default infinity. */
  readonly emaSigma?: number;
  /** pnp-gd: mu in x0 <- mu x0 + (1 - mu) x, 0 to 1; default 0: the last sample as it is. */
  readonly emaDecay?: number;
  /** pnp-gd: time steps of a multi-step prior (as in sampleMultiStep); absent: one evaluation per level. */
  readonly ts?: readonly number[] | null;
  /** pnp-gd: Langevin dynamics in the likelihood step of operators without a closed form; default: the paper's settings. */
  readonly ula?: LangevinOptions | null;
  /** pnp-gd, pnp-dm: Langevin dynamics even where the operator has a closed form; default false. */
  readonly langevin?: boolean;
  /** Share of fresh noise, 0 to 1: of the solver "zeta", default 0.3; pnp-gd: in the multi-step prior, default 1. */
  readonly zeta?: number;
  /** How guided samplers go from level to level. */
  readonly solver?: "heun" | "ddim" | "zeta";
  /** Of the solver "ddim", 0 (deterministic) to 1 (ancestral); default 1. */
  readonly eta?: number;
  /** Of the solver "heun", as in sampleHeun. */
  readonly S_churn?: number;
  readonly S_min?: number;
  readonly S_max?: number;
  readonly S_noise?: number;
  /** Cut the conditional denoiser's estimate to [-1, 1]. */
  readonly clip?: boolean;
  /** diffpir: weight of the prior in the data step, r = s / sqrt(lambda). */
  readonly lambda?: number;
  /** dps: step size along the gradient of the misfit. */
  readonly strength?: number;
  /** mmps: GMRES steps, a derivative each. */
  readonly iterations?: number;
  /** type2, pigdm: standard deviation of images. */
  readonly sigmaPrior?: number;
  /** daps: the inner ODE. */
  readonly ode?: { readonly steps?: number; readonly sigmaMin?: number };
  /** daps: the inner MCMC; pnp-dm: `steps` and `step` of likelihood steps by Langevin dynamics. */
  readonly mcmc?: {
    readonly algorithm?: "langevin" | "hmc";
    readonly steps?: number;
    readonly step?: number;
    readonly tau?: number;
    readonly decay?: number;
    readonly momentum?: number;
  };
  /** daps: whose code is followed in the details. */
  readonly convention?: "daps" | "inversebench";
  /** pnp-dm: couplings max(end, start decay^k), k < steps. */
  readonly anneal?: { readonly start?: number; readonly decay?: number; readonly end?: number };
  /** pnp-dm: the inner diffusion. */
  readonly diffusion?: {
    readonly steps?: number;
    readonly sigmaMin?: number;
    readonly sigmaMax?: number;
    readonly rho?: number;
    readonly mode?: "sde" | "ode";
  };
}

/** `preview` gives the present estimate of x0: the running average (pnp-gd), D_y (guided samplers), the end of the MCMC (daps), x (pnp-dm). */
export interface PnpStepEvent extends StepEvent {
  /** What the network gave at this level. Reads back. */
  sample(): Promise<Float32Array>;
  /** The input of the next level, after the last the result; pnp-gd: not there after the last. Reads back. */
  next?(): Promise<Float32Array>;
  /** What the level's likelihood step took, where it is made by conjugate gradients. */
  readonly solve?: Solve;
}

export interface SolveInverseResult extends SampleResult {
  /** Network evaluations per image. */
  readonly evaluations: number;
  /** Vector-Jacobian products of the network per image. */
  readonly derivatives: number;
  /** Likelihood steps that stopped at the cap of their conjugate gradients and are less exact; absent where there are none of these. */
  readonly capped?: number;
}

/** Every option that is no setting of a sampler. */
const COMMON: { readonly [K in keyof Required<ProblemOptions>]: true } = {
  sampler: true,
  operator: true,
  measurement: true,
  sigmaY: true,
  labels: true,
  runs: true,
  seeds: true,
  noise: true,
  onStep: true,
  debug: true,
  signal: true,
};

/**
 * Draws or estimates x0 given y = A(x0) + sigmaY n with a network as the prior, by one of `samplers` (each has its file in
 * src/sample/posterior, with its paper and its equations). An EDM2 teacher gives the mean E[x0 | x], an NCVSD network draws of
 * p(x0 | x) in its place.
 * @throws NcvsdError BAD_ARGUMENT, NOT_FINITE (naming the level), OUT_OF_MEMORY, DEVICE_LOST; what `signal` was aborted with
 */
export async function solveInverse(
  model: Denoiser | GenerativeDenoiser,
  options: SolveInverseOptions,
): Promise<SolveInverseResult> {
  const { sampler, given } = chosen(options);
  const operator = watched(options.operator);
  const generative = checkCase(sampler, model, operator);
  const { measurement, runs = 1, seeds, noise, signal, onStep, debug = false } = options;
  const batch = checkProblem(model, operator, options) * runs;
  const settings = sampler.complete(given, { operator, generative });
  const { name } = sampler;

  return Run.during<SolveInverseResult>(model, { what: name, batch, seeds, noise, signal }, async (run) => {
    let seen = 0;
    const problem: Problem = {
      model: model as Denoiser & GenerativeDenoiser,
      ...{ generative, operator, debug },
      y: repeated(measurement, volume(operator.measurementShape), runs),
      sigmaY: options.sigmaY ?? 0.05,
      labels: labelsOf(options, batch),
      async step({ preview, sample, next, check, ...level }: Level) {
        const solve = run.solves[seen];
        seen = run.solves.length;
        const tell =
          onStep &&
          ((views: Views) =>
            onStep({
              ...level,
              ...(views as Required<Pick<PnpStepEvent, "preview" | "sample">>),
              ...(solve ? { solve } : {}),
            }));
        await run.step({ check, tell, shown: { preview, sample, next } });
      },
    };
    const images = await run.read(await sampler.run(run, problem, settings));
    const [evaluations, derivatives] = [sampler.evaluations(settings), sampler.derivatives(settings)];
    const { solves } = run;
    const capped = solves.length ? { capped: solves.filter(({ converged }) => !converged).length } : {};
    return { images, shape: [batch, ...model.shape], evaluations, derivatives, ...capped };
  }).catch((error: unknown) => {
    throw blamed(error, measurement);
  });
}

/** The sampler, and what of the options are its settings. */
function chosen(options: SolveInverseOptions): { sampler: PosteriorSampler; given: Settings } {
  const all = Object.values(posteriorSamplers).flatMap(({ settings }) => Object.keys(settings));
  const known = { ...COMMON, ...Object.fromEntries(all.map((name) => [name, true as const])) };
  checkKeys<Settings>("solveInverse", options as unknown as Settings, known);
  const { sampler: name = "pnp-gd" } = options;
  if (!isPosteriorSampler(name))
    throw bad(`sampler must be one of ${Object.keys(posteriorSamplers).join(", ")}, got ${String(name)}.`);
  const sampler: PosteriorSampler = posteriorSamplers[name];
  const given = Object.entries(options).filter(([key, value]) => value !== undefined && !Object.hasOwn(COMMON, key));
  const foreign = given.find(([key]) => !Object.hasOwn(sampler.settings, key));
  if (foreign)
    throw bad(
      `solveInverse: the sampler ${name} has no setting ${foreign[0]}: it has ${Object.keys(sampler.settings).join(", ")}.`,
    );
  return { sampler, given: Object.fromEntries(given) };
}

/** What a network gives: the mean E[x0 | x] ("edm2"), draws of p(x0 | x) ("ncvsd"), or both. */
function architecturesOf(model: Denoiser | GenerativeDenoiser): Architecture[] {
  const { architecture, openDenoiser, openGenerator } = (model ?? {}) as Partial<Denoiser & GenerativeDenoiser> & {
    readonly architecture?: Architecture;
  };
  if (architecture === "edm2" || architecture === "ncvsd") return [architecture];
  return [...(openDenoiser ? (["edm2"] as const) : []), ...(openGenerator ? (["ncvsd"] as const) : [])];
}

/** Which of its gifts the sampler takes: the mean where it can. */
function networkFor({ name, architectures }: PosteriorSampler, model: Denoiser | GenerativeDenoiser): Architecture {
  const there = architecturesOf(model);
  if (there.length === 0) throw bad("solveInverse: the first argument must be a network, as loadModel() gives it.");
  const taken = architectures.find((architecture) => there.includes(architecture));
  if (taken) return taken;
  const others = Object.values(posteriorSamplers).filter((other) =>
    other.architectures.some((architecture) => there.includes(architecture)),
  );
  const list = others.map((other) => other.name).join(", ");
  throw bad(
    architectures[0] === "edm2"
      ? `The sampler ${name} needs the mean E[x0 | x] of an EDM2 teacher, and an NCVSD network gives draws: ${list} take it.`
      : `The sampler ${name} needs the draws of an NCVSD network, and this is an EDM2 teacher: ${list} take it.`,
  );
}

/**
 * Can the sampler do with this network and this operator (a checked one: `watched`)?
 * @returns whether G takes the place of D
 * @throws NcvsdError BAD_ARGUMENT that names the samplers that can
 */
export function checkCase(
  sampler: PosteriorSampler,
  model: Denoiser | GenerativeDenoiser,
  operator: Operator,
): boolean {
  const generative = networkFor(sampler, model) === "ncvsd";
  requireOperator(sampler, operator, generative);
  return generative;
}

function requireOperator(sampler: PosteriorSampler, operator: Operator, generative: boolean): void {
  const lack = sampler.lacks(operator);
  if (!lack) return;
  const network: Architecture = generative ? "ncvsd" : "edm2";
  const would = Object.values<PosteriorSampler>(posteriorSamplers).filter(
    (other) => other.architectures.includes(network) && !other.lacks(operator),
  );
  const advice =
    would.length > 0
      ? `the samplers that would work are ${would.map(({ name }) => name).join(", ")}`
      : `no sampler can do with what the operator${nameOf(operator)} has`;
  throw bad(`The sampler ${sampler.name} needs ${lack}: ${advice}.`);
}

/** Values that are not finite come of a measurement that has some: that is the thing to tell. */
function blamed(error: unknown, measurement: Float32Array): unknown {
  const at = measurement.findIndex((v) => !Number.isFinite(v));
  if (at < 0 || !(error instanceof NcvsdError && error.code === "NOT_FINITE")) return error;
  const why = "everything that the operator looks at must be finite";
  return new NcvsdError("NOT_FINITE", `measurement holds ${measurement[at]} at index ${at}: ${why}.`, { cause: error });
}

/** @returns the number of measurements */
function checkProblem(model: Denoiser | GenerativeDenoiser, operator: Operator, options: SolveInverseOptions): number {
  const { measurement, sigmaY, runs = 1 } = options;
  if (operator.shape.join() !== model.shape.join()) {
    throw bad(
      `The operator is for images of ${operator.shape.join(" x ")}, the network makes ${model.shape.join(" x ")}: they must agree.`,
    );
  }
  const count = countOf("measurement", measurement, volume(operator.measurementShape), operator.measurementShape);
  // Of the pointwise laws, those of counts and of rounded values.
  const noiseless = sigmaY === 0 && (operator.withoutNoise ?? operator.law !== undefined);
  if (sigmaY !== undefined && !noiseless) checkPositive("solveInverse", "sigmaY", sigmaY);
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
