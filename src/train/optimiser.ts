import { adamSettings } from "../../kernels/lib/adam-settings.js";
import { adamRows } from "../../kernels/training/adam-rows/kernel.js";
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
import { BankRows } from "./bank-rows.js";
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

/** Adam's own settings, behind which the kernel's state says whether anything moves, and has the averages' rests. */
const ADAMS = 7;

/**
 * The parameters of one network with all that changes them: forced normalisation, gradients summed over the rounds of an
 * update, Adam, power-function averages. Everything lies in banks of one layout, and every step of it is a few dispatches over all
 * parameters (one by the kind of rows), as many for each part that the device binds at once. Adam's makes two averages as well; more
 * are one each. Forced normalisation changes a factor of each row, which Adam multiplies on: no pass over the weights.
 *
 * A round: normalise(), the backward pass into a bank of its own, addGradients(bank). After the last round update().
 */
export class Optimiser {
  readonly layout: BankLayout;
  /** As Adam left them: what `stored` reads is these by their rows' factors. */
  readonly parameters: Bank;
  readonly rows: BankRows;
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
  readonly #rests: GPUBuffer;
  readonly #owned: { destroy(): void }[];
  readonly #adders = new Map<Bank, readonly Program[]>();
  readonly #parts: readonly BankPart[];
  /** What normalise() and update() run, in order. */
  #projections: readonly Program[] = [];
  #adams: readonly Program[] = [];
  #steps: readonly Program[] = [];
  /** Rows have been normalised since Adam: their factors are not 1. */
  #normalised = false;
  /** The uploads of `parameters` after which the state of the rows was right. */
  #known = 0;
  /** The rounds of an update have begun. */
  #summing = false;

  /** @param owned what it makes: not all of it where memory runs short */
  private constructor(
    gpu: Gpu,
    layout: BankLayout,
    { label, stds = [], largest, mixShare = 1 }: OptimiserOptions,
    owned: { destroy(): void }[],
  ) {
    this.#owned = owned;
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
    this.rows = new BankRows(this.parameters, this.#parts);
    this.rows.refresh = () => this.#refresh();
    this.#owned.push(this.rows);
    this.#rests = this.#buffer("rests", new Float32Array(Math.max(1, stds.length)));
  }

  /** All 0 at first: upload the parameters, and after a resume the moments and averages. */
  static async create(gpu: Gpu, layout: BankLayout, options: OptimiserOptions): Promise<Optimiser> {
    const owned: { destroy(): void }[] = [];
    try {
      const made = await gpu.scoped(options.label, () => new Optimiser(gpu, layout, options, owned));
      await made.#prepare();
      return made;
    } catch (error) {
      for (const item of owned) item.destroy();
      gpu.flushDestroyed();
      throw error;
    }
  }

  async #prepare(): Promise<void> {
    const { parameters, gradients, m, v } = this;
    const profiles = this.averages.length;
    const { tableBuffer: table, state: rowState, table: known } = this.rows;
    const every = { table, state: rowState };
    const projections = [await this.#stage(normalizeRows, { rows: known.rows }, every)];
    const adams: Program[] = [];
    const steps: Program[] = [];
    const averages = this.#fused;
    for (const { part, range } of known.ranges) {
      const [first_average, second_average] = this.averages.slice(0, averages).map(({ bank }) => bank.region(part));
      const buffers = {
        ...every,
        ...{ w: parameters.region(part), g: gradients.region(part), m: m.region(part), v: v.region(part) },
        ...{ ...(first_average && { first_average }), ...(second_average && { second_average }) },
      };
      adams.push(await this.#stage(adamRows, { ...range, averages }, buffers));
    }
    for (const part of this.#parts) {
      const { elements, mixes } = part;
      const w = parameters.region(part);
      if (mixes.length > 0) {
        const buffers = { w, indices: this.#buffer("mixing weights", mixes) };
        projections.push(await this.#stage(clipEntries, { elements, count: mixes.length }, buffers));
      }
      if (mixes.length > 0 && this.#mixShare !== 1) {
        const indices = this.#buffer("slow mixing weights", mixes);
        const settings = { buffer: rowState, offset: 0, size: 32 };
        const buffers = { w, m: m.region(part), v: v.region(part), settings, indices };
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
    this.#adams = adams;
    this.#steps = steps;
  }

  /**
   * What a call in training mode does to the stored values first: W <- W / (eps + RMS) for every row, mixing weights clipped to
   * [0, 1]. Once for every round; never for a discriminator.
   */
  async normalise(): Promise<void> {
    await this.#refresh();
    this.#normalised = true;
    for (const program of this.#projections) await program.run();
  }

  /** Takes back what normalise() has done to rows since Adam: mixing weights stay clipped, as they are in every round. */
  async restart(): Promise<void> {
    if (!this.#normalised) return;
    await this.rows.forgetFactors();
    await this.#settle();
  }

  /** After an upload: each row's RMS by the very program that finds it after an update, so that a resumed run has the same bits. */
  async #refresh(): Promise<void> {
    if (this.#known === this.parameters.uploads) return;
    await this.#settle();
  }

  /** Multiplies the rows' factors on, and measures. */
  async #settle(): Promise<void> {
    this.#gpu.write(this.rows.state, new Float32Array(ADAMS + 1));
    for (const program of this.#adams) await program.run();
    this.#normalised = false;
    this.#known = this.parameters.uploads;
  }

  /** The stored values as they stand, normalised where they have been. */
  async stored(): Promise<Map<string, Float32Array>> {
    // Both as they are now: an update may be under way.
    const [tensors, state] = await Promise.all([
      this.parameters.download(),
      this.#normalised ? this.rows.readState() : undefined,
    ]);
    if (!state) return tensors;
    for (const { name, kind, rowLength } of this.layout.entries) {
      if (kind !== "weight") continue;
      const values = tensors.get(name)!;
      for (const [i, row] of this.rows.table.rowsOf.get(name)!.entries())
        for (let k = i * rowLength; k < (i + 1) * rowLength; k++) values[k]! *= state[4 * row + 1]!;
    }
    return tensors;
  }

  /** Overwrites the stored values of these tensors, or none of them where one cannot be. */
  async store(tensors: ReadonlyMap<string, Float32Array>): Promise<void> {
    this.parameters.check(tensors);
    if (this.#normalised) await this.#settle();
    this.parameters.upload(tensors);
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
    await this.#refresh();
    const settings = [...adamSettings({ lr, step: this.updates }), 1, ...rests.slice(0, this.#fused)];
    this.#gpu.write(this.rows.state, Float32Array.from(settings));
    this.#gpu.write(this.#rests, Float32Array.from(rests));
    for (const program of [...this.#adams, ...this.#steps]) await program.run();
    this.#normalised = false;
  }

  /** Times of one more normalisation and update, which change what is trained. */
  async profile(): Promise<NodeTime[]> {
    const times: NodeTime[] = [];
    for (const program of [...this.#projections, ...this.#adams, ...this.#steps])
      times.push(...(await profile(program)));
    return times;
  }

  /** Gradient entries that were not finite, in all updates so far. */
  async zeroedGradients(): Promise<number> {
    const state = await this.rows.readState();
    let zeroed = 0;
    for (let at = 0; at < state.length; at += 4) zeroed += state[at + 2]! + state[at + 3]!;
    return zeroed;
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
