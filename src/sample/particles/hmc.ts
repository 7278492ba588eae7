import { EXTRA } from "../../../kernels/lib/hmc.js";
import { tallyTaken } from "../../../kernels/sampling/tally-taken/kernel.js";
import { bad, checkKeys } from "../../errors.js";
import type { Density } from "./density.js";
import { type Box, checkDensity, clampOf, type Given, rowsOfGiven } from "./given.js";
import { Particles } from "./particles.js";
import { betasOf, integerOf, numberOf, seedOf } from "./settings.js";

export interface HmcTransitionInput {
  /** Unobserved coordinates, rows x unobserved (ascending), inside of the box. */
  readonly x: Float32Array;
  /** What is observed: values for all rows, or one row of values per row of x. Absent: nothing. */
  readonly given?: Given;
  /** sigma_s of phi / sigma_s^2. Default: the model's sigma(0). */
  readonly sigma?: number;
  /** Inverse temperature. Default 1. */
  readonly beta?: number;
  /** Step size. Default sigma_s / sqrt(beta). */
  readonly step?: number;
  /** Steps, one gradient each. Default 2. */
  readonly leapfrog?: number;
  readonly box?: Box;
  /** Standard normal values shaped like x; absent: drawn. */
  readonly momentum?: Float32Array;
  /** One uniform value in [0, 1) per row; absent: drawn. */
  readonly uniforms?: Float32Array;
  /** Of the first row, where momenta and uniforms are drawn; the next rows have the next seeds. Default 0. */
  readonly seed?: number;
}

export interface HmcTransitionResult {
  /** After the transition, shaped like the given x. */
  readonly x: Float32Array;
  /** Where the trajectory ended, shaped like x. */
  readonly proposal: Float32Array;
  /** Per row: gain in log density of position and momentum; -Infinity where the proposal left the box. */
  readonly gain: Float32Array;
  /** Per row. */
  readonly accepted: boolean[];
  /** Per row: phi / sigma^2 at the new x. */
  readonly logDensity: Float32Array;
}

/**
 * One transition of Hamiltonian Monte Carlo with unit masses (Neal 2011) that leaves exp(beta phi / sigma^2) invariant inside of
 * the box, the observed coordinates clamped.
 * @throws BAD_ARGUMENT, OUT_OF_MEMORY, NOT_FINITE (phi at x)
 */
export async function hmcTransition(model: Density, input: HmcTransitionInput): Promise<HmcTransitionResult> {
  const call = "hmcTransition";
  checkKeys(call, input, {
    x: true,
    given: true,
    sigma: true,
    beta: true,
    step: true,
    leapfrog: true,
    box: true,
    momentum: true,
    uniforms: true,
    seed: true,
  });
  checkDensity(call, model);
  const { x, given, momentum, uniforms } = input;
  if (!(x instanceof Float32Array)) throw bad(`${call}: x must be a Float32Array of rows of unobserved coordinates.`);
  const observed = given?.indices.length ?? 0;
  const own = given === undefined || rowsOfGiven(call, given, observed).length === 1;
  const width = model.dims - observed;
  const rows = x.length / Math.max(1, width);
  if (!(Number.isInteger(rows) && rows > 0))
    throw bad(`${call}: x holds ${x.length} values, which are no rows of ${width}, the unobserved coordinates.`);
  // Rows with values of their own are runs of one particle.
  const [runs, particles] = own ? [1, rows] : [rows, 1];
  const clamp = clampOf(call, model, { given, box: input.box, runs });
  const sigma = numberOf(call, "sigma", input.sigma ?? model.config.sigma_min, { above: 0 });
  const beta = numberOf(call, "beta", input.beta ?? 1, { above: 0 });
  const step = numberOf(call, "step", input.step ?? sigma / Math.sqrt(beta), { above: 0 });
  const leapfrog = integerOf(call, "leapfrog", input.leapfrog ?? 2, 1, 100_000);
  checkStart(call, x, clamp);
  if ((momentum === undefined) !== (uniforms === undefined))
    throw bad(`${call}: give both momentum and uniforms, or neither.`);
  for (const [name, values, length] of [
    ["momentum", momentum, x.length],
    ["uniforms", uniforms, rows],
  ] as const)
    if (values !== undefined && values.length !== length)
      throw bad(`${call}: ${name} holds ${values.length} values where ${length} are needed.`);
  const options = { what: call, clamp, particles, sigma, seed: seedOf(call, input.seed) };
  return Particles.during(model, options, async (its) => {
    const points = its.points("particles");
    await its.place(points, x);
    its.begin({ beta, step });
    const work = its.work();
    const draws = momentum &&
      uniforms && {
        momentum: its.upload("given momenta", Float32Array.from(momentum)),
        uniforms: its.upload("given uniforms", Float32Array.from(uniforms)),
      };
    await its.run.submit(await its.transition(points, { leapfrog, moves: 1, transition: 0 }, work, draws));
    const m = await its.run.gpu.readF32(work.m, rows * (width + EXTRA));
    const taken = new Uint32Array(await its.run.gpu.read(work.taken, 4 * rows));
    const phi = await its.run.gpu.readF32(points.phi, rows);
    return {
      x: await its.gather(points.x),
      proposal: await its.gather(its.session.x),
      gain: Float32Array.from({ length: rows }, (_, i) => {
        const gain = m[i * (width + EXTRA) + width]!;
        return gain < -2e38 ? Number.NEGATIVE_INFINITY : gain;
      }),
      accepted: Array.from(taken, (v) => v === 1),
      logDensity: phi.map((v) => v * its.scale),
    };
  });
}

/** Every particle begins inside of the box. */
function checkStart(call: string, x: Float32Array, { free, low, high }: ReturnType<typeof clampOf>): void {
  const at = x.findIndex((v, i) => !(v >= low[i % free.length]! && v <= high[i % free.length]!));
  if (at < 0) return;
  const j = at % free.length;
  throw bad(
    `${call}: x of row ${Math.floor(at / free.length)} has coordinate ${free[j]} at ${x[at]}, outside of the box, ${low[j]} to ${high[j]}.`,
  );
}

export interface HmcOptions {
  readonly given?: Given;
  /** Chains of a run. Default 1024. */
  readonly particles?: number;
  readonly runs?: number;
  readonly sigma?: number;
  /** Transitions. Default 100. */
  readonly steps?: number;
  /** Inverse temperature: one number, or one per transition. Default 1. */
  readonly beta?: number | ArrayLike<number>;
  /** Default 10. */
  readonly leapfrog?: number;
  /** The step size is kappa sigma_s / sqrt(beta). Default 0.7, or 1 for up to 4 steps of the leapfrog. */
  readonly kappa?: number;
  readonly box?: Box;
  /** Where the chains start, runs x particles x unobserved. Default: uniform in the box. */
  readonly x?: Float32Array;
  readonly seed?: number;
  readonly signal?: AbortSignal;
}

export interface ChainResult {
  /** The chains' last states, runs x particles x unobserved coordinates (in ascending order). */
  readonly samples: Float32Array;
  /** Share of accepted transitions of every run. */
  readonly acceptance: Float64Array;
  /** Gradients of phi per particle. */
  readonly evaluations: number;
}

/**
 * Independent chains of Hamiltonian Monte Carlo, the observed coordinates clamped; the result is their last states. They explore
 * one mode each unless `beta` begins small: for several modes `sampleSmc` is the better choice.
 * @throws BAD_ARGUMENT, OUT_OF_MEMORY, NOT_FINITE
 */
export async function sampleHmc(model: Density, options: HmcOptions = {}): Promise<ChainResult> {
  const call = "sampleHmc";
  checkKeys(call, options, {
    given: true,
    particles: true,
    runs: true,
    sigma: true,
    steps: true,
    beta: true,
    leapfrog: true,
    kappa: true,
    box: true,
    x: true,
    seed: true,
    signal: true,
  });
  checkDensity(call, model);
  const { particles = 1024, x, signal } = options;
  const clamp = clampOf(call, model, options);
  const sigma = numberOf(call, "sigma", options.sigma ?? model.config.sigma_min, { above: 0 });
  const steps = integerOf(call, "steps", options.steps ?? 100, 1, 1_000_000);
  const betas = betasOf(call, options.beta ?? 1, steps);
  const leapfrog = integerOf(call, "leapfrog", options.leapfrog ?? 10, 1, 1000);
  const kappa = numberOf(call, "kappa", options.kappa ?? (leapfrog > 4 ? 0.7 : 1), { above: 0 });
  const rows = clamp.runs * particles;
  if (x !== undefined) {
    if (x.length !== rows * clamp.free.length)
      throw bad(`${call}: x holds ${x.length} values where ${rows * clamp.free.length} are needed.`);
    checkStart(call, x, clamp);
  }
  const cap = Math.min(...clamp.low.map((low, j) => clamp.high[j]! - low)) / 4;
  const its_ = { what: call, clamp, particles, sigma, seed: seedOf(call, options.seed) };
  return Particles.during(model, its_, async (its) => {
    const points = its.points("particles");
    await its.place(points, x);
    const work = its.work();
    const chain = await its.transition(points, { leapfrog, moves: 1, transition: 0 }, work);
    // Accepted transitions of every run, summed where they are.
    const tally = its.upload("tally", new Float32Array(clamp.runs));
    const counting = { runs: clamp.runs, particles, slots: 1, first: false };
    chain.push(await its.run.stage("tally", tallyTaken, counting, { taken: work.taken, state: its.state, tally }));
    for (let k = 0; k < steps; k++) {
      signal?.throwIfAborted();
      const beta = betas[k]!;
      its.begin({ beta, step: Math.min(cap, (kappa * sigma) / Math.sqrt(beta)), count: k });
      await its.run.submit(chain);
    }
    const accepted = await its.run.gpu.readF32(tally, clamp.runs);
    const acceptance = Float64Array.from(accepted, (sum) => sum / (particles * steps));
    return { samples: await its.gather(points.x), acceptance, evaluations: 1 + steps * leapfrog };
  });
}
