import { NcvsdError } from "../errors.js";

/**
 * How many images are computed at a time. Plans count a network's memory, but not that of guides, derivatives and samplers; and some
 * adapters say nothing of theirs. So a size that nobody asked for is made smaller where memory runs short: no image depends on it.
 */
export class BatchSize {
  now: number;
  /** The user's: it stays. */
  readonly #asked: boolean;

  constructor(size: number, asked: boolean) {
    this.now = size;
    this.#asked = asked;
  }

  /** Works on the next of `items`, from place `at` on: on half as many again and again where so many are too much. */
  async next<T, R>(
    items: readonly T[],
    at: number,
    work: (some: readonly T[]) => Promise<R>,
  ): Promise<{ readonly some: readonly T[]; readonly result: R }> {
    for (;;) {
      const some = items.slice(at, at + this.now);
      try {
        return { some, result: await work(some) };
      } catch (error) {
        const short = error instanceof NcvsdError && error.code === "OUT_OF_MEMORY";
        if (!short || this.#asked || some.length === 1) throw error;
        this.now = some.length >> 1;
      }
    }
  }
}
