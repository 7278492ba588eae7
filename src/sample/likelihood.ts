import { bad } from "../errors.js";
import type { Operator } from "../operators/operator.js";
import { expectBuffer, hasEnergy, nameOf, openEnergy, openSession } from "./energy.js";
import { type LangevinOptions, Ula, ulaSettings } from "./langevin.js";
import type { Run } from "./run.js";

/** The likelihood step of PnP-GD for a fixed batch and measurement: from `centre` to `u`. */
export interface Likelihood {
  /** Sample of the prior, [N, C, H, W]. */
  readonly centre: GPUBuffer;
  /** Draw of p(u | y) ~ exp(-||A(u) - y||^2 / beta) N(u; centre, level^2). */
  readonly u: GPUBuffer;
  run(level: number): Promise<void>;
  /** Lets the draws of one step go by: for a step whose result nobody uses. */
  skip(): void;
}

export interface LikelihoodOptions {
  /** batch * measurementShape values. */
  readonly y: Float32Array;
  readonly beta: number;
  /** Settings of the Langevin dynamics. */
  readonly ula: LangevinOptions | undefined;
  /** Langevin dynamics even where the operator has a closed form. */
  readonly langevin?: boolean;
}

/** Opens the operator's closed form if it has one, else Langevin dynamics. */
export async function openLikelihood(
  run: Run,
  operator: Operator,
  { y, beta, ula, langevin: preferred = false }: LikelihoodOptions,
): Promise<Likelihood> {
  const { gpu, noise, total } = run;
  const closedForm = operator.sampleProximal !== undefined && !(preferred && hasEnergy(operator));
  // Also where they are not used: a mistake in them is told.
  ulaSettings(ula ?? {});
  if (!closedForm) {
    if (!hasEnergy(operator))
      throw bad(
        `The operator${nameOf(operator)} has neither sampleProximal, energyGradient nor adjoint: one of them is needed.`,
      );
    const langevin = await Ula.create(run, await openEnergy(run, operator, y), beta, ula);
    return {
      centre: langevin.origin,
      u: langevin.x,
      run: (level) => langevin.run(level),
      skip: () => langevin.skip(),
    };
  }
  const sigma = Math.sqrt(beta / 2);
  const session = await openSession(run, operator);
  if (session?.openProximal) {
    const stage = await session.openProximal();
    expectBuffer(operator, "out", stage.out, total);
    expectBuffer(operator, "z", stage.z, total);
    gpu.write(session.y, y);
    if (stage.prepare) await run.submit([stage.prepare]);
    await noise.prepare(stage.z);
    return {
      centre: session.x,
      u: stage.out,
      async run(level) {
        await noise.fill(stage.z);
        gpu.write(stage.level, Float32Array.of(sigma, level));
        await run.submit([stage]);
      },
      skip: () => noise.skip(),
    };
  }
  // An operator on arrays: one read-back per step.
  const [centre, u, z] = ["centre", "u", "noise"].map((name) => run.buffer(name)) as [GPUBuffer, GPUBuffer, GPUBuffer];
  await noise.prepare(z);
  return {
    centre,
    u,
    async run(level) {
      await noise.fill(z);
      const [x, draw] = [await run.read(centre), await run.read(z)];
      gpu.write(u, await operator.sampleProximal!({ x, y, sigma, rho: level, noise: draw }));
    },
    skip: () => noise.skip(),
  };
}
