import type { Kernel } from "../gpu/contract.js";
import type { Gpu } from "../gpu/device.js";
import { type Encodable, stage } from "../graph/stage.js";

/** Buffers and stages of one run, released together. */
export class RunResources {
  readonly #gpu: Gpu;
  readonly #undo: (() => void)[] = [];

  constructor(gpu: Gpu) {
    this.#gpu = gpu;
  }

  /** A buffer of 4-byte elements. */
  buffer(label: string, elements: number): GPUBuffer {
    const buffer = this.#gpu.storage(label, 4 * elements);
    this.#undo.push(() => this.#gpu.destroyBuffer(buffer));
    return buffer;
  }

  async stage<P extends object>(
    name: string,
    kernel: Kernel<P>,
    params: P,
    buffers: Readonly<Record<string, GPUBuffer>>,
  ) {
    const program = await stage(this.#gpu, name, kernel, params, buffers);
    this.#undo.push(() => program.destroy());
    return program;
  }

  defer(action: () => void): void {
    this.#undo.push(action);
  }

  release(): void {
    for (const action of this.#undo.reverse()) action();
    this.#gpu.flushDestroyed();
  }
}

/** Records `work` and `copies` ([from, to] of `bytes` each) in this order and submits them. The first submission of a run is watched by error scopes. */
export class Submitter {
  readonly #gpu: Gpu;
  readonly #what: string;
  readonly #seen = new Set<Encodable>();

  constructor(gpu: Gpu, what: string) {
    this.#gpu = gpu;
    this.#what = what;
  }

  async submit(
    work: readonly Encodable[],
    copies: readonly (readonly [from: GPUBuffer, to: GPUBuffer])[] = [],
  ): Promise<void> {
    const action = () => {
      this.#gpu.check();
      const encoder = this.#gpu.device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      for (const item of work) item.encode(pass);
      pass.end();
      for (const [from, to] of copies) encoder.copyBufferToBuffer(from, 0, to, 0, from.size);
      this.#gpu.device.queue.submit([encoder.finish()]);
    };
    if (work.every((item) => this.#seen.has(item))) {
      action();
      return;
    }
    await this.#gpu.scoped(`First step of ${this.#what}`, action);
    for (const item of work) this.#seen.add(item);
  }
}
