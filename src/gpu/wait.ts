/**
 * Waiting for the GPU. Dawn's Node binding polls from setImmediate while a promise is pending, which keeps one core
 * busy; a software adapter needs that core. So: spin shortly, then sleep in ticks between the polls. On a software adapter
 * a spin of 0.3 ms makes a kernel of 4 ms a quarter slower: its threads lose their place. A GPU needs no core, and a tick is what
 * a wait may be too long, a fifth of a small network's evaluation: there only long waits sleep.
 */
const SPIN_MS = { software: 0.05, gpu: 5 } as const;
const SLEEP_MS = 0.1;

const cell = typeof SharedArrayBuffer === "undefined" ? undefined : new Int32Array(new SharedArrayBuffer(4));
const node = typeof process !== "undefined" && process.versions?.node !== undefined;

/** Awaits `promise`, under Node leaving the cores to the work, of which a software adapter does its own on them. */
export async function settle<T>(promise: Promise<T>, software: boolean): Promise<T> {
  if (!node || !cell) return promise;
  let done = false;
  const mark = () => {
    done = true;
  };
  promise.then(mark, mark);
  const start = performance.now();
  const spin = software ? SPIN_MS.software : SPIN_MS.gpu;
  while (!done) {
    await new Promise((resolve) => setImmediate(resolve));
    if (!done && performance.now() - start > spin) Atomics.wait(cell, 0, 0, SLEEP_MS);
  }
  return promise;
}
