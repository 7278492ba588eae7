import type { Gpu } from "../gpu/device.js";

/** What a pool keeps: made ready for one shape, holding so many bytes on the GPU. */
export interface Pooled {
  readonly bytes: number;
  destroy(): void;
}

/** Most of them that a pool keeps, and most bytes that all but the latest of them hold. */
const KEPT = 8;
const KEPT_BYTES = 2 ** 30;

/**
 * Programs that nobody uses now, by shape, so that work of a few shapes in turn makes each ready once. The latest is
 * always kept, the others within bounds; all are given back when memory runs short and when the pool is closed.
 */
export class ProgramPool<K extends string | number, T extends Pooled> {
  /** The latest last. */
  readonly #idle: { readonly key: K; readonly item: T }[] = [];
  #closed = false;

  constructor(gpu: Gpu) {
    gpu.reserve(this);
  }

  /** One that was given back, to be used by the caller alone. */
  take(key: K): T | undefined {
    const at = this.#idle.findLastIndex((entry) => entry.key === key);
    return at < 0 ? undefined : this.#idle.splice(at, 1)[0]!.item;
  }

  give(key: K, item: T): void {
    if (this.#closed) {
      item.destroy();
      return;
    }
    this.#idle.push({ key, item });
    const others = () => this.#idle.slice(0, -1).reduce((sum, entry) => sum + entry.item.bytes, 0);
    while (this.#idle.length > KEPT || others() > KEPT_BYTES) this.#idle.shift()!.item.destroy();
  }

  /** Gives back all that are kept. */
  drop(): void {
    for (const { item } of this.#idle.splice(0)) item.destroy();
  }

  close(): void {
    this.#closed = true;
    this.drop();
  }

  get closed(): boolean {
    return this.#closed;
  }
}
