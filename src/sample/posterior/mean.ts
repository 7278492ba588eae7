import type { Encodable } from "../../graph/stage.js";
import type { Operator } from "../../operators/operator.js";
import { nameOf } from "../energy.js";
import { openExactStep } from "../likelihood.js";
import type { Run } from "../run.js";
import type { Problem } from "./sampler.js";

/** The mean m(x; sigmaY, r) of N(x, r^2) given y, for a fixed batch and measurement: from `x` to `mean`. */
export interface PosteriorMean {
  /** [N, C, H, W] */
  readonly x: GPUBuffer;
  /** [N, C, H, W], after `run`. */
  readonly mean: GPUBuffer;
  /** @param more recorded behind it, in the same submission where that goes */
  run(rho: number, more?: readonly Encodable[]): Promise<void>;
}

/** What an operator lacks for a posterior mean; undefined: nothing. */
export function lacksMean(operator: Operator): string | undefined {
  return operator.sampleProximal ? undefined : `an exact likelihood step, which the operator${nameOf(operator)} lacks`;
}

/** Opens the operator's likelihood step without its noise: x + r^2 A'(sigmaY^2 + r^2 A A')^-1 (y - A x) of a linear A. */
export async function openMean(run: Run, { operator, y, sigmaY }: Problem): Promise<PosteriorMean> {
  const step = await openExactStep(run, operator, { y, sigma: sigmaY });
  return { x: step.centre, mean: step.u, run: (rho, more) => step.mean(rho, more) };
}
