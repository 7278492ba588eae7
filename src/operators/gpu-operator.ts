import { bad, checkKeys, NcvsdError } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import type { Tensor } from "../graph/graph.js";
import { ProgramPool } from "../graph/pool.js";
import type { ImageShape } from "../networks/session.js";
import { drawNoise } from "../random/noise.js";
import { checkPositive, countOf, volume } from "./check.js";
import type { Operator, OperatorSession, OperatorStage, ProximalStage } from "./operator.js";
import { trusted } from "./own.js";
import { type OpenStage, StageGraph } from "./stage-graph.js";

/** An operator as graphs: each builder wires its stage and returns the tensor of the result, `stage.out(…)`. */
export interface OperatorGraphs {
  readonly name: string;
  readonly shape: ImageShape;
  readonly measurementShape: readonly number[];
  /** From x. */
  forward(stage: StageGraph): Tensor;
  /** From y. */
  adjoint?(stage: StageGraph): Tensor;
  /** From x, y, z and level = [sigma, rho]. */
  proximal?(stage: StageGraph): Tensor;
  /** From x and y. */
  gradient?(stage: StageGraph): Tensor;
}

/** An operator whose maps all run on the GPU. */
export interface GpuOperator extends Operator {
  readonly name: string;
  readonly gpu: Gpu;
  open(batch: number): Promise<OperatorSession>;
  close(): void;
}

/** For checkKeys. */
const PROXIMAL = { x: true, y: true, sigma: true, rho: true, noise: true, seeds: true } as const;

type Kind = "forward" | "adjoint" | "proximal" | "gradient";

/** Makes an operator of graphs: its methods on arrays, and its sessions. */
export function gpuOperator(gpu: Gpu, graphs: OperatorGraphs): GpuOperator {
  const { name, shape, measurementShape } = graphs;
  const image = volume(shape);
  const measured = volume(measurementShape);
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
    check();
    const session = idle.take(batch) ?? new Session(gpu, graphs, batch);
    try {
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
      const result = await gpu.readF32(stage.buffer("out")!, batch * (kind === "forward" ? measured : image));
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
  const measurements = (y: Float32Array, batch?: number) => {
    const found = countOf(`${name}: y`, y, measured, measurementShape);
    if (batch !== undefined && found !== batch)
      throw bad(`${name}: y holds ${found} measurements for ${batch} images: they must agree.`);
    return found;
  };

  const operator: { -readonly [K in keyof GpuOperator]: GpuOperator[K] } = {
    name,
    gpu,
    shape,
    measurementShape,
    forward: (x) => promised(() => evaluate("forward", images("x", x), { x }, (s) => gpu.write(s.x, x))),
    open: async (batch) => {
      if (!Number.isInteger(batch) || batch < 1) throw bad(`${name}: batch must be a positive integer, got ${batch}.`);
      check();
      return new Session(gpu, graphs, batch);
    },
    close: () => idle.close(),
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
  if (graphs.proximal) {
    operator.sampleProximal = (input) =>
      promised(() => {
        checkKeys(`${name}: sampleProximal`, input, PROXIMAL);
        const { x, y, sigma, rho, noise, seeds } = input;
        const batch = images("x", x);
        measurements(y, batch);
        checkPositive(name, "sigma", sigma);
        checkPositive(name, "rho", rho);
        if (noise && images("noise", noise) !== batch)
          throw bad(`${name}: noise must have the ${x.length} values of x, got ${noise.length}.`);
        return evaluate("proximal", batch, { x, y, noise }, async (s, stage) => {
          gpu.write(s.x, x);
          gpu.write(s.y, y);
          gpu.write(stage.buffer("level")!, Float32Array.of(sigma, rho));
          if (noise) gpu.write(stage.buffer("z")!, noise);
          else await drawNoise(gpu, stage.buffer("z")!, seeds, batch, image);
        });
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
  readonly #stages = new Map<Kind, Promise<OpenStage>>();
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
        return { ...asStage(stage), z: stage.buffer("z")!, level: stage.buffer("level")! };
      };
    }
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
    const { name, shape, measurementShape } = this.#graphs;
    const image = [this.batch, ...shape];
    const graph = new StageGraph(this.batch, { x: image, y: [this.batch, ...measurementShape], z: image, level: [2] });
    this.#graphs[kind]!(graph);
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
    return this.#opened.reduce((sum, stage) => sum + stage.bytes, this.x.size + this.y.size);
  }

  destroy(): void {
    this.release();
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    for (const stage of this.#opened) stage.destroy();
    this.gpu.destroyBuffer(this.x);
    this.gpu.destroyBuffer(this.y);
    this.gpu.flushDestroyed();
  }
}

function asStage(stage: OpenStage): OperatorStage {
  const out = stage.buffer("out")!;
  const encode = (pass: GPUComputePassEncoder) => stage.encode(pass);
  return stage.prepare ? { out, encode, prepare: stage.prepare } : { out, encode };
}
