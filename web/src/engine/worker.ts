/**
 * The page's worker: everything that touches the GPU. One job at a time; a new one waits until the one before has stopped. Files of
 * pictures need no GPU and do not wait.
 */

import { type Context, Engine, failureOf } from "./engine.js";
import { generate } from "./generate.js";
import { noisy } from "./noisy.js";
import type { FromWorker, Jobs, Kind, ToWorker } from "./protocol.js";
import { restore } from "./restore.js";
import { steps, teacher } from "./steps.js";

const tell = (message: FromWorker) => self.postMessage(message);
const engine = new Engine((status) => tell({ say: "status", status }));

type Work = { readonly [K in Kind]: (job: Jobs[K]["job"], context: Context<K>) => Promise<Jobs[K]["result"]> };

const WORK: Work = {
  restore,
  generate,
  noisy,
  steps,
  teacher,
  layers: async (job, context) => (await import("./hood.js")).layers(job, context),
  check: async (job, context) => (await import("./hood.js")).check(job, context),
  own: async (job, context) => (await import("./own.js")).own(job, context),
  // Encoders and decoders are fetched when somebody wants a file.
  png: async (job) => (await import("./pictures.js")).png(job),
  read: async (job) => (await import("./pictures.js")).read(job),
};

const running = new Map<number, AbortController>();
let last: Promise<void> = Promise.resolve();

async function run(id: number, job: Jobs[Kind]["job"]): Promise<void> {
  const controller = new AbortController();
  running.set(id, controller);
  const needsGpu = job.kind !== "png" && job.kind !== "read";
  const before = last;
  let done = () => {};
  if (needsGpu)
    last = new Promise((resolve) => {
      done = resolve;
    });
  try {
    if (needsGpu) await before;
    const { signal } = controller;
    signal.throwIfAborted();
    const work = WORK[job.kind] as (job: unknown, context: Context<Kind>) => Promise<unknown>;
    const context = { engine, signal, tell: (event: unknown) => tell({ say: "event", id, event }) };
    const once = () => work(job, context as Context<Kind>);
    tell({ say: "done", id, result: await (needsGpu ? engine.surviving(once) : once()) });
  } catch (error) {
    tell({ say: "failed", id, failure: failureOf(error, controller.signal) });
  } finally {
    running.delete(id);
    done();
  }
}

self.addEventListener("message", ({ data }: MessageEvent<ToWorker>) => {
  if (data.say === "run") void run(data.id, data.job);
  else if (data.say === "stop") running.get(data.id)?.abort();
  else engine.again();
});
