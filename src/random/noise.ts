import { normal } from "../../kernels/sampling/normal/kernel.js";
import { NcvsdError } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import { Graph } from "../graph/graph.js";
import { Program } from "../graph/program.js";
import { seedRow } from "./seeds.js";

/** Replaces the generator: standard normal values of draw `draw` for the whole batch. */
export type NoiseCallback = (draw: number, length: number) => Float32Array;

/**
 * Standard normal noise for one batch, draw by draw: from Philox keyed by (seed, draw), so that the noise of an image
 * depends on nothing but its seed; or from the caller, to replay a recorded run.
 */
export class NoiseSource {
  readonly #gpu: Gpu;
  readonly #seeds: GPUBuffer;
  readonly #draw: GPUBuffer;
  readonly #callback: NoiseCallback | undefined;
  readonly #programs = new Map<GPUBuffer, Program>();
  readonly #batch: number;
  readonly #elements: number;
  #next = 0;

  constructor(
    gpu: Gpu,
    batch: number,
    elements: number,
    seeds: ArrayLike<number> | undefined,
    callback?: NoiseCallback,
  ) {
    const list = seeds ?? Array.from({ length: batch }, (_, i) => i);
    if (list.length !== batch) {
      throw new NcvsdError("BAD_ARGUMENT", `seeds has ${list.length} entries for ${batch} images: give one per image.`);
    }
    const row = seedRow(list);
    this.#gpu = gpu;
    this.#batch = batch;
    this.#elements = elements;
    this.#callback = callback;
    this.#seeds = gpu.storage("seeds", row.byteLength);
    this.#draw = gpu.storage("draw", 4);
    gpu.write(this.#seeds, row);
  }

  /** Makes the program that fills `target`, so that later draws allocate nothing. */
  async prepare(target: GPUBuffer, elements = this.#elements): Promise<void> {
    if (this.#callback || this.#programs.has(target)) return;
    const graph = new Graph();
    const seeds = graph.external("seeds", [this.#batch], "u32");
    const draw = graph.external("draw", [1], "u32");
    const z = graph.external("z", [this.#batch, elements]);
    graph.run("normal", normal, { batch: this.#batch, elements }, { seeds, draw }, { z });
    const externals = new Map([
      ["seeds", this.#seeds],
      ["draw", this.#draw],
      ["z", target],
    ]);
    this.#programs.set(target, await Program.create(this.#gpu, { label: "noise", graph, externals }));
  }

  /** Fills `target` ([N, elements] f32) with the next draw; `elements`: values of an image, where they are others than a picture's. */
  async fill(target: GPUBuffer, elements = this.#elements): Promise<void> {
    const draw = this.#next++;
    if (this.#callback) {
      const length = this.#batch * elements;
      const values = this.#callback(draw, length);
      if (!(values instanceof Float32Array) || values.length !== length) {
        throw new NcvsdError(
          "BAD_ARGUMENT",
          `noise(${draw}, ${length}) must return a Float32Array of ${length} values.`,
        );
      }
      this.#gpu.write(target, values);
      return;
    }
    await this.prepare(target, elements);
    this.#gpu.write(this.#draw, new Uint32Array([draw]));
    await this.#programs.get(target)!.run();
  }

  /** Whether the caller gives the draws. */
  get recorded(): boolean {
    return this.#callback !== undefined;
  }

  /** The images' seeds ([N] u32), for kernels that make their own noise. */
  get seeds(): GPUBuffer {
    return this.#seeds;
  }

  /** Leaves the next `count` draws to a kernel that makes them itself. @returns the number of the first */
  take(count: number): number {
    const first = this.#next;
    this.#next += count;
    return first;
  }

  /** A draw that the reference makes and throws away: only a caller's noise is asked for it. */
  skip(elements = this.#elements): void {
    const draw = this.#next++;
    this.#callback?.(draw, this.#batch * elements);
  }

  destroy(): void {
    for (const program of this.#programs.values()) program.destroy();
    this.#gpu.destroyBuffer(this.#seeds);
    this.#gpu.destroyBuffer(this.#draw);
    this.#gpu.flushDestroyed();
  }
}

/** Fills `target` with draw `draw` of `seeds`. */
export async function drawNoise(
  gpu: Gpu,
  target: GPUBuffer,
  seeds: ArrayLike<number> | undefined,
  batch: number,
  elements: number,
  draw = 0,
): Promise<void> {
  const source = new NoiseSource(gpu, batch, elements, seeds);
  try {
    source.take(draw);
    await source.fill(target);
  } finally {
    source.destroy();
  }
}
