import { ddimStep } from "../../../kernels/sampling/ddim-step/kernel.js";
import { bad } from "../../errors.js";
import { checkInteger, checkPositive } from "../../operators/check.js";
import { hasEnergy, nameOf } from "../energy.js";
import { given as givenLevels } from "../levels.js";
import { openLikelihood, takesExactStep } from "../likelihood.js";
import type { Run } from "../run.js";
import type { Settings } from "../samplers.js";
import { noiseLevels } from "../schedule.js";
import { openEstimate } from "./conditional.js";
import { MCMC_FLAGS } from "./daps.js";
import type { PosteriorSampler, Problem } from "./sampler.js";
import { checkWord, completeFlag, completeGroup } from "./settings.js";
import { LevelCheck } from "./solvers.js";

interface PnpDmSettings {
  /** The couplings themselves; null: made of the next two. */
  readonly sigmas: readonly number[] | null;
  readonly steps: number;
  readonly anneal: { readonly start: number; readonly decay: number; readonly end: number };
  /** null: a generative denoiser takes its place. */
  readonly diffusion: {
    readonly steps: number;
    readonly sigmaMin: number;
    readonly sigmaMax: number;
    readonly rho: number;
    readonly mode: "sde" | "ode";
  } | null;
  /** Langevin steps of operators without a closed form. */
  readonly mcmc: { readonly steps: number; readonly step: number };
  /** Langevin steps even where there is a closed form. */
  readonly langevin: boolean;
}

const settings = {
  sigmas: null,
  steps: 100,
  anneal: { start: 10, decay: 0.9, end: 0.3 },
  diffusion: { steps: 100, sigmaMin: 0.002, sigmaMax: 80, rho: 7, mode: "sde" },
  mcmc: { steps: 100, step: 1e-4 },
  langevin: false,
} satisfies PnpDmSettings & Settings;

const POSITIVE = { number: { above: 0 } };

/**
 * PnP-DM (Wu et al. 2024): a Gibbs sampler of exp(-||A(u) - y||^2 / (2 sigmaY^2) - |x - u|^2 / (2 rho^2)) p(x), rho annealed.
 *
 *     x = z, and for every coupling rho:   u ~ N(x, rho^2) given y;   x = end of the diffusion from (u, rho), or G(u, rho, z)
 *
 * The diffusion enters its grid of levels at the first one strictly below rho, with u as it is.
 */
export const pnpDm: PosteriorSampler = {
  name: "pnp-dm",
  title: "PnP-DM (Wu et al. 2024): likelihood draws and whole diffusions in turn, with a coupling that shrinks",
  architectures: ["edm2", "ncvsd"],
  settings,
  flags: [
    {
      setting: "steps",
      option: "--steps <n>",
      help: "couplings, and steps",
      value: { integer: { min: 1, max: 10000 } },
    },
    {
      setting: "anneal",
      option: "--anneal <start,decay,end>",
      help: "couplings: max(end, start decay^k)",
      value: { numbers: ["start", "decay", "end"] },
    },
    {
      setting: "diffusion.steps",
      option: "--diffusion-steps <n>",
      help: "levels of the inner diffusion's grid",
      value: { integer: { min: 1, max: 10000 } },
    },
    {
      setting: "diffusion.sigmaMin",
      option: "--diffusion-sigma-min <x>",
      help: "lowest level of the grid",
      value: POSITIVE,
    },
    {
      setting: "diffusion.sigmaMax",
      option: "--diffusion-sigma-max <x>",
      help: "highest level of the grid",
      value: POSITIVE,
    },
    { setting: "diffusion.rho", option: "--diffusion-rho <x>", help: "exponent of the grid", value: POSITIVE },
    {
      setting: "diffusion.mode",
      option: "--diffusion-mode <name>",
      help: "sde or ode",
      value: { choice: { sde: "sde", ode: "ode" } },
    },
    ...MCMC_FLAGS,
    {
      setting: "langevin",
      option: "--likelihood <how>",
      help: "exact or langevin",
      value: { choice: { exact: false, langevin: true } },
    },
  ],
  lacks: (operator) =>
    operator.sampleProximal || hasEnergy(operator)
      ? undefined
      : `an exact likelihood step or a gradient, which the operator${nameOf(operator)} lacks`,
  complete(given, { generative }) {
    const mcmc = completeGroup("mcmc", given, settings) as PnpDmSettings["mcmc"];
    checkInteger("pnp-dm", "mcmc.steps", mcmc.steps, 1);
    checkPositive("pnp-dm", "mcmc.step", mcmc.step);
    const complete = {
      ...completeCouplings(given),
      diffusion: completeDiffusion(given, generative),
      mcmc,
      langevin: completeFlag("langevin", given, settings),
    };
    const { diffusion } = complete;
    const lowest = couplingsOf(complete).at(-1)!;
    if (diffusion && lowest * (1 - 1e-12) <= diffusion.sigmaMin)
      throw bad(
        `pnp-dm: the coupling ${lowest} is not above diffusion.sigmaMin ${diffusion.sigmaMin}: no level of the grid is left below it.`,
      );
    return complete;
  },
  evaluations: (s) =>
    innerTimes(s as unknown as PnpDmSettings).reduce((sum, times) => sum + Math.max(1, times.length - 1), 0),
  derivatives: () => 0,
  draws(s, { operator }) {
    const { diffusion, mcmc, langevin } = s as unknown as PnpDmSettings;
    const own = takesExactStep(operator, { langevin }) ? 1 : mcmc.steps;
    const inner = innerTimes(s as unknown as PnpDmSettings).map((times) =>
      diffusion === null ? 1 : diffusion.mode === "sde" ? times.length - 2 : 0,
    );
    return 1 + inner.reduce((sum, count) => sum + own + count, 0);
  },
  run: runPnpDm,
};

function completeCouplings(given: Settings): Settings {
  const { sigmas } = given;
  if (sigmas) {
    const other = ["steps", "anneal"].find((name) => given[name] !== undefined && given[name] !== null);
    if (other)
      throw bad(`pnp-dm: sigmas are the couplings themselves, so ${other} says nothing: give one or the other.`);
    return { sigmas: Array.from(givenLevels(sigmas as number[], false)) };
  }
  const steps = checkInteger("pnp-dm", "steps", given.steps ?? settings.steps, 1);
  const anneal = completeGroup("anneal", given, settings) as PnpDmSettings["anneal"];
  for (const name of ["start", "decay", "end"] as const) checkPositive("pnp-dm", `anneal.${name}`, anneal[name]);
  if (anneal.decay > 1) throw bad(`pnp-dm: anneal.decay must not be above 1, got ${anneal.decay}.`);
  if (anneal.end > anneal.start)
    throw bad(`pnp-dm: anneal.end ${anneal.end} must not be above anneal.start ${anneal.start}.`);
  return { steps, anneal };
}

function completeDiffusion(given: Settings, generative: boolean): PnpDmSettings["diffusion"] {
  if (generative) {
    if (given.diffusion)
      throw bad("pnp-dm: diffusion has no meaning with a generative denoiser, which takes its place: leave it out.");
    return null;
  }
  const diffusion = completeGroup("diffusion", given, settings) as NonNullable<PnpDmSettings["diffusion"]>;
  noiseLevels(diffusion);
  checkWord("pnp-dm: diffusion.mode", diffusion.mode, ["sde", "ode"]);
  return diffusion;
}

function couplingsOf(s: Settings): Float64Array {
  const { sigmas, steps, anneal } = s as unknown as PnpDmSettings;
  if (sigmas) return Float64Array.from(sigmas);
  return Float64Array.from({ length: steps }, (_, k) => Math.max(anneal.end, anneal.start * anneal.decay ** k));
}

/** For every coupling the times of its diffusion, the last one 0; empty with a generative denoiser. */
function innerTimes(s: PnpDmSettings): Float64Array[] {
  const { diffusion } = s;
  const grid = diffusion ? noiseLevels(diffusion) : new Float64Array();
  return Array.from(couplingsOf(s as unknown as Settings), (rho) => {
    // Strictly below, whatever the last digit of a power is.
    const times = grid.filter((t) => t < rho * (1 - 1e-12));
    return diffusion ? Float64Array.of(...times, 0) : times;
  });
}

async function runPnpDm(run: Run, problem: Problem, given: Settings): Promise<GPUBuffer> {
  const s = given as unknown as PnpDmSettings;
  const { operator, y, sigmaY, generative } = problem;
  const { gpu, total } = run;
  const couplings = couplingsOf(given);
  const inner = innerTimes(s);
  const net = await openEstimate(run, problem);
  const ula = takesExactStep(operator, { langevin: s.langevin }) ? undefined : s.mcmc;
  const likelihood = await openLikelihood(run, operator, { y, beta: 2 * sigmaY ** 2, ula, langevin: s.langevin });
  const x = likelihood.centre;
  const [end, z] = [run.buffer("end"), run.buffer("noise")];
  const coefficients = run.buffer("coefficients", 3);
  const views = { d: net.estimate, x: net.x, z, coefficients, out: end };
  const move = await run.stage("diffusion step", ddimStep, { elements: total, corrected: false }, views);
  const watch = await run.watch(x);
  const check = new LevelCheck(problem, net, couplings);
  await run.noise.prepare(z);
  await run.start(x, 1);
  for (let k = 0; k < couplings.length; k++) {
    const rho = couplings[k]!;
    const times = inner[k]!;
    await likelihood.run(rho);
    await run.submit([], [[likelihood.u, net.x]]);
    if (generative) await net.evaluate(rho, [], [net.estimate, x]);
    for (let j = 0; j + 1 < times.length; j++) {
      const [t, next] = [times[j]!, times[j + 1]!];
      const noisy = s.diffusion!.mode === "sde";
      const q = noisy ? (2 * next) / t - 1 : next / t;
      const c = noisy && next > 0 ? Math.sqrt(2 * t * (t - next)) : 0;
      if (c > 0) await run.noise.fill(z);
      gpu.write(coefficients, Float32Array.of(1 - q, q, c));
      await net.evaluate(t, [move], [end, next > 0 ? net.x : x]);
    }
    watch.begin(k + 1);
    await run.submit([watch.stage]);
    const shown = { preview: x, sample: x, next: x, check: await check.after(watch) };
    await problem.step({ step: k + 1, steps: couplings.length, sigma: rho, ...shown });
  }
  return x;
}
