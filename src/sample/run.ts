import { finite } from "../../kernels/sampling/finite/kernel.js";
import { scale } from "../../kernels/sampling/scale/kernel.js";
import { bad } from "../errors.js";
import type { Kernel } from "../gpu/contract.js";
import type { Gpu } from "../gpu/device.js";
import type { Program, Region } from "../graph/program.js";
import { type Encodable, stage } from "../graph/stage.js";
import type { Solve } from "../operators/operator.js";
import { type NoiseCallback, NoiseSource } from "../random/noise.js";
import { FiniteWatch } from "./watch.js";

/** What a run is of: a network, or an operator on a device. */
export interface RunOf {
  readonly gpu: Gpu;
  /** Extents of one image. */
  readonly shape: readonly number[];
}

export interface RunOptions {
  /** What the run is called in messages. */
  readonly what: string;
  readonly batch: number;
  readonly seeds?: ArrayLike<number> | undefined;
  readonly noise?: NoiseCallback | undefined;
  /** Stops the run: its `reason` is thrown. */
  readonly signal?: AbortSignal | undefined;
}

/** Submissions that the host goes ahead of the GPU within a step, twice as many at most: so that a signal is heard there, too. */
const SUBMISSIONS_AHEAD = 16;

/** A copy to make after the work of a submission. */
export type Copy = readonly [from: GPUBuffer, to: GPUBuffer];

/** Reads of what a step showed, by name. */
export type Views = Readonly<Record<string, () => Promise<Float32Array>>>;

/** What is to be done when the GPU has done a step. */
export interface StepEnd {
  /** First; `FiniteWatch.look`, for one. */
  readonly check?: (() => Promise<void>) | undefined;
  /** Then: the step's event. Its views read what `shown` held at the end of the step. */
  readonly tell?: ((views: Views) => unknown) | undefined;
  readonly shown?: Readonly<Record<string, GPUBuffer | undefined>>;
}

/**
 * One call of a sampler: its state on the GPU, its noise, its submissions, and everything that is given back when it ends,
 * however it ends. A sampler's loop is then its paper's algorithm.
 */
export class Run {
  readonly gpu: Gpu;
  readonly batch: number;
  /** Values of one image, and of the batch. */
  readonly elements: number;
  readonly total: number;
  readonly noise: NoiseSource;
  /** What each likelihood step by conjugate gradients took. */
  readonly solves: Solve[] = [];
  readonly #what: string;
  readonly #signal: AbortSignal | undefined;
  #ahead = 0;
  /** The work of the last `SUBMISSIONS_AHEAD` submissions but as many. */
  #before: Promise<unknown> | undefined;
  /** Waits for the step before. */
  #last: (() => Promise<void>) | undefined;
  readonly #snapshots = new Map<string, GPUBuffer>();
  readonly #undo: (() => void)[] = [];
  readonly #seen = new Set<Encodable>();

  private constructor({ gpu, shape }: RunOf, { what, batch, seeds, noise, signal }: RunOptions) {
    this.gpu = gpu;
    this.batch = batch;
    this.elements = shape.reduce((a, b) => a * b, 1);
    this.total = batch * this.elements;
    this.#what = what;
    this.#signal = signal;
    this.noise = new NoiseSource(gpu, batch, this.elements, seeds, noise);
    this.#undo.push(() => this.noise.destroy());
  }

  /** Opens a run, does its work, and gives everything back. */
  static async during<T>(of: RunOf, options: RunOptions, work: (run: Run) => Promise<T>): Promise<T> {
    const { signal } = options;
    if (signal !== undefined && typeof signal?.throwIfAborted !== "function")
      throw bad("signal must be an AbortSignal, as an AbortController has it.");
    signal?.throwIfAborted();
    const run = new Run(of, options);
    try {
      const result = await work(run);
      await run.#settle();
      return result;
    } finally {
      for (const action of run.#undo.reverse()) action();
      run.gpu.flushDestroyed();
    }
  }

  /** Something that is released with the run: a network's session, an operator's. */
  hold<T extends { release(): void }>(item: T): T {
    this.#undo.push(() => item.release());
    return item;
  }

  /** A buffer of 4-byte elements; absent: one value for each of the batch's. */
  buffer(label: string, elements: number = this.total): GPUBuffer {
    const buffer = this.gpu.storage(label, 4 * elements);
    this.#undo.push(() => this.gpu.destroyBuffer(buffer));
    return buffer;
  }

  /** One kernel over buffers, or parts of them, made ready once and replayed. */
  async stage<P extends object>(
    name: string,
    kernel: Kernel<P>,
    params: P,
    buffers: Readonly<Record<string, GPUBuffer | Region>>,
  ): Promise<Program> {
    const program = await stage(this.gpu, name, kernel, params, buffers);
    this.#undo.push(() => program.destroy());
    return program;
  }

  /** Watches values for ones that are not finite. */
  async watch(x: GPUBuffer): Promise<FiniteWatch> {
    const { gpu, batch, elements } = this;
    const step = this.buffer("step", 1);
    const first = this.buffer("first non-finite step", batch);
    const stage = await this.stage("finite", finite, { batch, elements }, { x, step, first });
    const readback = () => {
      const buffer = gpu.createBuffer("readback", 4 * batch, GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ);
      this.#undo.push(() => gpu.destroyBuffer(buffer));
      return buffer;
    };
    return new FiniteWatch(gpu, batch, stage, step, first, [readback(), readback()]);
  }

  /** One value per image, the same for all. */
  fill(buffer: GPUBuffer, value: number): void {
    this.gpu.write(buffer, new Float32Array(this.batch).fill(value));
  }

  /** target = sigma z with the next draw z. */
  async start(target: GPUBuffer, sigma: number): Promise<void> {
    const z = this.buffer("noise");
    const factor = this.buffer("factor", 1);
    await this.noise.fill(z);
    this.gpu.write(factor, Float32Array.of(sigma));
    await this.submit([await this.stage("scale", scale, { elements: this.total }, { x: z, factor, y: target })]);
  }

  /**
   * The end of a step. The host goes on to the next while the GPU works at this one, and is no further ahead: it waits for the
   * step before first, tells of it, and hears the signal.
   */
  async step({ check, tell, shown = {} }: StepEnd = {}): Promise<void> {
    await this.#settle();
    this.#signal?.throwIfAborted();
    const views: Record<string, () => Promise<Float32Array>> = {};
    if (tell) {
      // The next step writes over what this one shows.
      const copies: Copy[] = [];
      for (const [name, buffer] of Object.entries(shown)) {
        if (!buffer) continue;
        const copy = this.#snapshots.get(name) ?? this.buffer(`${name}, kept`);
        this.#snapshots.set(name, copy);
        copies.push([buffer, copy]);
        views[name] = () => this.read(copy);
      }
      if (copies.length > 0) await this.submit([], copies);
    }
    this.#ahead = 0;
    const done = this.#submitted();
    this.#last = async () => {
      await this.gpu.wait(done);
      await check?.();
      await tell?.(views);
    };
  }

  async #settle(): Promise<void> {
    const last = this.#last;
    this.#last = undefined;
    await last?.();
  }

  /** The end of all that is submitted so far. */
  #submitted(): Promise<unknown> {
    const done = this.gpu.device.queue.onSubmittedWorkDone();
    // Whoever waits for it hears of a lost device; a run that has ended does not.
    done.catch(() => {});
    return done;
  }

  /** Reads the batch's values back. */
  read(buffer: GPUBuffer): Promise<Float32Array> {
    return this.gpu.readF32(buffer, this.total);
  }

  /**
   * Records work and then copies, and submits them. What is submitted for the first time is watched by error scopes.
   * @throws the signal's reason once it is aborted
   */
  async submit(work: readonly Encodable[], copies: readonly Copy[] = []): Promise<void> {
    this.#signal?.throwIfAborted();
    if (++this.#ahead >= SUBMISSIONS_AHEAD) {
      const before = this.#before;
      this.#ahead = 0;
      this.#before = this.#submitted();
      if (before) await this.gpu.wait(before);
      this.#signal?.throwIfAborted();
    }
    const action = () => {
      this.gpu.check();
      const encoder = this.gpu.device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      for (const item of work) item.encode(pass);
      pass.end();
      for (const [from, to] of copies) encoder.copyBufferToBuffer(from, 0, to, 0, from.size);
      this.gpu.device.queue.submit([encoder.finish()]);
    };
    if (work.every((item) => this.#seen.has(item))) {
      action();
      return;
    }
    await this.gpu.scoped(`First step of ${this.#what}`, action);
    for (const item of work) this.#seen.add(item);
  }
}
