/** What is to be done before the process ends by a signal; synchronous. */
export type Cleanup = () => void;

const cleanups: Cleanup[] = [];
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

function stop(signal: keyof typeof EXIT_CODES): void {
  // With no listener left, the next signal ends the process the hard way, even in the middle of what follows.
  for (const name of SIGNALS) process.off(name, stop);
  cleanUp();
  // A driver that still compiles or computes in its own threads may crash in the destructors of an exit.
  if (!rested()) process.kill(process.pid, signal);
  process.exit(EXIT_CODES[signal]);
}

/** Does at once, and for the last time, what was registered: for a process that ends before its work is over. */
export function cleanUp(): void {
  // The latest first: a progress bar goes before the folder that it reports on.
  for (const cleanup of cleanups.splice(0).reverse()) {
    try {
      cleanup();
    } catch (error) {
      process.stderr.write(`${(error as Error).message}\n`);
    }
  }
}

/** Waits until the process's other threads use no processor any more. @returns false: they still did after three seconds */
function rested(): boolean {
  const cell = new Int32Array(new SharedArrayBuffer(4));
  let quiet = 0;
  for (let turn = 0; turn < 120 && quiet < 2; turn++) {
    const before = process.cpuUsage();
    Atomics.wait(cell, 0, 0, 25);
    const { user, system } = process.cpuUsage(before);
    quiet = user + system < 2500 ? quiet + 1 : 0;
  }
  return quiet === 2;
}

/**
 * Registers what Ctrl-C (and SIGTERM, and SIGHUP of a closed terminal) shall do before the process ends with code 130 (143, 129). The process ends as soon as the
 * driver rests, or after three seconds by the signal itself, not after the batch: files are written in one synchronous piece
 * each (`writeAtomic`), so all that are there are whole. A second Ctrl-C ends it without waiting for anything.
 * @returns takes the registration back (do so when the work is over; the last one removes the signal handlers)
 */
export function onInterrupt(cleanup: Cleanup): () => void {
  if (cleanups.length === 0) for (const name of SIGNALS) process.on(name, stop);
  cleanups.push(cleanup);
  return () => {
    const at = cleanups.indexOf(cleanup);
    if (at < 0) return;
    cleanups.splice(at, 1);
    if (cleanups.length === 0) for (const name of SIGNALS) process.off(name, stop);
  };
}

/**
 * For work that ends in good order by itself when it is asked to: the first signal asks, and the next one ends the process the
 * hard way. Not together with `onInterrupt`.
 * @param ask gets the exit code that tells of the signal
 * @returns takes the registration back
 */
export function onStopRequest(ask: (code: number) => void): () => void {
  const forget = () => {
    for (const name of SIGNALS) process.off(name, first);
  };
  const first = (signal: keyof typeof EXIT_CODES) => {
    forget();
    ask(EXIT_CODES[signal]);
  };
  for (const name of SIGNALS) process.on(name, first);
  return forget;
}
