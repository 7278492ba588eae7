import { bad, checkKeys, NcvsdError } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import type { Tensor } from "../graph/graph.js";
import { ProgramPool } from "../graph/pool.js";
import type { ImageShape } from "../networks/session.js";
import { drawNoise } from "../random/noise.js";
import { Cgls, solverSettings } from "./cgls.js";
import { countOf, volume } from "./check.js";
import { checkDraw, measurementsOf } from "./draw-input.js";
import type {
  Operator,
  OperatorSession,
  OperatorStage,
  ProximalInput,
  ProximalStage,
  Solve,
  SolverOptions,
} from "./operator.js";
import { trusted } from "./own.js";
import { type OpenStage, StageGraph } from "./stage-graph.js";

/**
 * An operator as graphs: each builder wires its stage and returns the tensor of the result, `stage.out(…)`. With `adjoint` and
 * without `proximal` it is linear, and its likelihood step made by conjugate gradients of two draws.
 */
export interface OperatorGraphs extends Pick<Operator, "curvature" | "langevinByUla" | "warning"> {
  readonly name: string;
  readonly shape: ImageShape;
  readonly measurementShape: readonly number[];
  /** From x. */
  forward(stage: StageGraph): Tensor;
  /** From y. */
  adjoint?(stage: StageGraph): Tensor;
  /** From x, y, z and level = [sigma, rho], and zy where there is a noiseShape. */
  proximal?(stage: StageGraph): Tensor | Promise<Tensor>;
  /** From x and y. */
  gradient?(stage: StageGraph): Tensor;
  /** Extents of one picture's second draw that `proximal` reads. */
  readonly noiseShape?: readonly number[];
  /** Of the conjugate gradients. */
  readonly solver?: SolverOptions | undefined;
  /** `proximal` takes a sigma of 0. */
  readonly withoutNoise?: boolean;
}

/** An operator whose maps all run on the GPU. */
export interface GpuOperator extends Operator {
  readonly name: string;
  readonly gpu: Gpu;
  open(batch: number): Promise<OperatorSession>;
  close(): void;
}

type Kind = "forward" | "adjoint" | "proximal" | "gradient";

/** Makes an operator of graphs: its methods on arrays, and its sessions. */
export function gpuOperator(gpu: Gpu, graphs: OperatorGraphs): GpuOperator {
  const { name, shape, measurementShape } = graphs;
  const image = volume(shape);
  const measured = volume(measurementShape);
  const iterative = graphs.adjoint !== undefined && graphs.proximal === undefined;
  const noiseShape = iterative ? measurementShape : graphs.noiseShape;
  const solver = iterative ? solverSettings(name, graphs.solver) : undefined;
  let solve: Solve | undefined;
  const open = (batch: number) => {
    const session = new Session(gpu, { ...graphs, ...(solver ? { solver } : {}) }, batch);
    session.solved = (told) => {
      solve = told;
    };
    return session;
  };
  const idle = new ProgramPool<number, Session>(gpu);
  const check = () => {
    if (idle.closed) throw bad(`${name} is closed: make the operator again.`);
  };

  const evaluate = async (
    kind: Kind,
    batch: number,
    given: Readonly<Record<string, Float32Array | undefined>>,
    fill: (session: Session, stage: OpenStage) => void | Promise<void>,
  ) => {
    const work = async (session: Session) => {
      const stage = await session.stage(kind);
      await fill(session, stage);
      await gpu.scoped(`${name}: ${kind}`, () => {
        const encoder = gpu.device.createCommandEncoder();
        const pass = encoder.beginComputePass();
        stage.prepare?.encode(pass);
        stage.encode(pass);
        pass.end();
        gpu.device.queue.submit([encoder.finish()]);
      });
      return stage.buffer("out")!;
    };
    return finite(kind, batch, given, work);
  };
  /** The buffer that `work` gives, read back. */
  const finite = async (
    kind: Kind,
    batch: number,
    given: Readonly<Record<string, Float32Array | undefined>>,
    work: (session: Session) => Promise<GPUBuffer>,
  ) => {
    check();
    const session = idle.take(batch) ?? open(batch);
    try {
      const result = await gpu.readF32(await work(session), batch * (kind === "forward" ? measured : image));
      if (result.some((v) => !Number.isFinite(v))) {
        const wrong = Object.entries(given).find(([, values]) => values?.some((v) => !Number.isFinite(v)));
        const why = wrong ? `${wrong[0]} holds such values` : "its inputs are too large for single precision";
        throw new NcvsdError("NOT_FINITE", `${name}: the ${kind} gave values that are not finite: ${why}.`);
      }
      return result;
    } finally {
      idle.give(batch, session);
    }
  };
  const images = (what: string, x: Float32Array) => countOf(`${name}: ${what}`, x, image, shape);
  const measurements = (y: Float32Array, batch?: number) => measurementsOf(name, graphs, y, batch);

  const operator: { -readonly [K in keyof GpuOperator]: GpuOperator[K] } = {
    name,
    gpu,
    shape,
    measurementShape,
    forward: (x) => promised(() => evaluate("forward", images("x", x), { x }, (s) => gpu.write(s.x, x))),
    open: async (batch) => {
      if (!Number.isInteger(batch) || batch < 1) throw bad(`${name}: batch must be a positive integer, got ${batch}.`);
      check();
      return open(batch);
    },
    close: () => idle.close(),
    ...(graphs.curvature === undefined ? {} : { curvature: graphs.curvature }),
    ...(graphs.warning === undefined ? {} : { warning: graphs.warning }),
    ...(graphs.langevinByUla ? { langevinByUla: true } : {}),
    ...(noiseShape ? { noiseShape } : {}),
    ...(solver ? { solver } : {}),
  };
  if (graphs.adjoint)
    operator.adjoint = (y) => promised(() => evaluate("adjoint", measurements(y), { y }, (s) => gpu.write(s.y, y)));
  if (graphs.gradient) {
    operator.energyGradient = (input) =>
      promised(() => {
        checkKeys(`${name}: energyGradient`, input, { x: true, y: true });
        const { x, y } = input;
        const batch = images("x", x);
        measurements(y, batch);
        return evaluate("gradient", batch, { x, y }, (s) => {
          gpu.write(s.x, x);
          gpu.write(s.y, y);
        });
      });
  }
  if (graphs.proximal || iterative) {
    operator.sampleProximal = (input) => promised(() => draw(input));
  }
  if (iterative) Object.defineProperty(operator, "solve", { get: () => solve, enumerable: true });

  function draw(input: ProximalInput): Promise<Float32Array> {
    const batch = checkDraw(name, operator, input, graphs.withoutNoise);
    const { x, y, sigma, rho, noise, noiseY, seeds } = input;
    const fill = async (step: { z: GPUBuffer; zy?: GPUBuffer; level: GPUBuffer }) => {
      gpu.write(step.level, Float32Array.of(sigma, rho));
      if (noise) gpu.write(step.z, noise);
      else await drawNoise(gpu, step.z, seeds, batch, image);
      if (noiseY) gpu.write(step.zy!, noiseY);
      else if (step.zy) await drawNoise(gpu, step.zy, seeds, batch, volume(noiseShape!), 1);
    };
    const given = { x, y, noise, noiseY };
    if (!iterative)
      return evaluate("proximal", batch, given, async (session, stage) => {
        gpu.write(session.x, x);
        gpu.write(session.y, y);
        await fill(proximalBuffers(stage));
      });
    return finite("proximal", batch, given, async (session) => {
      const cgls = await session.cgls();
      gpu.write(cgls.centre, x);
      gpu.write(cgls.y, y);
      await fill(cgls);
      await cgls.run();
      return cgls.out;
    });
  }
  return trusted(operator);
}

/** Argument errors become rejections: every method is async. */
async function promised<T>(action: () => Promise<T>): Promise<T> {
  return action();
}

class Session implements OperatorSession {
  readonly gpu: Gpu;
  readonly batch: number;
  readonly x: GPUBuffer;
  readonly y: GPUBuffer;
  readonly openForward: () => Promise<OperatorStage>;
  readonly openAdjoint?: () => Promise<OperatorStage>;
  readonly openProximal?: () => Promise<ProximalStage>;
  readonly openGradient?: () => Promise<OperatorStage>;
  readonly #graphs: OperatorGraphs;
  solved?: (solve: Solve) => void;
  readonly #stages = new Map<Kind, Promise<OpenStage>>();
  #cgls: Promise<Cgls> | undefined;
  #openedCgls: Cgls | undefined;
  readonly #opened: OpenStage[] = [];
  #released = false;

  constructor(gpu: Gpu, graphs: OperatorGraphs, batch: number) {
    this.gpu = gpu;
    this.batch = batch;
    this.#graphs = graphs;
    this.x = gpu.storage(`${graphs.name} x`, 4 * batch * volume(graphs.shape));
    this.y = gpu.storage(`${graphs.name} y`, 4 * batch * volume(graphs.measurementShape));
    this.openForward = () => this.#open("forward");
    if (graphs.adjoint) this.openAdjoint = () => this.#open("adjoint");
    if (graphs.gradient) this.openGradient = () => this.#open("gradient");
    if (graphs.proximal) {
      this.openProximal = async () => {
        const stage = await this.stage("proximal");
        return { ...asStage(stage), ...proximalBuffers(stage) };
      };
    }
  }

  /** Steps by conjugate gradients, opened once. */
  cgls(): Promise<Cgls> {
    const opened = async () => {
      this.#openedCgls = await Cgls.open(this, this.#graphs);
      return this.#openedCgls;
    };
    this.#cgls ??= opened();
    this.#cgls.catch(() => {
      this.#cgls = undefined;
    });
    return this.#cgls;
  }

  stage(kind: Kind): Promise<OpenStage> {
    let stage = this.#stages.get(kind);
    if (!stage) {
      stage = this.#create(kind);
      this.#stages.set(kind, stage);
      stage.catch(() => this.#stages.delete(kind));
    }
    return stage;
  }

  async #create(kind: Kind): Promise<OpenStage> {
    const { name, shape, measurementShape, noiseShape = [] } = this.#graphs;
    const image = [this.batch, ...shape];
    const graph = new StageGraph(this.batch, {
      x: image,
      y: [this.batch, ...measurementShape],
      z: image,
      zy: [this.batch, ...noiseShape],
      level: [2],
    });
    await this.#graphs[kind]!(graph);
    const buffers = new Map([
      ["x", this.x],
      ["y", this.y],
    ]);
    const stage = await graph.open(this.gpu, `${name}: ${kind}`, buffers);
    this.#opened.push(stage);
    return stage;
  }

  async #open(kind: Kind): Promise<OperatorStage> {
    return asStage(await this.stage(kind));
  }

  get bytes(): number {
    const own = this.x.size + this.y.size + (this.#openedCgls?.bytes ?? 0);
    return this.#opened.reduce((sum, stage) => sum + stage.bytes, own);
  }

  destroy(): void {
    this.release();
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#openedCgls?.destroy();
    for (const stage of this.#opened) stage.destroy();
    this.gpu.destroyBuffer(this.x);
    this.gpu.destroyBuffer(this.y);
    this.gpu.flushDestroyed();
  }
}

function proximalBuffers(stage: OpenStage): Pick<ProximalStage, "z" | "zy" | "level"> {
  const zy = stage.buffer("zy");
  return { z: stage.buffer("z")!, level: stage.buffer("level")!, ...(zy ? { zy } : {}) };
}

function asStage(stage: OpenStage): OperatorStage {
  const out = stage.buffer("out")!;
  const encode = (pass: GPUComputePassEncoder) => stage.encode(pass);
  return stage.prepare ? { out, encode, prepare: stage.prepare } : { out, encode };
}
