import { clip as clipKernel } from "../../../kernels/sampling/clip/kernel.js";
import type { Encodable } from "../../graph/stage.js";
import type { Evaluated } from "../evaluated.js";
import type { Run } from "../run.js";
import { openMean } from "./mean.js";
import type { Problem } from "./sampler.js";

/** A network's estimate of x0 for one batch: the mean D(x, sigma), or a draw of G(x, sigma, z). */
export interface Estimate {
  /** Noisy image, [N, C, H, W]. */
  readonly x: GPUBuffer;
  /** [N, C, H, W], after `evaluate`. */
  readonly estimate: GPUBuffer;
  /** From `x` at `level`. `more` is recorded behind it, in the same submission; then comes the copy. G's z is drawn first. */
  evaluate(level: number, more?: readonly Encodable[], copy?: readonly [from: GPUBuffer, to: GPUBuffer]): Promise<void>;
  locateNonFinite(): Promise<string | undefined>;
}

/** Opens D of a teacher, or G of a generative denoiser in its place. */
export async function openEstimate(run: Run, { model, labels, generative }: Problem): Promise<Estimate> {
  const { batch, noise } = run;
  if (!generative) {
    const net = run.hold(await model.openDenoiser(batch, labels));
    return {
      x: net.x,
      estimate: net.denoised,
      async evaluate(level, more = [], copy) {
        run.fill(net.sigma, level);
        await run.submit([net, ...more], copy ? [copy] : []);
      },
      locateNonFinite: () => net.locateNonFinite(),
    };
  }
  const g = run.hold(await model.openGenerator(batch, labels));
  await noise.prepare(g.z);
  return {
    x: g.y,
    estimate: g.x0,
    async evaluate(level, more = [], copy) {
      run.fill(g.sigma, level);
      await noise.fill(g.z);
      await run.submit([g, ...more], copy ? [copy] : []);
    },
    locateNonFinite: () => g.locateNonFinite(),
  };
}

/**
 * A conditional denoiser D_y(x, sigma), an estimate of E[x0 | x, y], for one batch: it takes a denoiser's place in an ordinary
 * sampler. It owns the network's session, and the operator's.
 */
export interface ConditionalDenoiser extends Evaluated {
  /** What the network gave, [N, C, H, W]. */
  readonly sample: GPUBuffer;
  /** h, added to the next state by the solvers ddim and zeta: a guidance that is not part of D_y. Absent: none. */
  readonly correction?: GPUBuffer;
  /**
   * Fills `denoised` (and `correction`) from `input`, [N, C, H, W], at level `sigma`.
   * @param next the level after the step, 0 after the last
   */
  evaluate(input: GPUBuffer, sigma: number, next: number): Promise<void>;
  locateNonFinite(): Promise<string | undefined>;
}

/** r(s) = s p / sqrt(s^2 + p^2): the error of D if images were N(0, p^2) (PiGDM, Song et al. 2023). */
export const priorRho = (sigmaPrior: number) => (sigma: number) =>
  (sigma * sigmaPrior) / Math.sqrt(sigma * sigma + sigmaPrior * sigmaPrior);

/**
 * D_y = m(D(x, s); sigmaY, r(s)), the mean of N(D, r^2) given y; clipped to [-1, 1] where `clip` says so.
 * @param rho r of a level
 */
export async function openMeanDenoiser(
  run: Run,
  problem: Problem,
  { rho, clip }: { readonly rho: (sigma: number) => number; readonly clip: boolean },
): Promise<ConditionalDenoiser> {
  const net = await openEstimate(run, problem);
  const posterior = await openMean(run, problem);
  const clipped = clip ? run.buffer("D_y") : undefined;
  const cut =
    clipped && (await run.stage("clip", clipKernel, { elements: run.total }, { x: posterior.mean, y: clipped }));
  return {
    denoised: clipped ?? posterior.mean,
    sample: net.estimate,
    async evaluate(input, sigma) {
      await run.submit([], [[input, net.x]]);
      await net.evaluate(sigma, [], [net.estimate, posterior.x]);
      await posterior.run(rho(sigma), cut ? [cut] : []);
    },
    locateNonFinite: () => net.locateNonFinite(),
  };
}
