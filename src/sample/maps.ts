import { axpby } from "../../kernels/network/axpby/kernel.js";
import type { Encodable } from "../graph/stage.js";
import { volume } from "../operators/check.js";
import type { Operator, OperatorStage } from "../operators/operator.js";
import { requireLinear } from "../operators/own.js";
import { arrayGradient, expectBuffer, openSession } from "./energy.js";
import type { Run } from "./run.js";

/** A piece of a sampler's work: recorded, or done through arrays and a read-back. */
export type Step = Encodable | (() => Promise<void>);

/** Does the steps in order, in as few submissions as possible. */
export async function perform(run: Run, steps: readonly Step[]): Promise<void> {
  let work: Encodable[] = [];
  for (const step of steps) {
    if (typeof step !== "function") {
      work.push(step);
      continue;
    }
    if (work.length > 0) await run.submit(work);
    work = [];
    await step();
  }
  if (work.length > 0) await run.submit(work);
}

/** Copies values within a submission: a copy of the encoder's own would end it. */
export function copying(run: Run, from: GPUBuffer, to: GPUBuffer, elements: number): Promise<Encodable> {
  return run.stage("copy", axpby, { elements, type: "f32", alpha: 1, beta: null }, { a: from, y: to });
}

/** One of an operator's maps: `step` fills `out`. */
export interface Mapped {
  readonly out: GPUBuffer;
  readonly step: Step;
}

/** An operator's maps for a fixed batch; they share `x` and `y`. */
export interface Maps {
  /** [N, C, H, W] */
  readonly x: GPUBuffer;
  /** [N, ...measurementShape] */
  readonly y: GPUBuffer;
  /** Entries of all measurements. */
  readonly entries: number;
  /** A(x). */
  forward(): Promise<Mapped>;
  /** A'y of a linear operator. @throws NcvsdError BAD_ARGUMENT where an own operator's adjoint is none */
  adjoint(): Promise<Mapped>;
  /** Gradient of ||A(x) - y||^2, where y is what it is now. */
  gradient(): Promise<Mapped>;
}

/** Opens an operator's maps: on the GPU where it has a session, else on arrays. */
export async function openMaps(run: Run, operator: Operator): Promise<Maps> {
  const { gpu, batch, total } = run;
  const entries = batch * volume(operator.measurementShape);
  const session = await openSession(run, operator);
  const x = session?.x ?? run.buffer("operator x");
  const y = session?.y ?? run.buffer("operator y", entries);
  const onArrays = (length: number, give: () => Promise<Float32Array>): Mapped => {
    const out = run.buffer("operator out", length);
    return { out, step: async () => gpu.write(out, await give()) };
  };
  const recorded = (stage: OperatorStage, length: number): OperatorStage => {
    expectBuffer(operator, "out", stage.out, length);
    return stage;
  };
  const readX = () => run.read(x);
  const readY = () => gpu.readF32(y, entries);
  return {
    ...{ x, y, entries },
    async forward() {
      if (!session?.openForward) return onArrays(entries, async () => operator.forward(await readX()));
      const stage = recorded(await session.openForward(), entries);
      return { out: stage.out, step: stage };
    },
    async adjoint() {
      await requireLinear(operator);
      if (!session?.openAdjoint) return onArrays(total, async () => operator.adjoint!(await readY()));
      const stage = recorded(await session.openAdjoint(), total);
      const encode = (pass: GPUComputePassEncoder) => {
        // y is another one every time.
        stage.prepare?.encode(pass);
        stage.encode(pass);
      };
      return { out: stage.out, step: { encode } };
    },
    async gradient() {
      if (!session?.openGradient) {
        const gradientOf = arrayGradient(operator);
        const measured = await readY();
        return onArrays(total, async () => gradientOf(await readX(), measured));
      }
      const stage = recorded(await session.openGradient(), total);
      if (stage.prepare) await run.submit([stage.prepare]);
      return { out: stage.out, step: stage };
    },
  };
}
