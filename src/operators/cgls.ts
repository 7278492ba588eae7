import { cglsScalars } from "../../kernels/operators/cgls-scalars/kernel.js";
import { cglsVectors } from "../../kernels/operators/cgls-vectors/kernel.js";
import { levelSum } from "../../kernels/operators/level-sum/kernel.js";
import { squareSums } from "../../kernels/operators/square-sums/kernel.js";
import { piecesOf } from "../../kernels/operators/square-sums/reference.js";
import { bad, checkKeys } from "../errors.js";
import type { Kernel } from "../gpu/contract.js";
import type { Program } from "../graph/program.js";
import { type Encodable, stage } from "../graph/stage.js";
import { checkInteger, checkPositive, volume } from "./check.js";
import type { Operator, OperatorSession, Solve, SolverOptions } from "./operator.js";

/** Most steps between two looks at whether all images are finished: each look is a read-back. */
const STEPS_PER_LOOK = 10;

/** Numbers of an image's state, and where it says that it is finished, and after how many steps (kernels/operators/cgls-scalars). */
const STATE = 16;
const FINISHED = 3;
const STEPS = 4;

/** Checked, with what is missing filled in. */
export function solverSettings(name: string, solver: SolverOptions | undefined): Required<SolverOptions> {
  checkKeys(`${name}: solver`, solver ?? {}, { tolerance: true, maxIterations: true });
  const { tolerance = 0.01, maxIterations = 100 } = solver ?? {};
  return {
    tolerance: checkPositive(name, "solver.tolerance", tolerance),
    maxIterations: checkInteger(name, "solver.maxIterations", maxIterations, 1),
  };
}

/** What is solved: an operator, or the graphs of one. */
type Solvable = Pick<Operator, "name" | "shape" | "measurementShape"> & { readonly solver?: SolverOptions | undefined };

/**
 * The two-draw likelihood step of a linear operator that is known by its maps alone, on the GPU:
 *
 *     xt = x + rho z,  yt = y - s zy,  x' = xt + e,  e = argmin |A e - (yt - A xt)|^2 + (s / rho)^2 |e|^2
 *
 * by conjugate gradients in picture space that keep the two residuals apart (CGLS; Björck, Numerical Methods for Least Squares
 * Problems, 1996, section 7.4). al c / s^2 is exactly by how much a step lowered the squared distance to the solution in standard
 * deviations of the posterior, so that the tolerance is one in these. All numbers are per image and stay on the GPU; images that
 * are finished stand still. Sums are of a fixed order that does not depend on the batch.
 */
export class Cgls {
  /** Centre of the prior and the measurement, which the caller fills. */
  readonly centre: GPUBuffer;
  readonly y: GPUBuffer;
  /** The two draws, shaped like centre and y, and [s, rho]; the caller fills them. */
  readonly z: GPUBuffer;
  readonly zy: GPUBuffer;
  readonly level: GPUBuffer;
  readonly out: GPUBuffer;
  readonly #session: OperatorSession;
  readonly #label: string;
  readonly #owned: GPUBuffer[] = [];
  readonly #programs: Program[] = [];
  readonly #state: GPUBuffer;
  readonly #settings: Required<SolverOptions>;
  /** Zero in the beginning. */
  #cleared: readonly GPUBuffer[] = [];
  #start: readonly Encodable[] = [];
  #step: readonly Encodable[] = [];
  #finish: readonly Encodable[] = [];
  #warm = false;
  /** Steps of the last run: the next one is likely to take as many. */
  #last = STEPS_PER_LOOK;

  private constructor(session: OperatorSession, operator: Solvable) {
    const { batch } = session;
    this.#session = session;
    this.#label = operator.name || "linear operator";
    this.#settings = solverSettings(this.#label, operator.solver);
    const image = batch * volume(operator.shape);
    const measured = batch * volume(operator.measurementShape);
    this.centre = this.#buffer("centre", image);
    this.y = this.#buffer("measurement", measured);
    this.z = this.#buffer("z", image);
    this.zy = this.#buffer("second draw", measured);
    this.level = this.#buffer("level", 2);
    this.out = this.#buffer("draw", image);
    this.#state = this.#buffer("conjugate gradients", STATE * batch);
  }

  /** @throws NcvsdError BAD_ARGUMENT where the session has no forward or no adjoint, or the settings are wrong */
  static async open(session: OperatorSession, operator: Solvable): Promise<Cgls> {
    const cgls = new Cgls(session, operator);
    try {
      await cgls.#prepare(volume(operator.shape), volume(operator.measurementShape));
      return cgls;
    } catch (error) {
      cgls.destroy();
      throw error;
    }
  }

  #buffer(name: string, values: number): GPUBuffer {
    const made = this.#session.gpu.storage(`${this.#label}: ${name}`, 4 * values);
    this.#owned.push(made);
    return made;
  }

  async #prepare(image: number, measured: number): Promise<void> {
    const { gpu, batch, x: p, y: r1 } = this.#session;
    const forward = await this.#session.openForward?.();
    const adjoint = await this.#session.openAdjoint?.();
    if (!forward || !adjoint)
      throw bad(
        `${this.#label}: a session without openForward and openAdjoint cannot solve: give both, or openProximal.`,
      );
    const { level, centre } = this;
    const e = this.#buffer("e", batch * image);
    const r2 = this.#buffer("second residual", batch * image);
    const ofPicture = this.#buffer("sums of pictures", batch * piecesOf(image));
    const ofMeasurement = this.#buffer("sums of measurements", batch * piecesOf(measured));
    this.#cleared = [e, r2];

    const make = async <P extends object>(
      name: string,
      kernel: Kernel<P>,
      params: P,
      buffers: Readonly<Record<string, GPUBuffer>>,
    ) => {
      const program = await stage(gpu, `${this.#label}: ${name}`, kernel, params, buffers);
      this.#programs.push(program);
      return program;
    };
    const sum = (
      name: string,
      elements: number,
      which: "sigma" | "rho",
      [factor, other]: readonly [number, number],
      buffers: Record<string, GPUBuffer>,
    ) => make(name, levelSum, { elements, level: which, factor, other }, { level, ...buffers });
    const squares = (name: string, count: number, added: boolean, buffers: Record<string, GPUBuffer>) =>
      make(name, squareSums, { rows: batch, count, added }, buffers);
    const vectors = (
      part: "picture" | "measurement" | "direction",
      elements: number,
      buffers: Record<string, GPUBuffer>,
    ) => make(part, cglsVectors, { images: batch, elements, part }, { state: this.#state, ...buffers });
    const limit = this.#settings.tolerance ** 2 * image;
    const scalars = (
      part: "start" | "curvature" | "gradient",
      count: number,
      others: number,
      buffers: Record<string, GPUBuffer>,
    ) =>
      make(part, cglsScalars, { images: batch, part, count, others, limit }, { level, state: this.#state, ...buffers });

    const [n, m] = [batch * image, batch * measured];
    const [q, g] = [forward.out, adjoint.out];
    const gradient = [
      ...(adjoint.prepare ? [adjoint.prepare] : []),
      adjoint,
      await squares("|g|^2", image, true, { x: g, w: r2, level, y: ofPicture }),
    ];
    const first = { first: ofPicture };
    this.#start = [
      await sum("x + rho z", n, "rho", [1, 0], { a: centre, b: this.z, y: p }),
      forward,
      await sum("y - s zy - A xt", m, "sigma", [-1, -1], { a: this.y, b: this.zy, c: q, y: r1 }),
      ...gradient,
      await scalars("start", piecesOf(image), 0, first),
      await vectors("direction", image, { a: g, b: r2, level, y: p }),
    ];
    this.#step = [
      forward,
      await squares("|p|^2", image, false, { x: p, y: ofPicture }),
      await squares("|A p|^2", measured, false, { x: q, y: ofMeasurement }),
      await scalars("curvature", piecesOf(measured), piecesOf(image), { first: ofMeasurement, second: ofPicture }),
      await vectors("picture", image, { a: p, level, y: e, y2: r2 }),
      await vectors("measurement", measured, { a: q, y: r1 }),
      ...gradient,
      await scalars("gradient", piecesOf(image), 0, first),
      await vectors("direction", image, { a: g, b: r2, level, y: p }),
    ];
    this.#finish = [await sum("x + rho z + e", n, "rho", [1, 1], { a: centre, b: this.z, c: e, y: this.out })];
  }

  /** From centre, y, z, zy and level to `out`. */
  async run(): Promise<Solve> {
    const { gpu, batch } = this.#session;
    const { maxIterations } = this.#settings;
    let state: Float32Array;
    let done = 0;
    do {
      const work = done === 0 ? [...this.#start] : [];
      const likely = done === 0 ? this.#last + 1 : STEPS_PER_LOOK;
      const steps = Math.min(STEPS_PER_LOOK, likely, maxIterations - done);
      for (let i = 0; i < steps; i++) work.push(...this.#step);
      // A dispatch more, and the result is there whenever the images are finished.
      await this.#submit([...work, ...this.#finish], done === 0 ? this.#cleared : []);
      done += steps;
      state = await gpu.readF32(this.#state, STATE * batch);
    } while (done < maxIterations && !finished(state));
    const solve = { iterations: mostSteps(state), converged: finished(state) };
    this.#last = solve.iterations;
    this.#session.solved?.(solve);
    return solve;
  }

  async #submit(work: readonly Encodable[], cleared: readonly GPUBuffer[]): Promise<void> {
    const { gpu } = this.#session;
    const action = () => {
      gpu.check();
      const encoder = gpu.device.createCommandEncoder();
      for (const buffer of cleared) encoder.clearBuffer(buffer);
      const pass = encoder.beginComputePass();
      for (const item of work) item.encode(pass);
      pass.end();
      gpu.device.queue.submit([encoder.finish()]);
    };
    if (this.#warm) action();
    else await gpu.scoped(`${this.#label}: conjugate gradients`, action);
    this.#warm = true;
  }

  get bytes(): number {
    return this.#owned.reduce((sum, buffer) => sum + buffer.size, 0);
  }

  destroy(): void {
    const { gpu } = this.#session;
    for (const program of this.#programs) program.destroy();
    for (const buffer of this.#owned) gpu.destroyBuffer(buffer);
    this.#owned.length = 0;
    this.#programs.length = 0;
  }
}

function finished(state: Float32Array): boolean {
  for (let at = FINISHED; at < state.length; at += STATE) if (state[at] === 0) return false;
  return true;
}

function mostSteps(state: Float32Array): number {
  let most = 0;
  for (let at = STEPS; at < state.length; at += STATE) most = Math.max(most, state[at]!);
  return most;
}
