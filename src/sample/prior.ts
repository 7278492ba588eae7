import { renoise } from "../../kernels/sampling/renoise/kernel.js";
import { scale } from "../../kernels/sampling/scale/kernel.js";
import { sigmaCombine } from "../../kernels/sampling/sigma-combine/kernel.js";
import type { Encodable } from "../graph/stage.js";
import type { GenerativeDenoiser, Labels } from "../networks/session.js";
import type { Run } from "./run.js";
import { MULTI_STEP_LEVELS, multiStepLevel } from "./schedule.js";

export interface PriorOptions {
  readonly labels: Labels | undefined;
  /** Time steps to evaluate; absent: one evaluation at the observation's own level. */
  readonly ts: readonly number[] | undefined;
  /** Share of fresh noise when re-noising. */
  readonly zeta: number;
}

/** What a sampler does around the evaluations of one draw; steps are 1-based, `level` is the step's noise level. */
export interface PriorHooks {
  before?(step: number): void;
  /** Recorded after each evaluation. */
  readonly watch?: Encodable;
  after?(step: number, level: number): void | Promise<void>;
}

/** Samples of p(x0 | observed), observed = x0 + sigma * noise: one evaluation of a generative denoiser, or several. */
export interface Prior {
  /** [N, C, H, W] */
  readonly observed: GPUBuffer;
  /** [N] */
  readonly observedSigma: GPUBuffer;
  /** [N, C, H, W], after `sample`. */
  readonly x0: GPUBuffer;
  /** [N, C, H, W], where there are several steps: within `after` x_{i-1}. */
  readonly state?: GPUBuffer;
  /** Evaluations of the network per sample. */
  readonly evaluations: number;
  /** Draws a sample. `level` of the hooks is `ownLevel` where there is one evaluation only. */
  sample(hooks: PriorHooks, ownLevel: number): Promise<void>;
  locateNonFinite(): Promise<string | undefined>;
}

/**
 * Opens multi-step generative denoising (NCVSD, Algorithm 2 and Proposition 2), or a single evaluation without `ts`:
 *
 *     x_N ~ N(0, sigma_N^2)
 *     for i = N … 1:  sigma_eff = (sigma^-2 + sigma_i^-2)^(-1/2),  y_eff = sigma_eff^2 (sigma^-2 y + sigma_i^-2 x_i)
 *                     x_0 = G(y_eff, sigma_eff)
 *                     x_{i-1} = x_0 + sigma_{i-1} (sqrt(zeta) eps + sqrt(1 - zeta) (x_i - x_0) / sigma_i)
 *
 * Draws in the reference's order: x_N, then per step z and eps (the last eps is drawn and thrown away); one evaluation: z.
 */
export async function openPrior(
  model: GenerativeDenoiser,
  run: Run,
  { labels, ts, zeta }: PriorOptions,
): Promise<Prior> {
  const { gpu, batch, elements, total, noise } = run;
  const g = run.hold(await model.openGenerator(batch, labels));
  await noise.prepare(g.z);
  const locateNonFinite = () => g.locateNonFinite();
  if (!ts) {
    return {
      observed: g.y,
      observedSigma: g.sigma,
      x0: g.x0,
      evaluations: 1,
      async sample(hooks, ownLevel) {
        await noise.fill(g.z);
        hooks.before?.(1);
        await run.submit(hooks.watch ? [g, hooks.watch] : [g]);
        await hooks.after?.(1, ownLevel);
      },
      locateNonFinite,
    };
  }

  const levels = [...ts, MULTI_STEP_LEVELS - 1].map(multiStepLevel);
  const [y, x, xNext, eps] = ["y", "x_i", "x_{i-1}", "noise"].map((name) => run.buffer(name)) as Four;
  const sigma = run.buffer("sigma", batch);
  const level = run.buffer("level", 3);
  const start = await run.stage("scale", scale, { elements: total }, { x: eps, factor: level, y: x });
  const views = { y, sigma, x, level, yEff: g.y, sigmaEff: g.sigma };
  const combine = await run.stage("sigma_combine", sigmaCombine, { batch, elements }, views);
  const again = await run.stage("renoise", renoise, { batch, elements }, { x0: g.x0, xi: x, eps, level, xNext });
  await noise.prepare(eps);
  return {
    observed: y,
    observedSigma: sigma,
    x0: g.x0,
    state: x,
    evaluations: ts.length,
    async sample(hooks) {
      await noise.fill(eps);
      gpu.write(level, Float32Array.of(levels[0]!, 0, 0));
      await run.submit([start]);
      for (let i = 0; i < ts.length; i++) {
        gpu.write(level, Float32Array.of(levels[i]!, levels[i + 1]!, zeta));
        await noise.fill(g.z);
        hooks.before?.(i + 1);
        await run.submit(hooks.watch ? [combine, g, hooks.watch] : [combine, g]);
        if (i + 1 < ts.length) {
          await noise.fill(eps);
          await run.submit([again], [[xNext, x]]);
        } else {
          noise.skip();
        }
        await hooks.after?.(i + 1, levels[i]!);
      }
    },
    locateNonFinite,
  };
}

type Four = [GPUBuffer, GPUBuffer, GPUBuffer, GPUBuffer];
