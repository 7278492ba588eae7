import { STATE, STATE_LENGTH, TRACE_LENGTH } from "../../../kernels/lib/run-state.js";
import { permuteRows } from "../../../kernels/sampling/permute-rows/kernel.js";
import { reweight } from "../../../kernels/sampling/reweight/kernel.js";
import { systematic } from "../../../kernels/sampling/systematic/kernel.js";
import { tallyTaken } from "../../../kernels/sampling/tally-taken/kernel.js";
import { temper } from "../../../kernels/sampling/temper/kernel.js";
import { bad, checkKeys, NcvsdError } from "../../errors.js";
import type { Encodable } from "../../graph/stage.js";
import type { Density } from "./density.js";
import { type Box, type Clamp, checkDensity, clampOf, type Given } from "./given.js";
import { Particles, type Points } from "./particles.js";
import { integerOf, numberOf, seedOf } from "./settings.js";

/**
 * The order of a temperature's work. `reweight`: increment, weights, resampling, moves at the new beta. `blackjax`: increment,
 * resampling by the previous weights, moves at the old beta, weights; the last ones are left unused, as in the authors' code,
 * without walls. `blackjax-old-sign`: also with the increment that the library found before May 2026. Both are there to compare.
 */
export type SmcOrder = "reweight" | "blackjax" | "blackjax-old-sign";

/** Replaces the generator: replays a recorded run. */
export interface SmcDraws {
  /** Where the unobserved coordinates start, runs x particles x unobserved. */
  readonly x0?: Float32Array;
  /** Per temperature one uniform in [0, 1), or one per run. */
  readonly systematic: readonly (number | ArrayLike<number>)[];
  /** Per temperature and move runs x particles x unobserved standard normal values. */
  readonly momentum: readonly (readonly Float32Array[])[];
  /** Per temperature and move runs x particles uniforms in [0, 1). */
  readonly uniforms: readonly (readonly Float32Array[])[];
}

export interface SmcOptions {
  /** What is observed. Absent: nothing. */
  readonly given?: Given;
  /** Of one run. Default 1024. */
  readonly particles?: number;
  /** Default: the rows of given.values. */
  readonly runs?: number;
  /** sigma_s of phi / sigma_s^2; below the model's own sigma(0) it cools. Default: sigma(0). */
  readonly sigma?: number;
  /** Share of the particles that the effective sample size may fall to at an increment. Default 0.75. */
  readonly tau?: number;
  /** Hamiltonian transitions per temperature. Default 2. */
  readonly moves?: number;
  /** Steps of a transition, one gradient each. Default 2. */
  readonly leapfrog?: number;
  /** The step size is kappa sigma_s / sqrt(beta). Default 1, or 0.7 for more than 4 steps. */
  readonly kappa?: number;
  /** A step size that stays the same, in place of kappa (blackjax: default 0.05). */
  readonly step?: number;
  /** Default: the model's own, or -3 to 3 for every coordinate. */
  readonly box?: Box;
  readonly order?: SmcOrder;
  /** Of the first run; the next runs have the next seeds. Default 0. */
  readonly seed?: number;
  readonly draws?: SmcDraws;
  readonly signal?: AbortSignal;
}

export interface SmcResult {
  /** Equally weighted, runs x particles x unobserved coordinates (in ascending order). */
  readonly samples: Float32Array;
  /**
   * Per run: log of the integral of exp(phi / sigma^2) over the box, divided by the box's volume. Of an exact log density it
   * estimates, with the log volume added, that of the observed values.
   */
  readonly logEvidence: Float64Array;
  /** Per temperature: beta of every run after it. A run that has ended stays at 1. */
  readonly betas: readonly Float64Array[];
  /** Per temperature: share of accepted transitions of every run; NaN after a run has ended. */
  readonly acceptance: readonly Float64Array[];
  /** Gradients of phi per particle, of the run with most temperatures. */
  readonly evaluations: number;
}

/** Temperatures that are launched before the host looks whether all runs have ended: no run here needs more in 50 dimensions. */
const LAUNCHED = 12;
/** Where an evaluation costs more than a look: on a processor. */
const LAUNCHED_ON_A_PROCESSOR = 2;
/** No run needs so many. */
const MOST_TEMPERATURES = 2000;
/** Where blackjax' particles start. */
const OPEN_START = 2.5;

interface Settings {
  readonly tau: number;
  readonly moves: number;
  readonly leapfrog: number;
  /** kappa sigma, or the step that stays the same. */
  readonly step: number;
  readonly fixed: boolean;
  readonly cap: number;
  readonly order: SmcOrder;
}

const KEYS: { readonly [K in keyof SmcOptions]-?: true } = {
  given: true,
  particles: true,
  runs: true,
  sigma: true,
  tau: true,
  moves: true,
  leapfrog: true,
  kappa: true,
  step: true,
  box: true,
  order: true,
  seed: true,
  draws: true,
  signal: true,
};

/**
 * Samples p(unobserved | observed) by adaptive tempered sequential Monte Carlo: from uniform in the box to exp(phi / sigma^2),
 * the observed coordinates clamped (Wedenig and Peharz, "Effective Diffusion-free Score Matching for Exact Conditional
 * Sampling", section 4; Del Moral et al. 2006). Increments by effective sample size, systematic resampling, Hamiltonian moves.
 * Many runs at once, each with its own temperatures; nothing comes back to the host within a run.
 * @throws NcvsdError BAD_ARGUMENT (a condition far outside of the box, nothing left to sample, draws that do not fit),
 *   OUT_OF_MEMORY, NOT_FINITE
 */
export async function sampleSmc(model: Density, options: SmcOptions = {}): Promise<SmcResult> {
  const call = "sampleSmc";
  checkKeys(call, options, KEYS);
  checkDensity(call, model);
  const { order = "reweight", particles = 1024, draws, signal } = options;
  if (!["reweight", "blackjax", "blackjax-old-sign"].includes(order))
    throw bad(`${call}: order must be reweight, blackjax or blackjax-old-sign, got ${String(order)}.`);
  const clamp = clampOf(call, model, options, order !== "reweight");
  const sigma = numberOf(call, "sigma", options.sigma ?? model.config.sigma_min, { above: 0 });
  const settings = settingsOf(call, options, order, sigma, clamp);
  const seed = seedOf(call, options.seed);
  if (draws) checkDraws(call, draws, clamp, particles, settings.moves);
  return Particles.during(model, { what: call, clamp, particles, sigma, seed }, async (its) => {
    const [a, b] = [its.points("particles"), its.points("other particles")];
    const open = order !== "reweight" && options.box === undefined;
    await its.place(a, draws?.x0, open ? OPEN_START : undefined);
    const launched = draws ? 1 : its.run.gpu.caps.software ? LAUNCHED_ON_A_PROCESSOR : LAUNCHED;
    const smc = await Temperatures.create(its, settings, launched, draws !== undefined);
    const [from, betas, acceptance] = await smc.run(a, b, draws, signal);
    const state = await its.run.gpu.readF32(its.state, clamp.runs * STATE_LENGTH);
    return {
      samples: await its.gather(from.x),
      logEvidence: Float64Array.from({ length: clamp.runs }, (_, r) => state[r * STATE_LENGTH + STATE.logZ]!),
      betas,
      acceptance,
      evaluations: 1 + betas.length * settings.moves * settings.leapfrog,
    };
  });
}

function settingsOf(call: string, options: SmcOptions, order: SmcOrder, sigma: number, clamp: Clamp): Settings {
  const moves = integerOf(call, "moves", options.moves ?? 2, 1, 1000);
  const leapfrog = integerOf(call, "leapfrog", options.leapfrog ?? 2, 1, 1000);
  if (options.kappa !== undefined && options.step !== undefined)
    throw bad(`${call}: kappa and step both say how long a step is: leave one out.`);
  const step = options.step ?? (order === "reweight" || options.kappa !== undefined ? undefined : 0.05);
  const kappa = numberOf(call, "kappa", options.kappa ?? (leapfrog > 4 ? 0.7 : 1), { above: 0 });
  const widths = clamp.low.map((low, j) => Math.min(clamp.high[j]! - low, 1e6));
  return {
    tau: numberOf(call, "tau", options.tau ?? 0.75, { above: 0, below: 1 }),
    moves,
    leapfrog,
    step: step === undefined ? kappa * sigma : numberOf(call, "step", step, { above: 0 }),
    fixed: step !== undefined,
    cap: Math.min(...widths) / 4,
    order,
  };
}

function checkDraws(call: string, draws: SmcDraws, { runs, free }: Clamp, particles: number, moves: number): void {
  checkKeys(`${call}: draws`, draws, { x0: true, systematic: true, momentum: true, uniforms: true });
  const rows = runs * particles;
  const need = (name: string, values: ArrayLike<number> | undefined, length: number) => {
    if (values?.length !== length)
      throw bad(`${call}: draws.${name} holds ${values?.length ?? "no"} values where ${length} are needed.`);
  };
  if (draws.x0 !== undefined) need("x0", draws.x0, rows * free.length);
  draws.systematic?.forEach((own, t) => {
    if (typeof own !== "number") need(`systematic[${t}]`, own, runs);
    for (let k = 0; k < moves; k++) {
      need(`momentum[${t}][${k}]`, draws.momentum?.[t]?.[k], rows * free.length);
      need(`uniforms[${t}][${k}]`, draws.uniforms?.[t]?.[k], rows);
    }
  });
  if (!draws.systematic?.length) throw bad(`${call}: draws.systematic must hold a uniform per temperature.`);
}

/** The buffers that recorded draws come through. */
interface DrawBuffers {
  readonly systematic: GPUBuffer;
  readonly momentum: readonly GPUBuffer[];
  readonly uniforms: readonly GPUBuffer[];
}

/** The work of a temperature, made ready for both ways between two sets of points. */
class Temperatures {
  readonly #its: Particles;
  readonly #settings: Settings;
  /** Temperatures per look of the host, for which the trace has room. */
  readonly #launched: number;
  readonly #trace: GPUBuffer;
  readonly #tally: GPUBuffer;
  readonly #sums: GPUBuffer;
  readonly #draws: DrawBuffers | undefined;

  private constructor(its: Particles, settings: Settings, launched: number, recorded: boolean) {
    const { run, rows, free, clamp } = its;
    this.#its = its;
    this.#settings = settings;
    this.#launched = launched;
    this.#trace = run.buffer("trace", clamp.runs * launched * TRACE_LENGTH);
    this.#tally = run.buffer("tally", clamp.runs * launched);
    // Equal weights.
    this.#sums = its.upload(
      "sums of weights",
      Float32Array.from({ length: rows }, (_, i) => (i % its.particles) + 1),
    );
    const each = (label: string, length: number) =>
      Array.from({ length: settings.moves }, () => run.buffer(label, length));
    this.#draws = recorded
      ? {
          systematic: run.buffer("recorded resampling", clamp.runs),
          momentum: each("recorded momenta", rows * free),
          uniforms: each("recorded uniforms", rows),
        }
      : undefined;
  }

  static async create(its: Particles, settings: Settings, launched: number, recorded: boolean): Promise<Temperatures> {
    its.begin({ count: -1, total: its.particles, step: settings.fixed ? settings.step : settings.cap });
    return new Temperatures(its, settings, launched, recorded);
  }

  /** A temperature's stages: particles go from `from` to `to`. */
  async #temperature(from: Points, to: Points, work: ReturnType<Particles["work"]>): Promise<Encodable[]> {
    const { run, params, clamp, particles, dims, scale, state } = this.#its;
    const { tau, moves, leapfrog, step: kappa, fixed, cap, order } = this.#settings;
    const runs = clamp.runs;
    const sign = order === "blackjax-old-sign" ? -1 : 1;
    const slots = this.#launched;
    const [sums_of, trace, draws] = [this.#sums, this.#trace, this.#draws];
    const tempered = { runs, particles, scale };
    const increment = await run.stage("increment", temper, { ...tempered, tau, sign }, { phi: from.phi, state });
    const weigh = (points: Points) =>
      run.stage(
        "weights",
        reweight,
        { ...tempered, kappa, fixed, cap, slots },
        { phi: points.phi, state, sums_of, trace },
      );
    const ancestors = run.buffer("ancestors", runs * particles);
    const resample = await run.stage(
      "resampling",
      systematic,
      { runs, particles, recorded: draws !== undefined },
      { sums_of, state, draws: draws?.systematic ?? run.noise.seeds, ancestors },
    );
    const permute = await run.stage(
      "permutation",
      permuteRows,
      { runs, particles, dims },
      { ancestors, ...from, newX: to.x, newPhi: to.phi, newO: to.o },
    );
    const transitions: Encodable[] = [];
    for (let k = 0; k < moves; k++) {
      const own = draws && { momentum: draws.momentum[k]!, uniforms: draws.uniforms[k]! };
      transitions.push(...(await this.#its.transition(to, { leapfrog, moves, transition: k }, work, own)));
      const tally = { runs: params.runs, particles, slots, first: k === 0 };
      transitions.push(await run.stage("tally", tallyTaken, tally, { taken: work.taken, state, tally: this.#tally }));
    }
    return order === "reweight"
      ? [increment, await weigh(from), resample, permute, ...transitions]
      : [increment, resample, permute, ...transitions, await weigh(to)];
  }

  /** Until all runs have ended. @returns where the particles are, and what the temperatures were */
  async run(a: Points, b: Points, draws: SmcDraws | undefined, signal: AbortSignal | undefined) {
    const { run, clamp, state } = this.#its;
    const work = this.#its.work();
    const ways = [await this.#temperature(a, b, work), await this.#temperature(b, a, work)];
    const betas: Float64Array[] = [];
    const acceptance: Float64Array[] = [];
    let done = 0;
    for (let ended = false; !ended; ) {
      signal?.throwIfAborted();
      if (draws) this.#give(draws, done);
      const count = this.#launched;
      for (let k = 0; k < count; k++) await run.submit(ways[(done + k) % 2]!);
      done += count;
      const now = await run.gpu.readF32(state, clamp.runs * STATE_LENGTH);
      await this.#note(now, done - count, betas, acceptance);
      ended = Array.from({ length: clamp.runs }, (_, r) => now[r * STATE_LENGTH + STATE.beta]!).every((v) => v >= 1);
      if (!ended && done >= MOST_TEMPERATURES) {
        const stuck = now.findIndex((v, i) => i % STATE_LENGTH === STATE.beta && v < 1);
        throw new NcvsdError(
          "NOT_FINITE",
          `sampleSmc: run ${Math.floor(stuck / STATE_LENGTH)} is at beta ${now[stuck]} after ${done} temperatures: its log densities are too far apart; take a smaller tau or box.`,
        );
      }
    }
    return [done % 2 === 0 ? a : b, betas, acceptance] as const;
  }

  /** Puts the recorded draws of a temperature where its stages read them. */
  #give(draws: SmcDraws, t: number): void {
    const { run, clamp } = this.#its;
    const own = draws.systematic[t];
    if (own === undefined)
      throw bad(`sampleSmc: draws hold ${draws.systematic.length} temperatures, and beta is not 1 after them.`);
    const buffers = this.#draws!;
    const each = typeof own === "number" ? new Float32Array(clamp.runs).fill(own) : Float32Array.from(own);
    run.gpu.write(buffers.systematic, each);
    buffers.momentum.forEach((buffer, k) => {
      run.gpu.write(buffer, Float32Array.from(draws.momentum[t]![k]!));
      run.gpu.write(buffers.uniforms[k]!, Float32Array.from(draws.uniforms[t]![k]!));
    });
  }

  /** Notes down the temperatures since `first`. */
  async #note(state: Float32Array, first: number, betas: Float64Array[], acceptance: Float64Array[]): Promise<void> {
    const { run, clamp, particles } = this.#its;
    const slots = this.#launched;
    const trace = await run.gpu.readF32(this.#trace, clamp.runs * slots * TRACE_LENGTH);
    const tally = await run.gpu.readF32(this.#tally, clamp.runs * slots);
    const last = (r: number) => state[r * STATE_LENGTH + STATE.count]!;
    for (let t = first; t < first + slots; t++) {
      const runs = Array.from({ length: clamp.runs }, (_, r) => r);
      if (runs.every((r) => last(r) < t)) return;
      betas.push(Float64Array.from(runs, (r) => (last(r) < t ? 1 : trace[(r * slots + (t % slots)) * TRACE_LENGTH]!)));
      const share = (r: number) => tally[r * slots + (t % slots)]! / (particles * this.#settings.moves);
      acceptance.push(Float64Array.from(runs, (r) => (last(r) < t ? Number.NaN : share(r))));
    }
  }
}
