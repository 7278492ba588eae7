import { Worker } from "node:worker_threads";
import { bad } from "../errors.js";
import type { StoredItem } from "./decode-item.js";

export interface DecodeTask {
  readonly id: number;
  readonly bytes: Uint8Array;
  readonly where: string;
}

export type DecodeAnswer = { readonly id: number } & (
  | { readonly item: StoredItem }
  | { readonly message: string; readonly damaged: boolean }
);

interface Waiting {
  readonly thread: number;
  readonly resolve: (item: StoredItem) => void;
  readonly reject: (error: Error) => void;
}

/** Threads that decode pictures. They do not keep the process alive. */
export class DecodePool {
  readonly #threads: Worker[];
  /** Tasks under way, of each thread. */
  readonly #load: number[];
  readonly #waiting = new Map<number, Waiting>();
  #next = 0;
  #closed = false;

  constructor(threads: number) {
    this.#load = Array(threads).fill(0);
    this.#threads = this.#load.map((_, thread) => {
      // Not with Node's arguments of this process: some, such as --input-type, go with its own program alone.
      const worker = new Worker(new URL("./decode-worker.js", import.meta.url), { execArgv: [] });
      worker.on("message", (answer: DecodeAnswer) => this.#answered(answer));
      worker.on("error", (error) => this.#failed(thread, error));
      worker.on("exit", () => this.#failed(thread, new Error("a thread that decodes pictures ended")));
      worker.unref();
      return worker;
    });
  }

  /** The bytes are the pool's afterwards. */
  decode(bytes: Uint8Array, where: string): Promise<StoredItem> {
    if (this.#closed) return Promise.reject(bad("The data set is closed."));
    const thread = this.#load.indexOf(Math.min(...this.#load));
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { thread, resolve, reject });
      this.#load[thread]!++;
      const worker = this.#threads[thread]!;
      // While somebody waits the process must not end.
      worker.ref();
      // Node's small buffers share memory with others: those are copied.
      const own = bytes.byteLength === bytes.buffer.byteLength ? [bytes.buffer as ArrayBuffer] : [];
      worker.postMessage({ id, bytes, where } satisfies DecodeTask, own);
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#threads.map((worker) => worker.terminate()));
  }

  #answered(answer: DecodeAnswer): void {
    const waiting = this.#waiting.get(answer.id);
    if (!waiting) return;
    this.#done(answer.id, waiting);
    if ("item" in answer) waiting.resolve(answer.item);
    else waiting.reject(answer.damaged ? bad(answer.message) : new Error(answer.message));
  }

  #failed(thread: number, error: Error): void {
    for (const [id, waiting] of this.#waiting) {
      if (waiting.thread !== thread) continue;
      this.#done(id, waiting);
      waiting.reject(this.#closed ? bad("The data set is closed.") : error);
    }
  }

  #done(id: number, { thread }: Waiting): void {
    this.#waiting.delete(id);
    this.#load[thread]!--;
    // Whoever closes the pool waits for the threads to end, and so must the process.
    if (this.#load[thread] === 0 && !this.#closed) this.#threads[thread]!.unref();
  }
}
