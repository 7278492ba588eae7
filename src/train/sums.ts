import { add } from "../../kernels/training/add/kernel.js";
import type { Gpu } from "../gpu/device.js";
import type { Program } from "../graph/program.js";
import { stage } from "../graph/stage.js";
import { Bank, type BankLayout, largestPart } from "./bank.js";

/**
 * Gradients of one round, and their sum over the rounds of one virtual worker, in order. An update is the work of several such
 * workers, whose sums are added in order too (`Optimiser.addGradients`): processes that share them out give the bits of one.
 */
export class WorkerSum {
  /** What a round's program writes. */
  readonly round: Bank;
  readonly sum: Bank;
  readonly #adders: readonly Program[];
  #rounds = 0;

  private constructor(round: Bank, sum: Bank, adders: readonly Program[]) {
    this.round = round;
    this.sum = sum;
    this.#adders = adders;
  }

  static async create(gpu: Gpu, label: string, layout: BankLayout): Promise<WorkerSum> {
    const round = new Bank(gpu, `${label} gradients of a round`, layout);
    const sum = new Bank(gpu, `${label} gradients of a worker`, layout);
    const adders = layout.parts(largestPart(gpu)).map((part) => {
      const buffers = { a: sum.region(part), b: round.region(part) };
      return stage(gpu, "add", add, { elements: part.elements }, buffers);
    });
    return new WorkerSum(round, sum, await Promise.all(adders));
  }

  /** A worker begins: what was summed is forgotten with its first round. */
  begin(): void {
    this.#rounds = 0;
  }

  async add(): Promise<void> {
    if (this.#rounds++ === 0) this.sum.copyFrom(this.round);
    else for (const adder of this.#adders) await adder.run();
  }

  destroy(): void {
    for (const adder of this.#adders) adder.destroy();
    this.round.destroy();
    this.sum.destroy();
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
