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
  readonly #readbacks: readonly [GPUBuffer, GPUBuffer];
  #looks = 0;

  /**
   * @param stage the kernel over the watched values
   * @param step [1] u32, and `first`, [N] u32: the first step at which an image was not finite
   * @param readbacks of `first`
   */
  constructor(
    gpu: Gpu,
    batch: number,
    stage: Encodable,
    step: GPUBuffer,
    first: GPUBuffer,
    readbacks: readonly [GPUBuffer, GPUBuffer],
  ) {
    this.#gpu = gpu;
    this.#batch = batch;
    this.stage = stage;
    this.#step = step;
    this.#first = first;
    this.#readbacks = readbacks;
    gpu.write(first, new Uint32Array(batch).fill(NEVER));
  }

  /** Announces the step (1-based) that the next submission of `stage` belongs to. */
  begin(step: number): void {
    this.#gpu.write(this.#step, new Uint32Array([step]));
  }

  /** `verify` of what is known now, to be called before the next but one: it waits for what is submitted by now, and no more. */
  look(): FiniteWatch["verify"] {
    const gpu = this.#gpu;
    gpu.check();
    const readback = this.#readbacks[this.#looks++ & 1]!;
    const encoder = gpu.device.createCommandEncoder();
    encoder.copyBufferToBuffer(this.#first, 0, readback, 0, 4 * this.#batch);
    gpu.device.queue.submit([encoder.finish()]);
    return async (sampler, steps, locate) => {
      await gpu.wait(readback.mapAsync(GPUMapMode.READ));
      const first = new Uint32Array(readback.getMappedRange().slice(0)).subarray(0, this.#batch);
      readback.unmap();
      await this.#judge(first, sampler, steps, locate);
    };
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
    await this.#judge(new Uint32Array(await this.#gpu.read(this.#first, 4 * this.#batch)), sampler, steps, locate);
  }

  async #judge(
    first: Uint32Array,
    sampler: string | ((step: number) => string),
    steps: number,
    locate?: () => Promise<string | undefined>,
  ): Promise<void> {
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
