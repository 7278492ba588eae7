import { bad } from "../errors.js";
import type { Optimiser } from "./optimiser.js";
import { shares, type WorkerSum } from "./sums.js";

/** How the images of an update are shared out. */
export interface UpdateSizes {
  /** Images of an update, and of a round. */
  readonly batch: number;
  readonly batchGpu: number;
  readonly rounds: number;
  /** Virtual workers: part of the bits. */
  readonly workers: number;
}

/** @param call for messages: "openTraining" */
export function updateSizes(
  call: string,
  { batch, batchGpu = batch, workers }: { batch: number; batchGpu?: number | undefined; workers?: number | undefined },
): UpdateSizes {
  for (const [name, value] of Object.entries({ batch, batchGpu }))
    if (!Number.isSafeInteger(value) || value < 1)
      throw bad(`${call}: ${name} must be a positive integer, got ${value}.`);
  if (batch % batchGpu !== 0) throw bad(`${call}: batch ${batch} must be a multiple of batchGpu, got ${batchGpu}.`);
  const rounds = batch / batchGpu;
  const played = workers ?? Math.min(8, rounds);
  if (!Number.isSafeInteger(played) || played < 1 || played > rounds)
    throw bad(`${call}: workers must be an integer from 1 to ${rounds}, the rounds of an update, got ${played}.`);
  return { batch, batchGpu, rounds, workers: played };
}

/** Runs a round that has all it needs: leaves its gradients in the worker's `round` bank. */
type ReadyRound = () => Promise<void>;

/**
 * Reads and checks what some rounds need, from round `first` of the whole update on, with what was given for each. Nothing has changed
 * where it fails: a step that is made again, or another, has the bits of a run without it.
 */
type PrepareRounds<Round> = (rounds: readonly Round[], first: number) => Promise<readonly ReadyRound[]>;

/** One virtual worker's part of an update; by default all that is its own. */
export interface WorkerPart<Round> {
  readonly rounds?: readonly Round[];
  readonly worker: number;
  readonly firstRound?: number;
}

/**
 * The updates of one network: rounds, whose gradients each virtual worker adds up in order, then the workers' sums in order,
 * then Adam. Before round r the stored weights have been normalised r + 1 times, and before Adam as often as there are rounds,
 * whoever computed them (TRAINING: forced normalisation happens in every call).
 */
export class Updates<Round extends object> {
  readonly optimiser: Optimiser;
  readonly sums: WorkerSum;
  readonly #sizes: UpdateSizes;
  /** A discriminator's weights are never normalised. */
  readonly #normalises: boolean;
  readonly #prepare: PrepareRounds<Round>;
  /** Forced normalisations since the last update. */
  #normalised = 0;

  constructor(
    optimiser: Optimiser,
    sums: WorkerSum,
    sizes: UpdateSizes,
    prepare: PrepareRounds<Round>,
    { normalises = true }: { normalises?: boolean } = {},
  ) {
    this.optimiser = optimiser;
    this.sums = sums;
    this.#sizes = sizes;
    this.#prepare = prepare;
    this.#normalises = normalises;
  }

  /** Whether a round of the next update has been computed. */
  get underWay(): boolean {
    return this.#normalised > 0;
  }

  /** The gradients of a whole update. @param rounds one entry each, or none: all is drawn then */
  async gather(rounds: readonly Round[]): Promise<void> {
    const { batch, batchGpu, rounds: count, workers } = this.#sizes;
    if (rounds.length !== 0 && rounds.length !== count)
      throw bad(`step: ${rounds.length} rounds were given; an update of ${batch} images has ${count} of ${batchGpu}.`);
    const ready = await this.#ready(rounds, 0, count);
    this.optimiser.begin();
    // Rounds that were accumulated and never taken leave no trace.
    await this.optimiser.restart();
    this.#normalised = 0;
    for (const share of shares(count, workers)) {
      await this.#sum(share.first, ready.slice(share.first, share.first + share.count));
      await this.optimiser.addGradients(this.sums.sum);
    }
  }

  /** One virtual worker's sums. */
  async accumulate({ rounds, worker, firstRound }: WorkerPart<Round>): Promise<Map<string, Float32Array>> {
    const { workers } = this.#sizes;
    if (!Number.isSafeInteger(worker) || worker < 0 || worker >= workers)
      throw bad(`accumulate: worker must be an integer from 0 to ${workers - 1}, got ${worker}.`);
    const share = shares(this.#sizes.rounds, workers)[worker]!;
    const [first, count] = [firstRound ?? share.first, rounds?.length ?? share.count];
    const its = `${share.count} rounds from ${share.first} on`;
    if (first !== share.first || count !== share.count)
      throw bad(`accumulate: worker ${worker} of ${workers} has ${its}, got ${count} from ${first} on.`);
    if (this.#normalised > first)
      throw bad(`accumulate: round ${first} comes before one that was computed already: take the workers in order.`);
    await this.#sum(first, await this.#ready(rounds ?? [], first, count));
    return this.sums.sum.download();
  }

  /** Takes the sums of all virtual workers, in their order, for `apply`. */
  async collect(sums: readonly ReadonlyMap<string, Float32Array>[]): Promise<void> {
    const { workers } = this.#sizes;
    if (sums.length !== workers) throw bad(`update: the sums of ${workers} workers are needed, got ${sums.length}.`);
    for (const [worker, sum] of sums.entries()) {
      this.sums.sum.check(sum);
      const missing = this.optimiser.layout.entries.find(({ name, kind }) => kind !== "buffer" && !sum.has(name));
      if (missing) throw bad(`update: the sums of worker ${worker} are without ${missing.name}.`);
    }
    this.optimiser.begin();
    for (const sum of sums) {
      this.sums.sum.upload(sum);
      await this.optimiser.addGradients(this.sums.sum);
    }
  }

  /** Adam and the averages. @param images seen before */
  async apply(lr: number, images: number): Promise<void> {
    await this.#normalise(this.#sizes.rounds);
    await this.optimiser.update({ lr, images, batch: this.#sizes.batch });
    this.#normalised = 0;
  }

  #ready(rounds: readonly Round[], first: number, count: number): Promise<readonly ReadyRound[]> {
    return this.#prepare(
      Array.from({ length: count }, (_, r) => rounds[r] ?? ({} as Round)),
      first,
    );
  }

  async #sum(first: number, rounds: readonly ReadyRound[]): Promise<void> {
    this.sums.begin();
    for (const [r, run] of rounds.entries()) {
      await this.#normalise(first + r + 1);
      await run();
      await this.sums.add();
    }
  }

  async #normalise(times: number): Promise<void> {
    for (; this.#normalised < times; this.#normalised++) if (this.#normalises) await this.optimiser.normalise();
  }

  destroy(): void {
    this.sums.destroy();
    this.optimiser.destroy();
  }
}

/** Gradients, or averages, without a network's buffers, which have none. */
export function withoutBuffers({ layout }: Optimiser, tensors: Map<string, Float32Array>): Map<string, Float32Array> {
  for (const { name, kind } of layout.entries) if (kind === "buffer") tensors.delete(name);
  return tensors;
}

/** An average, with the network's buffers as they are. */
export async function averageOf(optimiser: Optimiser, std: number): Promise<Map<string, Float32Array>> {
  const { averages, layout, parameters } = optimiser;
  const found = averages.find((average) => average.std === std);
  const there = averages.map((average) => average.std).join(", ") || "none";
  if (!found) throw bad(`ema: there is no average of std ${std}: there are ${there}.`);
  const average = await found.bank.download();
  const stored = await parameters.download();
  for (const { name, kind } of layout.entries) if (kind === "buffer") average.set(name, stored.get(name)!);
  return average;
}
