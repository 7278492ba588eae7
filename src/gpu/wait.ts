/**
 * Waiting for the GPU. Dawn's Node binding polls from setImmediate while a promise is pending, which keeps one core
 * busy; a software adapter needs that core. So: spin shortly, then sleep in ticks between the polls. On a software adapter
 * a spin of 0.3 ms makes a kernel of 4 ms a quarter slower: its threads lose their place; on a GPU a tick is what a wait may
 * be too long.
 */
const SPIN_MS = 0.05;
const SLEEP_MS = 0.1;

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
