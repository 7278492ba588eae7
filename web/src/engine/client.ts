/** The worker as the page sees it. */
import { signal } from "@preact/signals";
import type { Failure, FromWorker, JobOf, Jobs, Kind, Status, ToWorker } from "./protocol.js";

export const status = signal<Status>({ phase: "starting" });

/** What a job ended with when it gave no result. */
export class JobError extends Error {
  readonly code: string;
  constructor({ code, message }: Failure) {
    super(message);
    this.code = code;
  }
}

export interface Running<K extends Kind> {
  /** Rejects with a `JobError`; its code is STOPPED after `stop`. */
  readonly result: Promise<Jobs[K]["result"]>;
  stop(): void;
}

interface Waiting {
  event(event: unknown): void;
  done(result: unknown): void;
  failed(failure: Failure): void;
}

let worker: Worker | undefined;
let count = 0;
const waiting = new Map<number, Waiting>();

const BROKEN: Failure = { code: "WORKER", message: "The page's worker could not be started." };

const WITHOUT_GPU: ReadonlySet<Kind> = new Set(["png", "read"]);

const hasWebGpu = typeof navigator !== "undefined" && "gpu" in navigator;

function start(): Worker {
  if (worker) return worker;
  const started = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  let heard = false;
  started.addEventListener("message", ({ data }: MessageEvent<FromWorker>) => {
    heard = true;
    if (data.say === "status") {
      if (hasWebGpu) status.value = data.status;
      return;
    }
    const one = waiting.get(data.id);
    if (data.say === "event") one?.event(data.event);
    else {
      waiting.delete(data.id);
      if (data.say === "done") one?.done(data.result);
      else one?.failed(data.failure);
    }
  });
  // A file of it that does not come: nobody would ever answer.
  started.addEventListener("error", () => {
    if (heard) return;
    started.terminate();
    worker = undefined;
    for (const one of waiting.values()) one.failed(BROKEN);
    waiting.clear();
    if (hasWebGpu) status.value = { phase: "failed", ...BROKEN };
  });
  worker = started;
  return started;
}

const send = (message: ToWorker) => start().postMessage(message);

/** Starts the engine: nothing is fetched where there is no WebGPU. */
export function open(): void {
  if (hasWebGpu) start();
  else {
    // Browsers hide it from pages that came unprotected.
    const code = isSecureContext ? "NO_WEBGPU" : "INSECURE";
    status.value = { phase: "failed", code, message: "There is no WebGPU here." };
  }
}

/** Tries again after a failure. */
export function again(): void {
  if (worker) send({ say: "again" });
  // A new one opens the device by itself.
  else {
    status.value = { phase: "starting" };
    start();
  }
}

/** The one job that the visitor asked for; the engine's own wait behind it. */
let current: { id: number; stop(): void } | undefined;

/** Has the worker do a job; one that is under way is stopped first. */
export function run<K extends Kind>(job: JobOf<K>, onEvent: (event: Jobs[K]["event"]) => void = () => {}): Running<K> {
  const id = ++count;
  const stop = () => send({ say: "stop", id });
  if (!WITHOUT_GPU.has(job.kind)) {
    current?.stop();
    current = { id, stop };
  }
  const result = new Promise<Jobs[K]["result"]>((done, fail) => {
    waiting.set(id, {
      event: (event) => onEvent(event as Jobs[K]["event"]),
      done: (value) => done(value as Jobs[K]["result"]),
      failed: (failure) => fail(new JobError(failure)),
    });
  }).finally(() => {
    if (current?.id === id) current = undefined;
  });
  send({ say: "run", id, job });
  return { result, stop };
}
