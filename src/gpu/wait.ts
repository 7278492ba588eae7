/**
 * Waiting for the GPU. Dawn's Node binding polls from setImmediate while a promise is pending, which keeps one core
 * busy; a software adapter needs that core. So: spin shortly (a small submit on a real GPU is done by then), then
 * sleep in ticks between the polls.
 */
const SPIN_MS = 0.3;
const SLEEP_MS = 0.2;

const cell = typeof SharedArrayBuffer === "undefined" ? undefined : new Int32Array(new SharedArrayBuffer(4));
const node = typeof process !== "undefined" && process.versions?.node !== undefined;

/** Awaits `promise`, leaving the cores to the work under Node. */
export async function settle<T>(promise: Promise<T>): Promise<T> {
  if (!node || !cell) return promise;
  let done = false;
  const mark = () => {
    done = true;
  };
  promise.then(mark, mark);
  const start = performance.now();
  while (!done) {
    await new Promise((resolve) => setImmediate(resolve));
    if (!done && performance.now() - start > SPIN_MS) Atomics.wait(cell, 0, 0, SLEEP_MS);
  }
  return promise;
}
