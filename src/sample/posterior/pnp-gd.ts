import { ema } from "../../../kernels/sampling/ema/kernel.js";
import { bad, checkKeys } from "../../errors.js";
import { checkPositive } from "../../operators/check.js";
import { hasEnergy, nameOf } from "../energy.js";
import { type LangevinOptions, ULA, ulaSettings } from "../langevin.js";
import { openLikelihood, takesExactStep } from "../likelihood.js";
import { openPrior } from "../prior.js";
import type { Run } from "../run.js";
import type { Settings } from "../samplers.js";
import { evaluatedSteps, noiseLevels } from "../schedule.js";
import type { PosteriorSampler, Problem, SettingFlag } from "./sampler.js";
import { completeFlag } from "./settings.js";

interface PnpGdSettings {
  /** null: 2 sigmaY^2. */
  readonly beta: number | null;
  /** The annealing schedule; null: made of the next four. */
  readonly sigmas: ArrayLike<number> | null;
  readonly steps: number;
  readonly sigmaMin: number;
  readonly sigmaMax: number;
  readonly rho: number;
  readonly emaSigma: number;
  readonly emaDecay: number;
  readonly ts: readonly number[] | null;
  readonly zeta: number;
  readonly ula: LangevinOptions | null;
  readonly langevin: boolean;
}

const settings = {
  beta: null,
  ...{ sigmas: null, steps: 50, sigmaMin: 0.002, sigmaMax: 80, rho: 2 },
  ...{ emaSigma: Number.POSITIVE_INFINITY, emaDecay: 0, ts: null, zeta: 1, ula: null, langevin: false },
} satisfies PnpGdSettings & Settings;

const POSITIVE = { number: { above: 0 } };
const flags: readonly SettingFlag[] = [
  {
    setting: "steps",
    option: "--steps <n>",
    help: "noise levels N; N-1 evaluations of the prior",
    value: { integer: { min: 2, max: 10000 } },
  },
  { setting: "sigmaMax", option: "--sigma-max <x>", help: "highest noise level", value: POSITIVE },
  { setting: "sigmaMin", option: "--sigma-min <x>", help: "lowest noise level", value: POSITIVE },
  { setting: "rho", option: "--rho <x>", help: "exponent of the schedule", value: POSITIVE },
  { setting: "beta", option: "--beta <x>", help: "energy strength, 2 * (assumed noise)^2", value: POSITIVE },
  {
    setting: "emaSigma",
    option: "--ema-sigma <x>",
    help: "samples are averaged below this level; inf: always, 0: never",
    value: { number: { min: 0, infinity: true } },
  },
  {
    setting: "emaDecay",
    option: "--ema-decay <x>",
    help: "weight of the average so far, 0 to 1",
    value: { number: { min: 0, max: 1 } },
  },
  {
    setting: "ts",
    option: "--ts <list>",
    help: "multi-step prior: indices 0-38 into the 40-level schedule (default: one step)",
    value: { list: "time steps" },
  },
  {
    setting: "zeta",
    option: "--zeta <x>",
    help: "share of fresh noise in the multi-step prior, 0 to 1",
    value: { number: { min: 0, max: 1 } },
  },
  {
    setting: "ula.steps",
    option: "--ula-steps <n>",
    help: "Langevin steps of a likelihood step without closed form",
    value: { integer: { min: 1, max: 100000 } },
  },
  {
    setting: "ula.c1",
    option: "--c1 <x>",
    help: "step size of the Langevin steps: c1 / (c2 / beta + 1 / sigma^2)",
    value: POSITIVE,
  },
  { setting: "ula.c2", option: "--c2 <x>", help: "see --c1", value: POSITIVE },
  {
    setting: "langevin",
    option: "--likelihood <how>",
    help: "exact or langevin",
    value: { choice: { exact: false, langevin: true } },
  },
];

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
 */
export const pnpGd: PosteriorSampler = {
  name: "pnp-gd",
  title: "PnP-GD (NCVSD, Algorithm 1): draws of a generative denoiser and likelihood draws in turn",
  architectures: ["ncvsd"],
  settings,
  flags,
  lacks: (operator) =>
    operator.sampleProximal || hasEnergy(operator)
      ? undefined
      : `an exact likelihood step or a gradient, and the operator${nameOf(operator)} has neither sampleProximal, energyGradient nor adjoint`,
  complete,
  evaluations: (s) => (levelsOf(s).length - 1) * ((s as unknown as PnpGdSettings).ts?.length ?? 1),
  derivatives: () => 0,
  draws(s, { operator }) {
    const { ts, ula, langevin } = s as unknown as PnpGdSettings;
    const exact = takesExactStep(operator, { ula, langevin });
    const prior = ts ? 1 + 2 * ts.length : 1;
    return 1 + (levelsOf(s).length - 1) * (prior + (exact ? 1 : ulaSettings(ula ?? {}).steps));
  },
  run: runPnpGd,
};

function complete(given: Settings): Settings {
  const chosen = Object.entries(given).filter(([, value]) => value !== undefined);
  const s = { ...settings, ...Object.fromEntries(chosen) } as unknown as PnpGdSettings;
  if (s.ula) checkKeys("solveInverse: ula", s.ula, ULA);
  ulaSettings(s.ula ?? {});
  if (s.beta !== null) checkPositive("solveInverse", "beta", s.beta);
  const { emaDecay, emaSigma, zeta } = s;
  if (!(emaDecay >= 0 && emaDecay <= 1)) throw bad(`emaDecay must be from 0 to 1, got ${emaDecay}.`);
  if (!(emaSigma >= 0)) throw bad(`emaSigma must not be negative, got ${emaSigma}.`);
  if (!(zeta >= 0 && zeta <= 1)) throw bad(`zeta must be from 0 to 1, got ${zeta}.`);
  const langevin = completeFlag("langevin", given, settings);
  const levels = levelsOf(s as unknown as Settings);
  const { sigmas, steps, sigmaMin, sigmaMax, rho } = s;
  return {
    beta: s.beta,
    ...(sigmas ? { sigmas: Array.from(levels) } : { steps, sigmaMin, sigmaMax, rho }),
    ...{ emaSigma, emaDecay, zeta, langevin, ula: s.ula },
    ts: s.ts ? evaluatedSteps(s.ts) : null,
  };
}

async function runPnpGd(run: Run, problem: Problem, given: Settings): Promise<GPUBuffer> {
  const { emaSigma, emaDecay, zeta, ula, langevin, ts, ...s } = given as unknown as PnpGdSettings;
  const { model, operator, y, sigmaY, labels, debug } = problem;
  const { gpu, total } = run;
  const levels = levelsOf(given);
  const iterations = levels.length - 1;
  const beta = s.beta ?? 2 * sigmaY ** 2;
  const prior = await openPrior(model, run, { labels, ts: ts ?? undefined, zeta });
  const likelihood = await openLikelihood(run, operator, { y, beta, ula: ula ?? undefined, langevin });
  const x0 = run.buffer("x0");
  const decay = run.buffer("decay", 1);
  const average = await run.stage("ema", ema, { elements: total }, { x: prior.x0, decay, average: x0 });
  const watchSample = await run.watch(prior.x0);
  const watchU = await run.watch(likelihood.u);

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

    const where = `The prior step at noise level ${show(level)}`;
    if (debug) await watchSample.verify(where, iterations, () => prior.locateNonFinite());
    const [ofSample, ofU] = [watchSample.look(), last ? undefined : watchU.look()];
    await problem.step({
      ...{ step: i + 1, steps: iterations, sigma: level },
      ...{ preview: x0, sample: prior.x0, next: last ? undefined : likelihood.u },
      async check() {
        await ofSample(where, iterations);
        await ofU?.(`The likelihood step towards noise level ${show(next)}`, iterations);
      },
    });
  }
  return x0;
}

function show(level: number): string {
  return String(Number(level.toPrecision(6)));
}

/** The annealing schedule in single precision. */
function levelsOf(s: Settings): Float32Array {
  const { sigmas, steps, sigmaMin, sigmaMax, rho } = s as unknown as PnpGdSettings;
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
