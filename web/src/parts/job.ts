import { type Signal, signal } from "@preact/signals";
import { JobError, type Running, run } from "../engine/client.js";
import type { JobOf, Jobs, Kind } from "../engine/protocol.js";

/** A kind of job of which one runs at a time, as a part of the page sees it. */
export interface Task<K extends Kind> {
  readonly busy: Signal<boolean>;
  readonly trouble: Signal<string | undefined>;
  /** Undefined: it failed (`trouble`), was stopped, or another one took its place. */
  start(job: JobOf<K>, onEvent?: (event: Jobs[K]["event"]) => void): Promise<Jobs[K]["result"] | undefined>;
  stop(): void;
}

export function task<K extends Kind>(): Task<K> {
  const busy = signal(false);
  const trouble = signal<string | undefined>(undefined);
  let running: Running<K> | undefined;
  return {
    busy,
    trouble,
    stop: () => running?.stop(),
    async start(job, onEvent = () => {}) {
      trouble.value = undefined;
      busy.value = true;
      const own = run<K>(job, (event) => {
        if (running === own) onEvent(event);
      });
      running = own;
      try {
        const result = await own.result;
        return running === own ? result : undefined;
      } catch (error) {
        const stopped = error instanceof JobError && error.code === "STOPPED";
        if (running === own && !stopped) trouble.value = (error as Error).message;
        return undefined;
      } finally {
        if (running === own) {
          running = undefined;
          busy.value = false;
        }
      }
    },
  };
}
