/** One way to do something, made ready. */
export interface Contender {
  readonly choice: string;
  /** Does it once. @returns milliseconds */
  time(): Promise<number>;
}

export interface Timed {
  readonly choice: string;
  /** The smallest of its times: on a shared machine everything else is other people's work. */
  readonly ms: number;
}

export interface RaceResult {
  /** The first contender's times are first. Those who dropped out early have fewer rounds behind them. */
  readonly times: readonly Timed[];
  readonly winner: string;
}

/** By this much a contender must beat the first one, the cost model's choice, to replace it. */
export const MARGIN = 1.05;
/** Slower than the first by this much after two rounds: drops out. */
const HOPELESS = 1.3;
const LEAST_ROUNDS = 5;
/** Without a rival the time is only told. */
const ALONE_ROUNDS = 3;
const MOST_ROUNDS = 25;
/** Short work is measured more often, as long as this lasts. */
const ENOUGH_MS = 400;

const least = (times: readonly number[]) => Math.min(...times);
const middle = (times: readonly number[]) => [...times].sort((a, b) => a - b)[times.length >> 1]!;

/**
 * Times contenders in turns, every other round in reverse order, so that other load meets them all alike. The first keeps its
 * place unless another beats it by `MARGIN` with its smallest time, and with its median too.
 * @param expired says that the time is up
 * @returns undefined when the time was up before all had had enough turns: nothing is known then
 */
export async function race(
  contenders: readonly Contender[],
  expired: () => boolean,
  now: () => number = () => performance.now(),
): Promise<RaceResult | undefined> {
  const [first, ...others] = contenders as [Contender, ...Contender[]];
  const times = new Map<Contender, number[]>(contenders.map((contender) => [contender, []]));
  let running = others;
  const started = now();
  for (let round = 0; round < MOST_ROUNDS && (running.length > 0 || round < ALONE_ROUNDS); round++) {
    if (round >= LEAST_ROUNDS && (expired() || now() - started > ENOUGH_MS)) break;
    const order = [first, ...running];
    if (round % 2 === 1) order.reverse();
    for (const contender of order) {
      if (expired() && round < LEAST_ROUNDS) return undefined;
      times.get(contender)!.push(await contender.time());
    }
    if (round >= 1) {
      const limit = HOPELESS * least(times.get(first)!);
      running = running.filter((contender) => least(times.get(contender)!) <= limit);
    }
  }
  const own = times.get(first)!;
  const beats = (contender: Contender) => {
    const other = times.get(contender)!;
    return MARGIN * least(other) <= least(own) && middle(other) < middle(own);
  };
  const ranked = running.filter(beats).sort((a, b) => least(times.get(a)!) - least(times.get(b)!));
  return {
    times: contenders.map((contender) => ({ choice: contender.choice, ms: least(times.get(contender)!) })),
    winner: (ranked[0] ?? first).choice,
  };
}
