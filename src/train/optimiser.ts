import { adam } from "../../kernels/training/adam/kernel.js";
import { adamSettings } from "../../kernels/training/adam/reference.js";
import { add } from "../../kernels/training/add/kernel.js";
import { clipEntries } from "../../kernels/training/clip-entries/kernel.js";
import { normalizeRows } from "../../kernels/training/normalize-rows/kernel.js";
import { powerEma } from "../../kernels/training/power-ema/kernel.js";
import { slowEntries } from "../../kernels/training/slow-entries/kernel.js";
import { bad } from "../errors.js";
import type { Kernel } from "../gpu/contract.js";
import type { Gpu } from "../gpu/device.js";
import { type NodeTime, profile } from "../graph/profile.js";
import type { Program, Region } from "../graph/program.js";
import { stage } from "../graph/stage.js";
import { Bank, type BankLayout, type BankPart, largestPart } from "./bank.js";
import { emaRest } from "./schedule.js";

export interface OptimiserOptions {
  /** What it trains, for messages. */
  readonly label: string;
  /** Relative standard deviations of the power-function averages to keep; none by default. */
  readonly stds?: readonly number[];
  /** Values bound at once (default: as many as the device allows). Changes no bit. */
  readonly largest?: number;
  /** Learning rate of the mixing weights relative to all others' (1). */
  readonly mixShare?: number;
}

export interface UpdateOptions {
  readonly lr: number;
  /** Images seen before this update, and in it. */
  readonly images: number;
  readonly batch: number;
}

/** Averages that one binding limit of eight leaves room for beside Adam's own buffers. */
const MOST_FUSED = 2;

/**
 * The parameters of one network with all that changes them: forced normalisation, gradients summed over the rounds of an
 * update, Adam, power-function averages. Everything lies in banks of one layout, and every step of it is one dispatch over all
 * parameters, or one for each part that the device binds at once. Adam's makes two averages as well; more are one each.
 *
 * A round: normalise(), the backward pass into a bank of its own, addGradients(bank). After the last round update().
 */
export class Optimiser {
  readonly layout: BankLayout;
  readonly parameters: Bank;
  /** Those of the last update, or so far of the next, as the rounds gave them: NaN and infinities included. */
  readonly gradients: Bank;
  /** First and second moments. */
  readonly m: Bank;
  readonly v: Bank;
  readonly averages: readonly { readonly std: number; readonly bank: Bank }[];
  /** Updates so far: Adam's k. Set it when moments are loaded. */
  updates = 0;
  readonly #gpu: Gpu;
  readonly #mixShare: number;
  /** Averages that Adam's kernel makes, the first ones. */
  readonly #fused: number;
  readonly #settings: GPUBuffer;
  readonly #rests: GPUBuffer;
  readonly #zeroed: GPUBuffer;
  readonly #owned: { destroy(): void }[] = [];
  readonly #adders = new Map<Bank, readonly Program[]>();
  readonly #parts: readonly BankPart[];
  /** What normalise() and update() run, in order. */
  #projections: readonly Program[] = [];
  #steps: readonly Program[] = [];
  /** The rounds of an update have begun. */
  #summing = false;

  private constructor(gpu: Gpu, layout: BankLayout, { label, stds = [], largest, mixShare = 1 }: OptimiserOptions) {
    this.#mixShare = mixShare;
    this.#parts = layout.parts(largest ?? largestPart(gpu));
    const bank = (what: string) => {
      const made = new Bank(gpu, `${label} ${what}`, layout);
      this.#owned.push(made);
      return made;
    };
    this.#gpu = gpu;
    this.layout = layout;
    this.parameters = bank("parameters");
    this.gradients = bank("gradients");
    this.m = bank("first moments");
    this.v = bank("second moments");
    this.averages = stds.map((std) => ({ std, bank: bank(`average ${std}`) }));
    // Slow entries are moved back after Adam: averages come after that.
    const slow = mixShare !== 1 && this.#parts.some(({ mixes }) => mixes.length > 0);
    this.#fused = slow ? 0 : Math.min(MOST_FUSED, stds.length);
    this.#settings = this.#buffer("settings", new Float32Array(7 + this.#fused));
    this.#rests = this.#buffer("rests", new Float32Array(Math.max(1, stds.length)));
    this.#zeroed = this.#buffer("zeroed gradients", new Uint32Array(2));
  }

  /** All 0 at first: upload the parameters, and after a resume the moments and averages. */
  static async create(gpu: Gpu, layout: BankLayout, options: OptimiserOptions): Promise<Optimiser> {
    const made = await gpu.scoped(options.label, () => new Optimiser(gpu, layout, options));
    try {
      await made.#prepare();
      return made;
    } catch (error) {
      made.destroy();
      throw error;
    }
  }

  async #prepare(): Promise<void> {
    const { parameters, gradients, m, v } = this;
    const profiles = this.averages.length;
    const projections: Program[] = [];
    const steps: Program[] = [];
    for (const part of this.#parts) {
      const { elements, rows, mixes } = part;
      const w = parameters.region(part);
      if (rows.length > 0) {
        const buffers = { w, table: this.#buffer("rows", rows) };
        projections.push(await this.#stage(normalizeRows, { elements, rows: rows.length / 2 }, buffers));
      }
      if (mixes.length > 0) {
        const buffers = { w, indices: this.#buffer("mixing weights", mixes) };
        projections.push(await this.#stage(clipEntries, { elements, count: mixes.length }, buffers));
      }
      const state = { w, g: gradients.region(part), m: m.region(part), v: v.region(part) };
      const averages = this.#fused;
      const [first_average, second_average] = this.averages.slice(0, averages).map(({ bank }) => bank.region(part));
      const own = { ...state, settings: this.#settings, zeroed: this.#zeroed };
      const buffers = { ...own, ...(first_average && { first_average }), ...(second_average && { second_average }) };
      steps.push(await this.#stage(adam, { elements, averages }, buffers));
      if (mixes.length > 0 && this.#mixShare !== 1) {
        const indices = this.#buffer("slow mixing weights", mixes);
        const buffers = { w, m: state.m, v: state.v, settings: this.#settings, indices };
        const params = { elements, count: mixes.length, share: this.#mixShare };
        steps.push(await this.#stage(slowEntries, params, buffers));
      }
      for (const [profile, { bank }] of this.averages.entries()) {
        if (profile < averages) continue;
        const buffers = { w, rests: this.#rests, average: bank.region(part) };
        steps.push(await this.#stage(powerEma, { elements, profiles, profile }, buffers));
      }
    }
    this.#projections = projections;
    this.#steps = steps;
  }

  /**
   * What a call in training mode does to the stored values first: W <- W / (eps + RMS) for every row, mixing weights clipped to
   * [0, 1]. Once for every round; never for a discriminator.
   */
  async normalise(): Promise<void> {
    for (const program of this.#projections) await program.run();
  }

  /** What was added for an update that was broken off counts no more. */
  begin(): void {
    this.#summing = false;
  }

  /**
   * Adds the gradients of a round, in the order of the calls; the first after an update replaces what is there. They may lie in
   * `gradients` already, if there are no others.
   */
  async addGradients(round: Bank): Promise<void> {
    if (round.layout !== this.layout) throw bad("The gradients are of another layout than the parameters.");
    if (round === this.gradients) return;
    if (!this.#summing) {
      this.gradients.copyFrom(round);
      this.#summing = true;
      return;
    }
    let programs = this.#adders.get(round);
    if (!programs) {
      const made = this.#parts.map((part) => {
        const buffers = { a: this.gradients.region(part), b: round.region(part) };
        return this.#stage(add, { elements: part.elements }, buffers);
      });
      programs = await Promise.all(made);
      this.#adders.set(round, programs);
    }
    for (const program of programs) await program.run();
  }

  /** Adam with what `gradients` holds, entries that are not finite counting as 0; then the averages of the raw result. */
  async update({ lr, images, batch }: UpdateOptions): Promise<void> {
    if (!(Number.isFinite(lr) && lr >= 0)) throw bad(`lr must be a number of at least 0, got ${lr}.`);
    if (!(images >= 0 && batch > 0)) throw bad(`${batch} images after ${images} are no update.`);
    this.updates += 1;
    this.#summing = false;
    const rests = this.averages.map(({ std }) => emaRest(std, images + batch, batch));
    const settings = adamSettings({ lr, step: this.updates, rests: rests.slice(0, this.#fused) });
    this.#gpu.write(this.#settings, Float32Array.from(settings));
    this.#gpu.write(this.#rests, Float32Array.from(rests));
    for (const program of this.#steps) await program.run();
  }

  /** Times of one more normalisation and update, which change what is trained. */
  async profile(): Promise<NodeTime[]> {
    const times: NodeTime[] = [];
    for (const program of [...this.#projections, ...this.#steps]) times.push(...(await profile(program)));
    return times;
  }

  /** Gradient entries that were not finite, in all updates so far. */
  async zeroedGradients(): Promise<number> {
    const [low, high] = new Uint32Array(await this.#gpu.read(this.#zeroed, 8));
    return low! + 2 ** 32 * high!;
  }

  destroy(): void {
    for (const item of this.#owned.splice(0)) item.destroy();
    this.#gpu.flushDestroyed();
  }

  #buffer(label: string, data: Float32Array | Uint32Array): GPUBuffer {
    const buffer = this.#gpu.storage(label, data.byteLength);
    this.#owned.push({ destroy: () => this.#gpu.destroyBuffer(buffer) });
    this.#gpu.write(buffer, data);
    return buffer;
  }

  async #stage<P extends object>(
    kernel: Kernel<P>,
    params: P,
    buffers: Record<string, GPUBuffer | Region>,
  ): Promise<Program> {
    const program = await stage(this.#gpu, kernel.name, kernel, params, buffers);
    this.#owned.push(program);
    return program;
  }
}
