import type { Gpu } from "../gpu/device.js";
import { Held } from "../gpu/held.js";
import type { Region } from "./program.js";

/** Buffers that programs share, and parts of such: destroyed, they are given back when the last program is gone. */
export class SharedBuffers extends Held {
  /** By the names of the graphs' tensors; parts belong to somebody's whole. */
  readonly buffers = new Map<string, GPUBuffer | Region>();
  readonly gpu: Gpu;

  /** @param what for messages  @param free what else is given back */
  constructor(gpu: Gpu, what: string, free?: () => void) {
    super(what, () => {
      free?.();
      for (const buffer of this.buffers.values()) if (!("offset" in buffer)) gpu.destroyBuffer(buffer);
      gpu.flushDestroyed();
    });
    this.gpu = gpu;
  }

  /** As programs take them. */
  get(name: string): GPUBuffer | Region | undefined {
    return this.buffers.get(name);
  }
}
