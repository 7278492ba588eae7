import { adamSettings } from "../../kernels/lib/adam-settings.js";
import { adam } from "../../kernels/training/adam/kernel.js";
import { powerEma } from "../../kernels/training/power-ema/kernel.js";
import { writeSafetensors } from "../checkpoint/index.js";
import { bad, checkKeys, NcvsdError } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import { during, Held } from "../gpu/held.js";
import type { Program } from "../graph/program.js";
import { type Encodable, stage } from "../graph/stage.js";
import type { DiscoConfig } from "../networks/energy/config.js";
import { EnergyParameters } from "../networks/energy/parameters.js";
import { flatRows, type PointRows } from "../networks/energy/rows.js";
import { type DiscoSettings, type DiscoTrainingOptions, discoSettings, rateOf } from "./disco-settings.js";
import { type DiscoBuffers, type DiscoStep, openDiscoStep } from "./disco-step.js";
import { readState, type Settings, type StoredNetwork, saveState } from "./state.js";
import { tiled } from "./tiles.js";

export interface DiscoStepInput {
  /** rows x dims: the points to learn at. */
  readonly x?: PointRows;
  /** rows x dims: what the network's output is to be there, x* - x for a draw x* of the posterior or its mean. */
  readonly target?: PointRows;
  /** [rows] */
  readonly weight?: ArrayLike<number>;
  /** rows: indices of noise levels. Of networks without labels they say how noisy the points are that are drawn. */
  readonly labels?: ArrayLike<number>;
}

/** Steps of one submission at most, and their losses. */
const MOST_STEPS = 64;
/** Values of a step in the schedule: Adam's settings, padded. */
const SETTINGS = 8;

/**
 * Opens the training of a network of DISCO, or of its diffusion counterpart: the loss of the paper with the exact, a random subset's or
 * the minibatch's posterior, Adam, an average of the parameters. Everything that a step needs is drawn on the GPU, by (seed, step):
 * the same options give the same parameters, in one run or in several.
 * @throws BAD_ARGUMENT for options that cannot be right
 */
export async function openDisco(gpu: Gpu, options: DiscoTrainingOptions): Promise<DiscoTraining> {
  const { settings, tensors, data } = await discoSettings(options);
  const parameters = await EnergyParameters.create(gpu, settings.config, tensors);
  let run: DiscoTraining | undefined;
  try {
    run = await DiscoTraining.create(parameters, settings, data);
    if (options.resume !== undefined) await run.restore(options.resume);
    return run;
  } catch (error) {
    if (run) run.close();
    else parameters.destroy();
    throw error;
  }
}

interface Banks {
  readonly average: GPUBuffer;
  readonly m: GPUBuffer;
  readonly v: GPUBuffer;
}

/** A training of DISCO under way; what it is closed under still ends. */
export class DiscoTraining {
  readonly gpu: Gpu;
  readonly config: DiscoConfig;
  readonly settings: DiscoSettings;
  /** Steps so far. */
  steps = 0;
  readonly #parameters: EnergyParameters;
  readonly #shared: DiscoBuffers;
  readonly #banks: Banks;
  /** Of one step: Adam's seven settings. */
  readonly #rates: GPUBuffer;
  /** Those of the steps of a submission, and their numbers. */
  readonly #schedule: GPUBuffer;
  readonly #numbers: GPUBuffer;
  readonly #losses: GPUBuffer;
  readonly #update: readonly Program[];
  readonly #data: Float32Array | undefined;
  readonly #held: Held;
  #step: DiscoStep | undefined;

  private constructor(parts: {
    parameters: EnergyParameters;
    settings: DiscoSettings;
    shared: DiscoBuffers;
    banks: Banks;
    rates: GPUBuffer;
    schedule: GPUBuffer;
    numbers: GPUBuffer;
    losses: GPUBuffer;
    update: readonly Program[];
    owned: readonly { destroy(): void }[];
    data: Float32Array | undefined;
  }) {
    this.gpu = parts.parameters.gpu;
    this.config = parts.settings.config;
    this.settings = parts.settings;
    this.#parameters = parts.parameters;
    this.#shared = parts.shared;
    this.#banks = parts.banks;
    this.#rates = parts.rates;
    this.#schedule = parts.schedule;
    this.#numbers = parts.numbers;
    this.#losses = parts.losses;
    this.#update = parts.update;
    this.#data = parts.data;
    this.#held = new Held("The training", () => {
      this.#step?.destroy();
      for (const item of parts.owned) item.destroy();
      this.#parameters.destroy();
    });
  }

  /** Use `openDisco`, which checks. */
  static async create(
    parameters: EnergyParameters,
    settings: DiscoSettings,
    data: Float32Array | undefined,
  ): Promise<DiscoTraining> {
    const { gpu, layout } = parameters;
    const owned: { destroy(): void }[] = [];
    const buffer = (name: string, values: number | Float32Array | Uint32Array) => {
      const length = typeof values === "number" ? values : values.length;
      const own = gpu.storage(`disco ${name}`, 4 * length);
      owned.push({ destroy: () => gpu.destroyBuffer(own) });
      gpu.write(own, typeof values === "number" ? new Float32Array(length) : values);
      return own;
    };
    try {
      const { elements } = layout;
      const { box_low: low, box_high: high } = settings.config;
      const parts = data && settings.tiles ? tiled(data, settings.config.dim) : undefined;
      const shared: DiscoBuffers = {
        data: data && buffer("data", parts?.data ?? data),
        bounds: parts && buffer("bounds", parts.bounds),
        box: data && low && high ? buffer("box", Float32Array.from([...low, ...high])) : undefined,
        step: buffer("step", 1),
        gradients: buffer("gradients", elements),
        loss: buffer("loss", 1),
      };
      const start = new Float32Array(await gpu.read(parameters.bank, 4 * elements));
      const banks = {
        average: buffer("average", start),
        m: buffer("moment 1", elements),
        v: buffer("moment 2", elements),
      };
      const rates = buffer("rates", SETTINGS);
      const rests = buffer("rest of the average", Float32Array.of(1 - settings.emaRate));
      const moved = {
        g: shared.gradients,
        settings: rates,
        w: parameters.bank,
        m: banks.m,
        v: banks.v,
        zeroed: buffer("zeroed", 2),
      };
      const averaged = { w: parameters.bank, rests, average: banks.average };
      const update: Program[] = [];
      const updating = (program: Program) => owned.push(program) && update.push(program);
      updating(await stage(gpu, "adam", adam, { elements }, moved));
      updating(await stage(gpu, "average", powerEma, { elements, profiles: 1, profile: 0 }, averaged));
      return new DiscoTraining({
        ...{ parameters, settings, shared, banks, rates, update, owned, data },
        schedule: buffer("schedule", MOST_STEPS * SETTINGS),
        numbers: buffer("step numbers", MOST_STEPS),
        losses: buffer("losses", MOST_STEPS),
      });
    } catch (error) {
      for (const item of owned) item.destroy();
      gpu.flushDestroyed();
      throw error;
    }
  }

  /**
   * One step. What is not given is drawn.
   * @returns the loss before the step's update
   * @throws BAD_ARGUMENT for arrays that do not fit each other, or where there are no data to draw from; NOT_FINITE
   */
  step(input: DiscoStepInput = {}): Promise<{ readonly loss: number }> {
    return this.#use(async () => {
      checkKeys("step", input, { x: true, target: true, weight: true, labels: true });
      const drawn = Object.values(input).every((value) => value === undefined);
      return { loss: drawn ? (await this.#train(1))[0]! : await this.#given(input) };
    });
  }

  async #given(input: DiscoStepInput): Promise<number> {
    const { dim } = this.config;
    const flat = (name: keyof DiscoStepInput) => {
      const values = input[name];
      return values === undefined ? undefined : flatRows("step", name, values);
    };
    const [x, target, weight, labels] = [flat("x"), flat("target"), flat("weight"), flat("labels")];
    const rows = x ? x.length / dim : target ? target.length / dim : (weight ?? labels!).length;
    const sized = (name: string, values: Float32Array | undefined, length: number) => {
      if (values !== undefined && (values.length !== length || length === 0))
        throw bad(`step: ${name} must have ${length} values for ${rows} rows, got ${values.length}.`);
      return values;
    };
    if (!Number.isInteger(rows))
      throw bad(`step: x must have rows of ${dim} values, got ${x?.length ?? target?.length}.`);
    const given = {
      x: sized("x", x, rows * dim),
      goal: sized("target", target, rows * dim),
      weight: sized("weight", weight, rows),
      labels: sized("labels", labels, rows),
    };
    if (this.config.conditional && given.x && !given.goal)
      throw bad("step: what a diffusion model learns at x, its noise, must be given as target.");
    const step = await this.#stepOf(rows);
    if (!step.draws && !(given.x && given.goal && given.weight && (given.labels || !this.config.conditional)))
      throw bad(
        "step: without data, x, target and weight (and labels, where the network takes them) must all be given.",
      );
    this.#schedules(1);
    const begin = (encoder: GPUCommandEncoder) => this.#begin(encoder, 0);
    const { draws } = step;
    this.#submit(begin, draws ? [draws.levels] : []);
    if (given.labels) this.gpu.write(step.labels, given.labels);
    if (draws) this.#submit(undefined, [draws.points]);
    if (given.x) this.gpu.write(step.x, given.x);
    // Targets decide on weights, too, where both are drawn.
    if (draws && !given.goal) this.#submit(undefined, [draws.target]);
    if (given.weight) this.gpu.write(step.weight, given.weight);
    if (given.goal) this.gpu.write(step.goal, given.goal);
    await this.gpu.scoped("A step of DISCO", () =>
      this.#submit(undefined, [step.learn, ...this.#update], (encoder) => this.#end(encoder, 0)),
    );
    this.steps++;
    return (await this.#lossesOf(1))[0]!;
  }

  /**
   * So many steps, drawn on the GPU; their losses are all that is read.
   * @throws BAD_ARGUMENT where there are no data; NOT_FINITE
   */
  train(steps: number): Promise<Float32Array> {
    return this.#use(() => this.#train(steps));
  }

  async #train(steps: number): Promise<Float32Array> {
    if (!Number.isSafeInteger(steps) || steps < 1) throw bad(`train: steps must be a positive integer, got ${steps}.`);
    const step = await this.#stepOf(this.settings.batch);
    const { draws } = step;
    if (!draws)
      throw bad("train: there are no data to draw from: give openDisco data, or every step its x, target and weight.");
    const losses = new Float32Array(steps);
    for (let done = 0; done < steps; ) {
      const count = Math.min(MOST_STEPS, steps - done);
      this.#schedules(count);
      await this.gpu.scoped("Steps of DISCO", () => {
        const encoder = this.gpu.device.createCommandEncoder();
        for (let i = 0; i < count; i++) {
          this.#begin(encoder, i);
          this.#encode(encoder, [draws.levels, draws.points, draws.target, step.learn, ...this.#update]);
          this.#end(encoder, i);
        }
        this.gpu.device.queue.submit([encoder.finish()]);
      });
      this.steps += count;
      losses.set(await this.#lossesOf(count), done);
      done += count;
    }
    return losses;
  }

  /** The parameters by name, or their average. */
  parameters({ ema = false }: { readonly ema?: boolean } = {}): Promise<Map<string, Float32Array>> {
    const { layout, bank } = this.#parameters;
    const stored = ema ? this.#banks.average : bank;
    return this.#use(async () => layout.tensors(await this.gpu.readF32(stored, layout.elements)));
  }

  /** A weight file of the average (default), or of the parameters themselves, for `loadDisco`. */
  async snapshot({ ema = true }: { readonly ema?: boolean } = {}): Promise<Uint8Array<ArrayBuffer>> {
    const values = await this.parameters({ ema });
    const { places } = this.#parameters.layout;
    const tensors = Array.from(places, ([name, { shape }]) => ({ name, dtype: "F32", shape, data: values.get(name)! }));
    const config = JSON.stringify(this.config);
    return writeSafetensors(tensors, { format: "pt", architecture: "disco-mlp", config, tool: "ncvsd-gpu" });
  }

  /** Writes the state into a folder, from which `resume` goes on to the same bits. @throws BAD_ARGUMENT when it cannot be written */
  save(dir: string): Promise<void> {
    return this.#use(async () => {
      const counters = { images: this.steps * this.settings.batch, steps: this.steps };
      const networks = { disco: this.#stored() };
      await saveState(dir, { kind: "disco", networks, counters, settings: await this.#identity() });
    });
  }

  /** Takes over a state. @throws BAD_ARGUMENT when it is of other settings, BAD_CHECKPOINT when it is damaged */
  restore(dir: string): Promise<void> {
    return this.#use(async () => {
      const state = await readState(dir, "disco");
      state.checkSettings(await this.#identity());
      await state.restore({ disco: this.#stored() });
      this.gpu.device.queue.submit([this.#repacking()]);
    });
  }

  /** Gives everything back; a call that is under way still ends, and what it uses goes with it. */
  close(): void {
    this.#held.destroy();
  }

  #use<T>(action: () => Promise<T>): Promise<T> {
    return during(this.#held, async () => {
      this.gpu.check();
      return action();
    });
  }

  /** The programs for so many rows; those for another number are given back. */
  async #stepOf(rows: number): Promise<DiscoStep> {
    if (this.#step?.rows === rows) return this.#step;
    this.#step?.destroy();
    this.#step = undefined;
    this.#step = await openDiscoStep(this.#parameters, this.settings, this.#shared, rows);
    return this.#step;
  }

  /** Writes what the next steps need of the host: all that crosses the bus on their way there. */
  #schedules(count: number): void {
    const { lr, betas } = this.settings;
    const values = new Float32Array(count * SETTINGS);
    const numbers = new Uint32Array(count);
    for (let i = 0; i < count; i++) {
      const step = this.steps + i + 1;
      values.set(adamSettings({ lr: rateOf(lr, step), step, beta1: betas[0], beta2: betas[1] }), i * SETTINGS);
      numbers[i] = step;
    }
    this.gpu.write(this.#schedule, values);
    this.gpu.write(this.#numbers, numbers);
  }

  #begin(encoder: GPUCommandEncoder, i: number): void {
    encoder.copyBufferToBuffer(this.#schedule, 4 * SETTINGS * i, this.#rates, 0, 4 * SETTINGS);
    encoder.copyBufferToBuffer(this.#numbers, 4 * i, this.#shared.step, 0, 4);
  }

  #end(encoder: GPUCommandEncoder, i: number): void {
    encoder.copyBufferToBuffer(this.#shared.loss, 0, this.#losses, 4 * i, 4);
    this.#encode(encoder, [{ encode: (pass) => this.#parameters.repack(pass) }]);
  }

  #encode(encoder: GPUCommandEncoder, parts: readonly Encodable[]): void {
    const pass = encoder.beginComputePass();
    for (const part of parts) part.encode(pass);
    pass.end();
  }

  #submit(
    before: ((encoder: GPUCommandEncoder) => void) | undefined,
    parts: readonly Encodable[],
    after?: (encoder: GPUCommandEncoder) => void,
  ): void {
    const encoder = this.gpu.device.createCommandEncoder();
    before?.(encoder);
    this.#encode(encoder, parts);
    after?.(encoder);
    this.gpu.device.queue.submit([encoder.finish()]);
  }

  #repacking(): GPUCommandBuffer {
    const encoder = this.gpu.device.createCommandEncoder();
    this.#encode(encoder, [{ encode: (pass) => this.#parameters.repack(pass) }]);
    return encoder.finish();
  }

  async #lossesOf(count: number): Promise<Float32Array> {
    const losses = await this.gpu.readF32(this.#losses, count);
    const at = losses.findIndex((loss) => !Number.isFinite(loss));
    if (at >= 0)
      throw new NcvsdError(
        "NOT_FINITE",
        `The loss of step ${this.steps - count + at + 1} is ${losses[at]}: the training has diverged; take a smaller lr.`,
      );
    return losses;
  }

  /** Everything that the bits of the run depend on. */
  async #identity(): Promise<Settings> {
    const { config, ...rest } = this.settings;
    const data = this.#data;
    let digest: string | null = null;
    if (data) {
      const bytes = await crypto.subtle.digest(
        "SHA-256",
        new Uint8Array(data.buffer, data.byteOffset, data.byteLength) as Uint8Array<ArrayBuffer>,
      );
      digest = Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
    }
    return JSON.parse(JSON.stringify({ ...rest, config, data: digest })) as Settings;
  }

  #stored(): StoredNetwork {
    const { layout, bank } = this.#parameters;
    const stored = (buffer: GPUBuffer) => ({
      download: async () => layout.tensors(await this.gpu.readF32(buffer, layout.elements)),
      upload: (tensors: ReadonlyMap<string, Float32Array>) => this.gpu.write(buffer, layout.flatten(tensors)),
    });
    const { average, m, v } = this.#banks;
    const run = this;
    return {
      layout: { entries: Array.from(layout.places, ([name, { shape }]) => ({ name, shape })) },
      parameters: stored(bank),
      m: stored(m),
      v: stored(v),
      averages: [{ std: this.settings.emaRate, bank: stored(average) }],
      get updates() {
        return run.steps;
      },
      set updates(steps: number) {
        run.steps = steps;
      },
    };
  }
}
