import { bad } from "../errors.js";
import type { Encodable } from "../graph/stage.js";
import { volume } from "../operators/check.js";
import type { Operator, OperatorSession } from "../operators/operator.js";
import type { Run } from "./run.js";

/** The gradient of ||A(x) - y||^2 for a fixed batch and measurement: from `x` to `gradient` on the GPU. */
export interface Energy {
  readonly x: GPUBuffer;
  readonly gradient: GPUBuffer;
  /** Records one evaluation; absent: the operator works on arrays and `evaluate` does it through a read-back. */
  readonly stage?: Encodable;
  readonly evaluate?: () => Promise<void>;
}

/** Can the operator be sampled with Langevin dynamics? */
export function hasEnergy(operator: Operator): boolean {
  return operator.energyGradient !== undefined || operator.adjoint !== undefined;
}

/** Opens an operator's session on the run's device, if it has sessions. */
export async function openSession(run: Run, operator: Operator): Promise<OperatorSession | undefined> {
  const { batch } = run;
  const session = await operator.open?.(batch);
  if (!session) return undefined;
  run.hold(session);
  if (session.gpu !== run.gpu)
    throw bad(`The operator${nameOf(operator)} is on another device than the network: make it with the same gpu.`);
  expectBuffer(operator, "x", session.x, batch * volume(operator.shape));
  expectBuffer(operator, "y", session.y, batch * volume(operator.measurementShape));
  return session;
}

/** Opens the energy of `operator` with the measurement `y` (batch * measurementShape values). */
export async function openEnergy(run: Run, operator: Operator, y: Float32Array): Promise<Energy> {
  const { gpu } = run;
  const session = await openSession(run, operator);
  if (session?.openGradient) {
    const stage = await session.openGradient();
    expectBuffer(operator, "out", stage.out, run.total);
    gpu.write(session.y, y);
    if (stage.prepare) await run.submit([stage.prepare]);
    return { x: session.x, gradient: stage.out, stage };
  }
  const gradientOf = arrayGradient(operator);
  const x = run.buffer("x");
  const gradient = run.buffer("gradient");
  const evaluate = async () => {
    gpu.write(gradient, await gradientOf(await run.read(x), y));
  };
  return { x, gradient, evaluate };
}

/** The gradient from whatever array methods the operator has. */
export function arrayGradient(operator: Operator): (x: Float32Array, y: Float32Array) => Promise<Float32Array> {
  if (operator.energyGradient) return (x, y) => operator.energyGradient!({ x, y });
  if (!operator.adjoint)
    throw bad(
      `The operator${nameOf(operator)} has neither sampleProximal, energyGradient nor adjoint: one of them is needed.`,
    );
  return async (x, y) => {
    const ax = await operator.forward(x);
    const v = await operator.adjoint!(ax.map((value, i) => value - y[i]!));
    return v.map((value) => 2 * value);
  };
}

/** Buffers of an own operator's session are bound and copied whole. */
export function expectBuffer(operator: Operator, name: string, buffer: GPUBuffer, values: number): void {
  const bytes = Math.ceil(values / 4) * 16;
  if (buffer?.size !== bytes) {
    throw bad(
      `The buffer ${name} of the operator${nameOf(operator)} has ${buffer?.size} bytes for ${values} values: make it with gpu.storage(label, 4 * values), which gives ${bytes}.`,
    );
  }
}

export function nameOf(operator: Operator): string {
  return operator.name ? ` ${operator.name}` : "";
}
