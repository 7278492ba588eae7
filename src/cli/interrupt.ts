/** What is to be done before the process ends by a signal; synchronous. */
export type Cleanup = (signal: NodeJS.Signals) => void;

const cleanups: Cleanup[] = [];
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;
const SIGNALS = ["SIGINT", "SIGTERM"] as const;

function stop(signal: "SIGINT" | "SIGTERM"): void {
  // With no listener left, the next signal ends the process the hard way, even in the middle of what follows.
  for (const name of SIGNALS) process.off(name, stop);
  // The latest first: a progress bar goes before the folder that it reports on.
  for (const cleanup of cleanups.splice(0).reverse()) {
    try {
      cleanup(signal);
    } catch (error) {
      process.stderr.write(`${(error as Error).message}\n`);
    }
  }
  process.exit(EXIT_CODES[signal]);
}

/**
 * Registers what Ctrl-C (and SIGTERM) shall do before the process ends with code 130 (143). The process ends at once, not after
 * the batch: files are written in one synchronous piece each (`writeAtomic`), so all that are there are whole. A second Ctrl-C
 * ends it without waiting for anything.
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
