import type { Encodable } from "../../graph/stage.js";
import type { Operator } from "../../operators/operator.js";
import { expectBuffer, nameOf, openSession } from "../energy.js";
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
  return operator.sampleProximal ? undefined : `a closed form of the likelihood step, which${nameOf(operator)} lacks`;
}

/** Opens the operator's likelihood step without its noise: x + r^2 A'(sigmaY^2 + r^2 A A')^-1 (y - A x) of a linear A. */
export async function openMean(run: Run, { operator, y, sigmaY }: Problem): Promise<PosteriorMean> {
  const { gpu, total } = run;
  const session = await openSession(run, operator);
  if (session?.openProximal) {
    const stage = await session.openProximal();
    expectBuffer(operator, "out", stage.out, total);
    expectBuffer(operator, "z", stage.z, total);
    gpu.write(session.y, y);
    gpu.write(stage.z, new Float32Array(total));
    if (stage.prepare) await run.submit([stage.prepare]);
    return {
      x: session.x,
      mean: stage.out,
      async run(rho, more = []) {
        gpu.write(stage.level, Float32Array.of(sigmaY, rho));
        await run.submit([stage, ...more]);
      },
    };
  }
  // An operator on arrays: one read-back per step.
  const [x, mean] = [run.buffer("centre"), run.buffer("mean")];
  const noise = new Float32Array(total);
  return {
    x,
    mean,
    async run(rho, more = []) {
      gpu.write(mean, await operator.sampleProximal!({ x: await run.read(x), y, sigma: sigmaY, rho, noise }));
      await run.submit(more);
    },
  };
}
