import { clip as clipKernel } from "../../../kernels/sampling/clip/kernel.js";
import { normSlope } from "../../../kernels/sampling/norm-slope/kernel.js";
import { residualNorm } from "../../../kernels/sampling/residual-norm/kernel.js";
import { scale } from "../../../kernels/sampling/scale/kernel.js";
import { checkPositive } from "../../operators/check.js";
import { hasEnergy, nameOf } from "../energy.js";
import { copying, openMaps, perform } from "../maps.js";
import type { Run } from "../run.js";
import type { Settings } from "../samplers.js";
import type { ConditionalDenoiser } from "./conditional.js";
import { openVjp } from "./derivative.js";
import { openGuide } from "./guide.js";
import { guided } from "./guided.js";
import type { Problem } from "./sampler.js";
import { levelDefaults, solverDefaults } from "./settings.js";

/**
 * Diffusion posterior sampling (DPS, Chung et al. 2023): the gradient of the misfit n = |y - A(D(x, s))| of each image with respect
 * to x, grad n = J' g(D) / (2 n), g the gradient of ||A(x) - y||^2; 0 where n is.
 *
 *     heun:         D_y = D - s^2 k grad n,  cut to [-1, 1] with `clip`
 *     ddim, zeta:   D_y = D, and h = -k sqrt(1 + s^2) sqrt(1 + s'^2) grad n is added after the step to s': the authors' x, and so their
 *                   gradient, is that on x / sqrt(1 + s^2). With `clip` D itself is cut, and has no slope outside [-1, 1].
 *
 * One vjp for each evaluation. k = `strength` adds up over the levels: fewer of them need a larger one.
 */
export const dps = guided({
  name: "dps",
  title: "DPS (Chung et al. 2023): descends the misfit of D, through the derivative of the network",
  architectures: ["edm2"],
  settings: {
    strength: 0.3,
    ...solverDefaults({ solver: "ddim", clip: true }),
    ...levelDefaults({ schedule: "ddpm", steps: 1000 }),
  },
  flags: [
    {
      setting: "strength",
      option: "--strength <x>",
      help: "step size along the gradient of the misfit",
      value: { number: { above: 0 } },
    },
  ],
  lacks: (operator) =>
    hasEnergy(operator) ? undefined : `the gradient of ||A(x) - y||^2, which the operator${nameOf(operator)} lacks`,
  own: (given, defaults) => ({ strength: checkPositive("dps", "strength", given.strength ?? defaults.strength) }),
  derivatives: () => 1,
  open,
});

async function open(run: Run, problem: Problem, settings: Settings): Promise<ConditionalDenoiser> {
  const { gpu, batch, elements, total } = run;
  const strength = settings.strength as number;
  const heun = settings.solver === "heun";
  const net = await openVjp(run, problem);
  const maps = await openMaps(run, problem.operator);
  gpu.write(maps.y, problem.y);
  const [forward, gradient] = [await maps.forward(), await maps.gradient()];

  // D, cut to [-1, 1] where it stands for D_y.
  const clipped = settings.clip === true && !heun;
  const D = clipped ? run.buffer("D, clipped") : net.denoised;
  const cut = clipped ? [await run.stage("clip", clipKernel, { elements: total }, { x: net.denoised, y: D })] : [];
  const toMaps = await copying(run, D, maps.x, total);

  // v = grad n with respect to D.
  const norm = run.buffer("misfit", batch);
  const entries = maps.entries / batch;
  const misfit = await run.stage("misfit", residualNorm, { batch, entries }, { y: maps.y, ax: forward.out, norm });
  const views = { gradient: gradient.out, norm, ...(clipped ? { d: net.denoised } : {}), v: net.v };
  const slope = await run.stage("slope", normSlope, { batch, elements, clipped }, views);

  const guide = heun ? await openGuide(run, net, settings.clip as boolean) : undefined;
  const [factor, h] = [run.buffer("h factor", 1), run.buffer("h")];
  const last = guide?.steps ?? [await run.stage("h", scale, { elements: total }, { x: net.vjp, factor, y: h })];
  const steps = [net, ...cut, toMaps, forward.step, gradient.step, misfit, slope, net.pullback, ...last];
  return {
    ...{ sample: net.denoised, denoised: guide?.denoised ?? D },
    ...(guide ? {} : { correction: h }),
    async evaluate(input, sigma, next) {
      await run.submit([], [[input, net.x]]);
      run.fill(net.sigma, sigma);
      if (guide) guide.write(-strength * sigma * sigma);
      else gpu.write(factor, Float32Array.of(-strength * Math.sqrt((1 + sigma * sigma) * (1 + next * next))));
      await perform(run, steps);
    },
    locateNonFinite: () => net.locateNonFinite(),
  };
}
