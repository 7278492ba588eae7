import { add } from "../../kernels/training/add/kernel.js";
import type { Gpu } from "../gpu/device.js";
import type { Program } from "../graph/program.js";
import { stage } from "../graph/stage.js";
import { Bank, largestPart } from "./bank.js";
import type { Optimiser } from "./optimiser.js";

/**
 * Gradients of one round, and their sum over the rounds of one virtual worker, in order. An update is the work of several such
 * workers, whose sums are added in order too (`Optimiser.addGradients`): processes that share them out give the bits of one.
 */
export class WorkerSum {
  /** What a round's program writes. */
  readonly round: Bank;
  /** The same where a worker has one round; the optimiser's gradients where there is one worker. */
  readonly sum: Bank;
  readonly #owned: readonly { destroy(): void }[];
  readonly #adders: readonly Program[];
  #rounds = 0;

  private constructor(round: Bank, sum: Bank, owned: readonly { destroy(): void }[], adders: readonly Program[]) {
    this.round = round;
    this.sum = sum;
    this.#owned = owned;
    this.#adders = adders;
  }

  static async create(
    gpu: Gpu,
    label: string,
    { layout, gradients }: Pick<Optimiser, "layout" | "gradients">,
    { rounds, workers }: { readonly rounds: number; readonly workers: number },
  ): Promise<WorkerSum> {
    const owned: { destroy(): void }[] = [];
    const own = <T extends { destroy(): void }>(item: T): T => {
      owned.push(item);
      return item;
    };
    const bank = (what: string) => own(new Bank(gpu, `${label} gradients of a ${what}`, layout));
    try {
      const [sum, round] = await gpu.scoped(label, () => {
        const its = workers === 1 ? gradients : bank("worker");
        return [its, rounds === workers ? its : bank("round")] as const;
      });
      const adders: Program[] = [];
      for (const part of round === sum ? [] : layout.parts(largestPart(gpu))) {
        const buffers = { a: sum.region(part), b: round.region(part) };
        adders.push(own(await stage(gpu, "add", add, { elements: part.elements }, buffers)));
      }
      return new WorkerSum(round, sum, owned, adders);
    } catch (error) {
      for (const item of owned) item.destroy();
      gpu.flushDestroyed();
      throw error;
    }
  }

  /** A worker begins: what was summed is forgotten with its first round. */
  begin(): void {
    this.#rounds = 0;
  }

  async add(): Promise<void> {
    if (this.round === this.sum) return;
    if (this.#rounds++ === 0) this.sum.copyFrom(this.round);
    else for (const adder of this.#adders) await adder.run();
  }

  destroy(): void {
    for (const item of this.#owned) item.destroy();
  }
}

/**
 * The rounds of each virtual worker: as even as they go, the earlier ones one more.
 * @returns by worker, the number of its first round and how many it has
 */
export function shares(rounds: number, workers: number): { first: number; count: number }[] {
  return Array.from({ length: workers }, (_, worker) => {
    const first = Math.ceil((worker * rounds) / workers);
    return { first, count: Math.ceil(((worker + 1) * rounds) / workers) - first };
  });
}
