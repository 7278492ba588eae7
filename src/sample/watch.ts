import { NcvsdError } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import type { Encodable } from "../graph/stage.js";

const NEVER = 0xffffffff;

/** Watches a sampler's output for values that are not finite, per image and step, without reading back in between. */
export class FiniteWatch {
  readonly stage: Encodable;
  readonly #gpu: Gpu;
  readonly #batch: number;
  readonly #step: GPUBuffer;
  readonly #first: GPUBuffer;

  /**
   * @param stage the kernel over the watched values
   * @param step [1] u32, and `first`, [N] u32: the first step at which an image was not finite
   */
  constructor(gpu: Gpu, batch: number, stage: Encodable, step: GPUBuffer, first: GPUBuffer) {
    this.#gpu = gpu;
    this.#batch = batch;
    this.stage = stage;
    this.#step = step;
    this.#first = first;
    gpu.write(first, new Uint32Array(batch).fill(NEVER));
  }

  /** Announces the step (1-based) that the next submission of `stage` belongs to. */
  begin(step: number): void {
    this.#gpu.write(this.#step, new Uint32Array([step]));
  }

  /**
   * @param sampler what gave them, for the message; or a function of the step
   * @param locate finds the node at fault; only meaningful right after the step that failed
   * @throws NOT_FINITE naming the first step and the images
   */
  async verify(
    sampler: string | ((step: number) => string),
    steps: number,
    locate?: () => Promise<string | undefined>,
  ): Promise<void> {
    const first = new Uint32Array(await this.#gpu.read(this.#first, 4 * this.#batch));
    const step = Math.min(...first);
    if (step === NEVER) return;
    const what = typeof sampler === "string" ? sampler : sampler(step);
    const images = [...first].flatMap((s, i) => (s === NEVER ? [] : [i]));
    const node = await locate?.();
    const where = node ? `, first at node ${node}` : "";
    throw new NcvsdError(
      "NOT_FINITE",
      `${what} gave values that are not finite at step ${step} of ${steps}${where} (${images.length} of ${this.#batch} images): check the checkpoint and the options, or use f32.`,
    );
  }
}
