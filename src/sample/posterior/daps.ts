import { addNoise } from "../../../kernels/sampling/add-noise/kernel.js";
import { ddimStep } from "../../../kernels/sampling/ddim-step/kernel.js";
import { bad } from "../../errors.js";
import { checkInteger, checkPositive } from "../../operators/check.js";
import type { Operator } from "../../operators/operator.js";
import { hasEnergy, nameOf, openEnergy } from "../energy.js";
import { Hmc } from "../hmc.js";
import { Ula } from "../langevin.js";
import { type LevelOptions, samplingLevels } from "../levels.js";
import type { Run } from "../run.js";
import type { Settings } from "../samplers.js";
import { noiseLevels } from "../schedule.js";
import { openEstimate } from "./conditional.js";
import type { PosteriorSampler, Problem, SettingFlag } from "./sampler.js";
import { checkWord, completeGroup, completeLevels, LEVEL_FLAGS, levelDefaults } from "./settings.js";
import { LevelCheck } from "./solvers.js";

interface DapsSettings {
  /** null: a generative denoiser takes its place. */
  readonly ode: { readonly steps: number; readonly sigmaMin: number } | null;
  readonly mcmc: {
    readonly algorithm: "langevin" | "hmc";
    readonly steps: number;
    readonly step: number;
    readonly tau: number;
    readonly decay: number;
    /** Of hmc. */
    readonly momentum?: number;
  };
  readonly convention: "daps" | "inversebench";
}

const settings = {
  ode: { steps: 5, sigmaMin: 0.01 },
  mcmc: { algorithm: "langevin", steps: 100, step: 1e-4, tau: 0.01, decay: 0.01, momentum: 0.9 },
  convention: "daps",
  ...levelDefaults({ steps: 200, sigmaMin: 0.1, sigmaMax: 100 }),
} satisfies DapsSettings & Settings;

const POSITIVE = { number: { above: 0 } };
const MANY = { integer: { min: 1, max: 100000 } };

/** MCMC settings that pnp-dm has, too. */
export const MCMC_FLAGS: readonly SettingFlag[] = [
  { setting: "mcmc.steps", option: "--mcmc-steps <n>", help: "MCMC steps of a level", value: MANY },
  { setting: "mcmc.step", option: "--step <x>", help: "step size of the MCMC steps", value: POSITIVE },
];

const flags: readonly SettingFlag[] = [
  { setting: "ode.steps", option: "--ode-steps <n>", help: "Euler steps of the inner ODE", value: MANY },
  {
    setting: "ode.sigmaMin",
    option: "--ode-sigma-min <x>",
    help: "level at which the inner ODE ends",
    value: POSITIVE,
  },
  {
    setting: "mcmc.algorithm",
    option: "--mcmc <name>",
    help: "langevin or hmc",
    value: { choice: { langevin: "langevin", hmc: "hmc" } },
  },
  ...MCMC_FLAGS,
  { setting: "mcmc.tau", option: "--tau <x>", help: "noise that the MCMC's likelihood assumes", value: POSITIVE },
  { setting: "mcmc.decay", option: "--decay <x>", help: "share of the step size left at the end", value: POSITIVE },
  { setting: "mcmc.momentum", option: "--momentum <x>", help: "of hmc, 0 to 1", value: { number: { min: 0, max: 1 } } },
  {
    setting: "convention",
    option: "--convention <name>",
    help: "daps (the authors' code) or inversebench",
    value: { choice: { daps: "daps", inversebench: "inversebench" } },
  },
  ...LEVEL_FLAGS,
];

/**
 * DAPS (Zhang et al. 2024): decoupled annealing. From level to level the ODE, then MCMC around its end, then noise:
 *
 *     u0 = end of the probability flow ODE from (x, s_i)                             or G(x, s_i, z)
 *     u ~ exp(-||A(u) - y||^2 / tau^2 - |u - u0|^2 / (2 s_i^2)), by `mcmc.steps` steps of size step (1 - (i / (N + 1)) (1 - decay))
 *     x = u + s_{i+1} z
 */
export const daps: PosteriorSampler = {
  name: "daps",
  title: "DAPS (Zhang et al. 2024): solve the ODE, run MCMC around its end, add the next level's noise",
  architectures: ["edm2", "ncvsd"],
  settings,
  flags,
  lacks: (operator) =>
    hasEnergy(operator) ? undefined : `the gradient of ||A(x) - y||^2, which the operator${nameOf(operator)} lacks`,
  complete(given, { operator, generative }) {
    const convention = checkWord("convention", given.convention ?? settings.convention, ["daps", "inversebench"]);
    const complete = { ode: completeOde(given, generative), mcmc: completeMcmc(given), convention };
    const levels = completeLevels(given, settings);
    const list = levelsOf({ ...complete, ...levels });
    const low = complete.ode && list.findIndex((level) => level <= complete.ode!.sigmaMin);
    if (low !== null && low >= 0)
      throw bad(
        `daps: level ${low} is ${list[low]}, but the inner ODE ends at ode.sigmaMin ${complete.ode!.sigmaMin}: keep all levels above it.`,
      );
    checkStability(operator, complete, list);
    return { ...complete, ...levels };
  },
  evaluations: (s) => levelsOf(s).length * ((s as unknown as DapsSettings).ode?.steps ?? 1),
  derivatives: () => 0,
  draws(s, { generative }) {
    const { mcmc } = s as unknown as DapsSettings;
    const noisy = mcmc.algorithm === "hmc" && mcmc.momentum === 1 ? 0 : mcmc.steps;
    const levels = levelsOf(s).length;
    return levels * (1 + noisy + Number(generative) + Number(mcmc.algorithm === "hmc"));
  },
  run: runDaps,
};

function completeOde(given: Settings, generative: boolean): DapsSettings["ode"] {
  if (generative) {
    if (given.ode)
      throw bad("daps: ode has no meaning with a generative denoiser, which takes the ODE's place: leave it out.");
    return null;
  }
  const ode = completeGroup("ode", given, settings) as NonNullable<DapsSettings["ode"]>;
  checkInteger("daps", "ode.steps", ode.steps, 1);
  checkPositive("daps", "ode.sigmaMin", ode.sigmaMin);
  return ode;
}

function completeMcmc(given: Settings): DapsSettings["mcmc"] {
  const mcmc = completeGroup("mcmc", given, settings) as Required<DapsSettings["mcmc"]>;
  checkWord("daps: mcmc.algorithm", mcmc.algorithm, ["langevin", "hmc"]);
  checkInteger("daps", "mcmc.steps", mcmc.steps, 1);
  for (const name of ["step", "tau", "decay"] as const) checkPositive("daps", `mcmc.${name}`, mcmc[name]);
  if (!(mcmc.momentum >= 0 && mcmc.momentum <= 1))
    throw bad(`daps: mcmc.momentum must be from 0 to 1, got ${String(mcmc.momentum)}.`);
  if (mcmc.algorithm === "langevin" && (given.mcmc as Settings | undefined)?.momentum !== undefined)
    throw bad('daps: mcmc.momentum belongs to the algorithm hmc: leave it out, or set mcmc.algorithm to "hmc".');
  if (mcmc.algorithm === "hmc") return mcmc;
  const { momentum: _, ...langevin } = mcmc;
  return langevin;
}

/** The evaluated levels: the authors' list stops before sigmaMin. */
function levelsOf(s: Settings): Float64Array {
  const { schedule, steps, sigmas } = s as LevelOptions;
  if (sigmas || schedule !== "karras" || s.convention === "inversebench") return samplingLevels(s as LevelOptions);
  return samplingLevels({ ...(s as LevelOptions), steps: steps! + 1 }).subarray(0, -1);
}

const betaOf = ({ mcmc, convention }: DapsSettings) => (convention === "daps" ? 1 : 2) * mcmc.tau ** 2;

/** Step size of level i of n. */
function stepAt({ mcmc, convention }: DapsSettings, i: number, n: number): number {
  return mcmc.step * (1 - (i / (convention === "daps" ? n + 1 : n)) * (1 - mcmc.decay));
}

/**
 * The chain grows without bound where the step size times the largest curvature, 2 L / beta + 1 / s^2, exceeds 2 (with momentum
 * 2 (1 + momentum)); L: the largest
 * eigenvalue of A'A, 2 L = `operator.curvature`. On the edge, where the authors' step of 1e-4 is for a mask, it does not.
 */
function checkStability(operator: Operator, s: DapsSettings, levels: Float64Array): void {
  const { most, at, bound, holds } = stability(operator, s, levels);
  if (most <= 1.001 * bound) return;
  throw bad(
    `daps: mcmc.step ${s.mcmc.step} with tau ${s.mcmc.tau} diverges at level ${at}: it times the curvature is ${most.toPrecision(3)}, above ${bound.toPrecision(3)}; ${holds} would hold.`,
  );
}

/** The step size times the largest curvature, at the level where it is largest; what it must not exceed; a step size that holds. */
function stability({ curvature }: Operator, s: DapsSettings, levels: Float64Array) {
  const bound = 2 * (s.mcmc.algorithm === "hmc" ? 1 + s.mcmc.momentum! : 1);
  let [most, at] = [0, 0];
  if (curvature === undefined) return { most, at, bound, holds: s.mcmc.step };
  levels.forEach((level, i) => {
    const size = stepAt(s, i, levels.length) * (curvature / betaOf(s) + 1 / level ** 2);
    if (size > most) [most, at] = [size, i];
  });
  const exact = (s.mcmc.step * bound) / most;
  const digit = 10 ** (Math.floor(Math.log10(exact)) - 1);
  return { most, at, bound, holds: Number((Math.floor(exact / digit) * digit).toPrecision(2)) };
}

/**
 * Settings for an operator, the step size of which nobody chose for it: shortened where it would diverge.
 * @throws NcvsdError BAD_ARGUMENT
 */
export function withStableStep(given: Settings, operator: Operator): Settings {
  const convention = given.convention ?? settings.convention;
  const complete = { ode: null, mcmc: completeMcmc(given), convention } as DapsSettings;
  const levels = levelsOf({ ...completeLevels(given, settings), convention });
  const { most, bound, holds } = stability(operator, complete, levels);
  return most <= 1.001 * bound ? given : { ...given, mcmc: { ...(given.mcmc as Settings), step: holds } };
}

/** Times of the inner ODE from level s: K + 1 of them; the last may be 0. */
function odeTimes({ ode, convention }: DapsSettings, s: number): Float64Array {
  const { steps, sigmaMin } = ode!;
  const range = { sigmaMin, sigmaMax: s, rho: 7 };
  if (convention === "daps") return noiseLevels({ ...range, steps: steps + 1 });
  return Float64Array.of(...noiseLevels({ ...range, steps }), 0);
}

async function runDaps(run: Run, problem: Problem, given: Settings): Promise<GPUBuffer> {
  const s = given as unknown as DapsSettings;
  const { gpu, total } = run;
  const levels = levelsOf(given);
  const net = await openEstimate(run, problem);
  const energy = await openEnergy(run, problem.operator, problem.y);
  const { mcmc } = s;
  const beta = betaOf(s);
  const chain =
    mcmc.algorithm === "hmc"
      ? await Hmc.create(run, energy, { beta, steps: mcmc.steps, momentum: mcmc.momentum! })
      : await Ula.create(run, energy, beta, { step: mcmc.step, steps: mcmc.steps });
  const [u, z] = [run.buffer("u"), run.buffer("noise")];
  const coefficients = run.buffer("coefficients", 3);
  const level = run.buffer("level", 4);
  const views = { d: net.estimate, x: net.x, z, coefficients, out: u };
  const euler = await run.stage("ODE step", ddimStep, { elements: total, corrected: false }, views);
  const renoise = await run.stage("add_noise", addNoise, { elements: total }, { x: chain.x, z, level, y: net.x });
  const watch = await run.watch(chain.x);
  const check = new LevelCheck(problem, net, levels);
  await run.noise.prepare(z);
  await run.start(net.x, levels[0]!);
  for (let i = 0; i < levels.length; i++) {
    const sigma = levels[i]!;
    const next = levels[i + 1];
    // u0, the centre of the chain.
    if (problem.generative) await net.evaluate(sigma, [], [net.estimate, chain.origin]);
    else {
      const times = odeTimes(s, sigma);
      for (let k = 0; k + 1 < times.length; k++) {
        const q = times[k + 1]! / times[k]!;
        gpu.write(coefficients, Float32Array.of(1 - q, q, 0));
        await net.evaluate(times[k]!, [euler], [u, k + 2 < times.length ? net.x : chain.origin]);
      }
    }
    await chain.run(sigma, stepAt(s, i, levels.length));
    watch.begin(i + 1);
    await run.submit([watch.stage]);
    if (next !== undefined) {
      await run.noise.fill(z);
      gpu.write(level, Float32Array.of(0, 0, 0, next));
      await run.submit([renoise]);
    }
    const checked = await check.after(watch);
    const state = next === undefined ? chain.x : net.x;
    await problem.step({
      ...{ step: i + 1, steps: levels.length, sigma },
      ...{ preview: chain.x, sample: chain.origin, next: state, check: checked },
    });
  }
  return chain.x;
}
