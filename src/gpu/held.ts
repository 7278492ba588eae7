import { bad } from "../errors.js";

/** Something on a device that programs share: once closed it is freed when the last of them is gone, not under a run. */
export class Held {
  readonly #what: string;
  readonly #free: () => void;
  /** Its owner is one, until it is closed. */
  #users = 1;
  #closed = false;

  constructor(what: string, free: () => void) {
    this.#what = what;
    this.#free = free;
  }

  /** @throws NcvsdError BAD_ARGUMENT when it is closed */
  check(): void {
    if (this.#closed) throw bad(`${this.#what} is closed: open it again.`);
  }

  /** @returns what ends this use. @throws NcvsdError BAD_ARGUMENT when it is closed */
  hold(): () => void {
    this.check();
    this.#users++;
    return () => this.#end();
  }

  destroy(): void {
    if (!this.#closed) this.#end();
    this.#closed = true;
  }

  #end(): void {
    if (--this.#users === 0) this.#free();
  }
}

/** Holds something as long as an action takes. @throws NcvsdError BAD_ARGUMENT when it is closed */
export async function during<T>(held: Held, action: () => Promise<T>): Promise<T> {
  const release = held.hold();
  return action().finally(release);
}
