import { bad } from "../errors.js";
import type { Encodable } from "../graph/stage.js";
import { Cgls } from "../operators/cgls.js";
import { volume } from "../operators/check.js";
import type { Operator, OperatorSession } from "../operators/operator.js";
import { requireLinear } from "../operators/own.js";
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

/**
 * The exact likelihood step for a fixed batch and measurement, of every operator that has one: from `centre` to `u`, with
 * p(u | y) ~ N(y; A u, s_y^2) N(u; centre, rho^2), s_y as it was opened and rho the caller's. What steps by conjugate gradients
 * take is noted in the run's `solves`.
 */
export interface ExactStep {
  readonly centre: GPUBuffer;
  readonly u: GPUBuffer;
  /** One draw; takes the next draw of the run's noise, or two where the operator has a second one. */
  draw(rho: number): Promise<void>;
  /**
   * The mean m(centre; s_y, rho); takes no noise.
   * @param more recorded behind it, in the same submission where that goes
   */
  mean(rho: number, more?: readonly Encodable[]): Promise<void>;
  /** Lets the draws of one step go by. */
  skip(): void;
}

export interface LikelihoodOptions {
  /** batch * measurementShape values. */
  readonly y: Float32Array;
  readonly beta: number;
  /** Settings of the Langevin dynamics. */
  readonly ula: LangevinOptions | undefined;
  /** Langevin dynamics even where the operator has an exact step. */
  readonly langevin?: boolean;
}

/**
 * Is the likelihood step exact: a closed form, or conjugate gradients because the operator is linear? (A checked operator:
 * `watched`.) Not where Langevin dynamics is asked for, by `langevin`, or by `ula` for operators that are recorded with it.
 */
export function takesExactStep(
  operator: Operator,
  { ula, langevin = false }: { readonly ula?: object | null | undefined; readonly langevin?: boolean },
): boolean {
  const wanted = langevin || (ula !== undefined && ula !== null && operator.langevinByUla === true);
  return operator.sampleProximal !== undefined && !(wanted && hasEnergy(operator));
}

/** Opens the operator's exact step if it has one, else Langevin dynamics. */
export async function openLikelihood(
  run: Run,
  operator: Operator,
  { y, beta, ula, langevin: preferred = false }: LikelihoodOptions,
): Promise<Likelihood> {
  // Also where they are not used: a mistake in them is told.
  ulaSettings(ula ?? {});
  if (!takesExactStep(operator, { ula, langevin: preferred })) {
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
  const step = await openExactStep(run, operator, { y, sigma: Math.sqrt(beta / 2) });
  return { centre: step.centre, u: step.u, run: (level) => step.draw(level), skip: () => step.skip() };
}

/**
 * Opens the exact likelihood step of an operator that has one.
 * @param sigma standard deviation s_y of the measurement's noise
 * @throws NcvsdError BAD_ARGUMENT, also where an operator that gives its adjoint is not linear
 */
export async function openExactStep(
  run: Run,
  operator: Operator,
  { y, sigma }: { readonly y: Float32Array; readonly sigma: number },
): Promise<ExactStep> {
  await requireLinear(operator);
  const session = await openSession(run, operator);
  if (session?.openProximal) return openClosedForm(run, operator, session, y, sigma);
  if (session?.openForward && session.openAdjoint && operator.solver) return openCgls(run, operator, session, y, sigma);
  return openArrays(run, operator, y, sigma);
}

/** The draws of one step: the second is there where the operator has a noiseShape. */
async function drawsOf(run: Run, operator: Operator, z: GPUBuffer, zy: GPUBuffer | undefined) {
  const { gpu, noise } = run;
  const second = operator.noiseShape ? volume(operator.noiseShape) : 0;
  if (second) expectBuffer(operator, "zy", zy as GPUBuffer, run.batch * second);
  await noise.prepare(z);
  if (second) await noise.prepare(zy!, second);
  let zeroed = false;
  return {
    async fill() {
      zeroed = false;
      await noise.fill(z);
      if (second) await noise.fill(zy!, second);
    },
    zero() {
      if (zeroed) return;
      zeroed = true;
      const encoder = gpu.device.createCommandEncoder();
      encoder.clearBuffer(z);
      if (second) encoder.clearBuffer(zy!);
      gpu.device.queue.submit([encoder.finish()]);
    },
    skip() {
      noise.skip();
      if (second) noise.skip(second);
    },
  };
}

async function openClosedForm(
  run: Run,
  operator: Operator,
  session: OperatorSession,
  y: Float32Array,
  sigma: number,
): Promise<ExactStep> {
  const { gpu, total } = run;
  const stage = await session.openProximal!();
  expectBuffer(operator, "out", stage.out, total);
  expectBuffer(operator, "z", stage.z, total);
  gpu.write(session.y, y);
  if (stage.prepare) await run.submit([stage.prepare]);
  const draws = await drawsOf(run, operator, stage.z, stage.zy);
  const step = async (rho: number, more: readonly Encodable[] = []) => {
    gpu.write(stage.level, Float32Array.of(sigma, rho));
    await run.submit([stage, ...more]);
  };
  return {
    centre: session.x,
    u: stage.out,
    async draw(rho) {
      await draws.fill();
      await step(rho);
    },
    async mean(rho, more = []) {
      if (hasLaw(operator)) {
        gpu.write(stage.out, await lawMean(operator, await run.read(session.x), y, sigma, rho));
        await run.submit(more);
        return;
      }
      draws.zero();
      await step(rho, more);
    },
    skip: () => draws.skip(),
  };
}

/** Conjugate gradients on the GPU: one read-back per ten steps. */
async function openCgls(
  run: Run,
  operator: Operator,
  session: OperatorSession,
  y: Float32Array,
  sigma: number,
): Promise<ExactStep> {
  const { gpu } = run;
  const cgls = await Cgls.open(session, operator);
  run.hold({ release: () => cgls.destroy() });
  gpu.write(cgls.y, y);
  const draws = await drawsOf(run, operator, cgls.z, cgls.zy);
  const step = async (rho: number) => {
    gpu.write(cgls.level, Float32Array.of(sigma, rho));
    run.solves.push(await cgls.run());
  };
  return {
    centre: cgls.centre,
    u: cgls.out,
    async draw(rho) {
      await draws.fill();
      await step(rho);
    },
    async mean(rho, more = []) {
      draws.zero();
      await step(rho);
      await run.submit(more);
    },
    skip: () => draws.skip(),
  };
}

/** An operator on arrays: one read-back per step. */
async function openArrays(run: Run, operator: Operator, y: Float32Array, sigma: number): Promise<ExactStep> {
  const { gpu, batch, total } = run;
  const second = operator.noiseShape ? batch * volume(operator.noiseShape) : 0;
  const [centre, u, z] = ["centre", "u", "noise"].map((name) => run.buffer(name)) as [GPUBuffer, GPUBuffer, GPUBuffer];
  const zy = second ? run.buffer("second draw", second) : undefined;
  const draws = await drawsOf(run, operator, z, zy);
  const step = async (rho: number, noise: Float32Array, noiseY: Float32Array | undefined) => {
    const x = await run.read(centre);
    const input = { x, y, sigma, rho, noise, ...(noiseY ? { noiseY } : {}) };
    gpu.write(u, await operator.sampleProximal!(input));
    if (operator.solve) run.solves.push(operator.solve);
  };
  return {
    centre,
    u,
    async draw(rho) {
      await draws.fill();
      await step(rho, await run.read(z), zy && (await gpu.readF32(zy, second)));
    },
    async mean(rho, more = []) {
      if (hasLaw(operator)) gpu.write(u, await lawMean(operator, await run.read(centre), y, sigma, rho));
      else await step(rho, new Float32Array(total), second ? new Float32Array(second) : undefined);
      await run.submit(more);
    },
    skip: () => draws.skip(),
  };
}

/** Whether zero noise gives something else than the mean: pointwise laws are drawn as quantiles. */
const hasLaw = ({ law, posteriorMean }: Operator) => law !== undefined || posteriorMean !== undefined;

async function lawMean(
  operator: Operator,
  x: Float32Array,
  y: Float32Array,
  sigma: number,
  rho: number,
): Promise<Float32Array> {
  const input = { x, y, sigma, rho };
  if (operator.posteriorMean) return operator.posteriorMean(input);
  const { mean } = await operator.law!(input);
  if (mean.length !== x.length)
    throw bad(`The law of the operator${nameOf(operator)} has ${mean.length} means for ${x.length} pixels.`);
  return Float32Array.from(mean);
}
