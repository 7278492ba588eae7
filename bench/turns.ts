import { Bench } from "tinybench";

/** Something that tells its own time: that of the GPU's clock, or whatever else it says. */
export interface Contender {
  readonly name: string;
  /** Milliseconds of one run. */
  measure(): Promise<number>;
}

/** Milliseconds over all rounds. */
export interface Times {
  readonly median: number;
  readonly min: number;
  /** Relative margin of error of the mean at 95%, in percent. */
  readonly rme: number;
  readonly samples: number;
}

/**
 * Measures the contenders in turns, A B C A B C, so that other load on the machine meets them all alike; one round goes before
 * that is not counted. Tinybench runs and sums up; the lock hands the turn on in the order in which it was asked for.
 */
export async function takeTurns(contenders: readonly Contender[], rounds: number): Promise<Map<string, Times>> {
  const bench = new Bench({
    concurrency: "bench",
    iterations: rounds,
    time: 0,
    warmup: true,
    warmupIterations: 1,
    warmupTime: 0,
    throws: true,
  });
  let last: Promise<unknown> = Promise.resolve();
  for (const { name, measure } of contenders) {
    const turn = () => {
      const mine = last.then(measure);
      last = mine.catch(() => {});
      return mine;
    };
    bench.add(name, async () => ({ overriddenDuration: await turn() }), { async: true });
  }
  const times = new Map<string, Times>();
  for (const { name, result } of await bench.run()) {
    if (!("latency" in result)) throw new Error(`${name}: ${result.state}`);
    const { p50, min, rme, samplesCount } = result.latency;
    times.set(name, { median: p50, min, rme, samples: samplesCount });
  }
  return times;
}
