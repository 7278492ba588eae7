/// <reference lib="esnext.disposable" preserve="true" />
import { bad, checkKeys } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import { during, Held } from "../gpu/held.js";
import type { NodeTime } from "../graph/profile.js";
import type { NetworkConfig } from "../networks/edm2/arguments.js";
import { TIMELESS } from "../networks/edm2/timeless.js";
import type { Labels } from "../networks/session.js";
import { seedRow } from "../random/seeds.js";
import { BankLayout } from "./bank.js";
import { imagesOf, placesOf, type TrainingData } from "./data.js";
import { type DiscoImageOptions, discoImageNetwork, discoImageSettings } from "./disco-images.js";
import { imageKey } from "./draws.js";
import { freshTensors } from "./initial.js";
import { Optimiser } from "./optimiser.js";
import { type TrainingPrecision, trainingPrecision } from "./precision.js";
import { completeRate, type LearningRate, learningRate } from "./schedule.js";
import { makeSnapshot, type Snapshot } from "./snapshot.js";
import { type ConfigInput, type NetworkInput, type NetworkTensors, networkTensors } from "./source.js";
import { readState, type Settings as StateSettings, saveState } from "./state.js";
import { WorkerSum } from "./sums.js";
import { TeacherRound, type TeacherSettings } from "./teacher-round.js";
import { averageOf, Updates, updateSizes, type WorkerPart, withoutBuffers } from "./updates.js";

export interface TrainingOptions {
  /** Initial tensors; absent: a new network of `config` from `seed`. */
  readonly network?: NetworkInput;
  /** Constructor arguments by the reference's names, `dropout` among them. */
  readonly config?: ConfigInput;
  /** Images of an update, and of a round: `batch` is a multiple of `batchGpu`, by default one round. */
  readonly batch: number;
  readonly batchGpu?: number;
  /** Multiplies the loss (1). */
  readonly lossScaling?: number;
  /** Mean and standard deviation of ln(sigma): -0.4 and 1; with `disco` -1.2 and 1.2. */
  readonly pMean?: number;
  readonly pStd?: number;
  readonly lr: LearningRate;
  /** Relative standard deviations of the averages to keep (0.05 and 0.1). */
  readonly emaStds?: readonly number[];
  readonly seed?: number;
  /** Virtual workers of an update: 8, or the number of rounds if there are fewer. Part of the bits. */
  readonly workers?: number;
  /** Compute the inside of blocks again for their derivatives: less memory, more time, the same bits (false). */
  readonly recompute?: boolean;
  /**
   * Storage type of activations and effective weights (f32). f16 needs an adapter with `shader-f16`; stored weights, moments, averages,
   * gradients of parameters, embeddings, losses and all sums stay f32. Small gradients vanish without `lossScaling`.
   */
  readonly precision?: TrainingPrecision;
  readonly data?: TrainingData;
  /**
   * Trains DISCO's model of images in place of a denoiser: D(x) = x/2 + F(x) of no noise level and no classes, for `loadDiscoImages`
   * (Wedenig and Peharz, appendix D). `config` is that of EDM2 without `sigma_data` and `label_dim`; `network` may be a teacher, of
   * which it begins with all but the classes.
   */
  readonly disco?: DiscoImageOptions;
  /** A folder that `save` wrote: go on where it was, to the same bits. All settings must be those it had. */
  readonly resume?: string;
}

/** Images and draws of one round; what is absent is taken from the data or drawn. */
export interface TrainingRound {
  /** [N, C, H, W], in the network's value range. */
  readonly images?: Float32Array;
  readonly labels?: Labels;
  /** Standard normal, one per image: sigma = exp(pMean + pStd rndNormal). */
  readonly rndNormal?: ArrayLike<number>;
  /** Standard normal, [N, C, H, W]. */
  readonly noise?: Float32Array;
}

export interface StepInput {
  /** One entry per round; absent: all is drawn. */
  readonly rounds?: readonly TrainingRound[];
  /** Also give the first round's `sigma`, `D`, `logvar` and `loss`. */
  readonly record?: boolean;
}

export interface StepResult {
  /** Mean loss of each round, over images and entries. */
  readonly losses: number[];
  /** The learning rate of this update. */
  readonly lr: number;
  /** Images seen, those of this update included. */
  readonly images: number;
  readonly recorded?: Map<string, Float32Array>;
}

const OPTIONS = {
  network: true,
  config: true,
  batch: true,
  batchGpu: true,
  lossScaling: true,
  pMean: true,
  pStd: true,
  lr: true,
  emaStds: true,
  seed: true,
  workers: true,
  recompute: true,
  precision: true,
  data: true,
  disco: true,
  resume: true,
} as const;

/** What a teacher's state calls itself and its network. */
const KIND = "teacher";

/**
 * Opens the training of an EDM2 teacher (Karras et al. 2024; the reference's training loop).
 * @throws NcvsdError BAD_ARGUMENT, BAD_CHECKPOINT, or OUT_OF_MEMORY
 */
export async function openTraining(gpu: Gpu, options: TrainingOptions): Promise<Training> {
  checkKeys("openTraining", options, OPTIONS);
  const precision = trainingPrecision("openTraining", gpu, options.precision);
  const { seed = 0, emaStds = [0.05, 0.1], data } = options;
  seedRow([seed]);
  const saved = options.resume === undefined ? undefined : await readState(options.resume, KIND);
  const stored =
    saved && !options.network
      ? ({ ...(saved.settings.config as object), dropout: saved.settings.dropout } as ConfigInput)
      : undefined;
  const { network, config } = options.disco
    ? await discoImageNetwork("openTraining", options.network, options.config ?? stored)
    : { network: options.network, config: options.config ?? stored };
  const source = await networkTensors("openTraining: network", network, config);
  const settings = settingsOf(options, source.dropout, precision);
  const bits = bitsOf(source, settings, { seed, emaStds, data });
  saved?.checkSettings(bits);
  const layout = new BankLayout(source.shapes);
  const held: { destroy(): void }[] = [];
  try {
    const optimiser = await Optimiser.create(gpu, layout, { label: "teacher", stds: emaStds });
    held.push(optimiser);
    const sums = await WorkerSum.create(gpu, "teacher", optimiser, settings);
    held.push(sums);
    if (saved) await saved.restore({ [KIND]: optimiser });
    else optimiser.parameters.upload(source.tensors ?? freshTensors(source.shapes, seed));
    const round = await TeacherRound.create(gpu, source.config, settings, optimiser, sums);
    const begun = { images: saved?.counters.images ?? 0, zeroed: saved?.counters.zeroed ?? 0 };
    // The start's values are on the device by now.
    const shape = { ...source, tensors: undefined };
    return new Training({ gpu, source: shape, settings, bits, seed, data, begun, optimiser, sums, round });
  } catch (error) {
    for (const item of held.reverse()) item.destroy();
    throw error;
  }
}

/** Numbers of a run, checked. */
interface Settings extends TeacherSettings {
  readonly lr: LearningRate;
}

function settingsOf(options: TrainingOptions, dropout: number, precision: TrainingPrecision): Settings {
  const disco = options.disco && discoImageSettings("openTraining", options.disco);
  const { lossScaling = 1, pMean = disco ? -1.2 : -0.4, pStd = disco ? 1.2 : 1, lr, recompute = false } = options;
  const sizes = updateSizes("openTraining", options);
  for (const [name, value] of Object.entries({ lossScaling, pStd }))
    if (!(value > 0 && Number.isFinite(value)))
      throw bad(`openTraining: ${name} must be a positive number, got ${value}.`);
  if (!Number.isFinite(pMean)) throw bad(`openTraining: pMean must be a number, got ${pMean}.`);
  if (!(lr && lr.refLr >= 0 && Number.isFinite(lr.refLr)))
    throw bad(`openTraining: lr.refLr must be a number of at least 0, got ${lr?.refLr}.`);
  return { ...sizes, lossScaling, pMean, pStd, dropout, recompute, precision, lr, ...(disco && { disco }) };
}

/** What a state must agree with: all that the bits of a run hang on, but the adapter. */
function bitsOf(
  { config }: NetworkTensors,
  { batch, batchGpu, workers, lossScaling, pMean, pStd, dropout, lr, disco, precision }: Settings,
  { seed, emaStds, data }: { seed: number; emaStds: readonly number[]; data: TrainingData | undefined },
): StateSettings {
  return {
    config: { ...config },
    ...{ dropout, batch, batchGpu, workers, lossScaling, pMean, pStd },
    lr: { ...completeRate(lr) },
    ...{ emaStds, seed, data: data?.fingerprint ?? null },
    ...(disco && { disco: { ...disco } }),
    ...(precision !== "f32" && { precision }),
  };
}

interface Parts {
  readonly gpu: Gpu;
  readonly source: NetworkTensors;
  readonly settings: Settings;
  readonly bits: StateSettings;
  readonly seed: number;
  readonly data: TrainingData | undefined;
  /** Images, and gradient entries taken for 0, when the training was opened. */
  readonly begun: { readonly images: number; readonly zeroed: number };
  readonly optimiser: Optimiser;
  readonly sums: WorkerSum;
  readonly round: TeacherRound;
}

/** The training of one network, open on a device. Its updates run one at a time; what it is closed under still ends. */
export class Training {
  /** The network's arguments, defaults filled in. */
  readonly config: NetworkConfig;
  readonly settings: Settings;
  readonly #parts: Parts;
  readonly #updates: Updates<TrainingRound>;
  #images: number;
  /** Rounds since the last update: each has left its loss. */
  #rounds = 0;
  readonly #held: Held;
  /** Asks round 0 of an update for what it computed. */
  #record: ((recorded: Map<string, Float32Array>) => void) | undefined;

  constructor(parts: Parts) {
    this.config = parts.source.config;
    this.#images = parts.begun.images;
    this.settings = parts.settings;
    this.#parts = parts;
    const prepare = (rounds: readonly TrainingRound[], first: number) => this.#prepare(rounds, first);
    this.#updates = new Updates(parts.optimiser, parts.sums, parts.settings, prepare);
    this.#held = new Held("The training", () => {
      parts.round.destroy();
      this.#updates.destroy();
    });
  }

  /** Images seen. */
  get images(): number {
    return this.#images;
  }

  /** Bytes on the device of what a round computes and gives up again, and the most that are needed at one moment. */
  get activations(): { readonly bytes: number; readonly needed: number } {
    const { activationBytes, lowerBound } = this.#parts.round.plan;
    return { bytes: activationBytes, needed: lowerBound };
  }

  /**
   * One update: `accumulate` for every virtual worker, then `update`. One that fails by its rounds or the data has changed nothing, and
   * may be made again.
   */
  step(input: StepInput = {}): Promise<StepResult> {
    return this.#use(async () => {
      checkKeys("step", input, { rounds: true, record: true });
      // Those of a step that failed count no more.
      this.#rounds = 0;
      let recorded: Map<string, Float32Array> | undefined;
      if (input.record)
        this.#record = (found) => {
          recorded = found;
        };
      try {
        await this.#updates.gather(input.rounds ?? []);
      } finally {
        this.#record = undefined;
      }
      return { ...(await this.#finish()), ...(recorded && { recorded }) };
    });
  }

  /**
   * The first half of an update, one virtual worker's: the gradients of some of its rounds, added in order.
   * @param part `firstRound`: number of the first of them in the whole update; workers of one process come in this order
   */
  accumulate(part: WorkerPart<TrainingRound>): Promise<Map<string, Float32Array>> {
    return this.#use(async () => {
      checkKeys("accumulate", part, { rounds: true, worker: true, firstRound: true });
      return this.#updates.accumulate(part);
    });
  }

  /** The second half of an update: adds the sums of all virtual workers, in their order, and changes the parameters. */
  update(sums: readonly ReadonlyMap<string, Float32Array>[]): Promise<StepResult> {
    return this.#use(async () => {
      await this.#updates.collect(sums);
      return this.#finish();
    });
  }

  async #prepare(given: readonly TrainingRound[], first: number): Promise<(() => Promise<void>)[]> {
    const { settings, round, data, seed } = this.#parts;
    const { batchGpu } = settings;
    const places = placesOf(this.#images + first * batchGpu, batchGpu, given.length);
    const images = await imagesOf("training", given, places, data, this.config);
    return given.map((own, i) => {
      const keys = places[i]!.map((place) => imageKey(seed, place));
      const taken = round.take({ ...own, ...images[i]! }, keys);
      return async () => {
        await round.run(taken, this.#rounds++);
        if (first + i === 0) this.#record?.(await round.recorded());
      };
    });
  }

  async #finish(): Promise<StepResult> {
    const { settings, round } = this.#parts;
    const lr = learningRate(settings.lr, this.#images, settings.batch);
    await this.#updates.apply(lr, this.#images);
    this.#images += settings.batch;
    const losses = await round.losses(this.#rounds);
    this.#rounds = 0;
    return { losses, lr, images: this.#images };
  }

  /** Parameters and buffers as they are stored now. */
  parameters(): Promise<Map<string, Float32Array>> {
    return this.#use(({ optimiser }) => optimiser.stored());
  }

  /** Of the last update, summed over its rounds, NaN and infinities included. */
  gradients(): Promise<Map<string, Float32Array>> {
    return this.#use(async ({ optimiser }) => withoutBuffers(optimiser, await optimiser.gradients.download()));
  }

  /** An average, with the network's buffers. @param std one of `emaStds` */
  ema(std: number): Promise<Map<string, Float32Array>> {
    return this.#use(({ optimiser }) => averageOf(optimiser, std));
  }

  /** Overwrites the stored values of these tensors. */
  setParameters(tensors: ReadonlyMap<string, Float32Array>): Promise<void> {
    return this.#use(({ optimiser }) => optimiser.store(tensors));
  }

  /** Gradient entries that were not finite, in all updates so far: the optimiser took them for 0. */
  zeroedGradients(): Promise<number> {
    return this.#use(() => this.#zeroed());
  }

  async #zeroed(): Promise<number> {
    const { optimiser, begun } = this.#parts;
    return begun.zeroed + (await optimiser.zeroedGradients());
  }

  /**
   * An average as a file: what `loadModel` opens (with `disco` `loadDiscoImages`) and `phema` reads.
   * @param std one of `emaStds`  @param options labels: names of the classes, by default those of the network it began with
   */
  snapshot(std: number, { labels }: { readonly labels?: readonly string[] } = {}): Promise<Snapshot> {
    return this.#use(async ({ source, settings, optimiser }) => {
      const { shapes, config, labels: own } = source;
      const { disco } = settings;
      const architecture = disco
        ? ({ architecture: TIMELESS, metadata: { sigma_min: String(disco.sigmaMin) } } as const)
        : ({ architecture: "edm2" } as const);
      const network = { kind: "network-snapshot", config, labels: labels ?? own, shapes, ...architecture } as const;
      return makeSnapshot({ ...network, images: this.#images, std, tensors: await averageOf(optimiser, std) });
    });
  }

  /**
   * Where time goes, by the GPU's clock: the nodes of a round and of what follows the rounds, each run once more after a `step`. It
   * changes the parameters: for a training that is thrown away.
   * @throws BAD_ARGUMENT on an adapter without timestamp queries
   */
  profile(): Promise<NodeTime[]> {
    return this.#use(async ({ round, optimiser }) => [...(await round.profile()), ...(await optimiser.profile())]);
  }

  /** Writes all that `resume` needs to a folder; a process killed at any moment leaves the state before or this one. */
  save(dir: string): Promise<void> {
    return this.#use(async ({ optimiser, bits: settings }) => {
      if (this.#updates.underWay) throw bad("save: an update has begun: save before accumulate, or after update.");
      const counters = { images: this.#images, zeroed: await this.#zeroed() };
      await saveState(dir, { kind: KIND, networks: { [KIND]: optimiser }, counters, settings });
    });
  }

  /** Gives everything back; a call that is under way still ends, and what it uses goes with it. */
  close(): void {
    this.#held.destroy();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #use<T>(action: (parts: Parts) => Promise<T>): Promise<T> {
    return during(this.#held, async () => {
      this.#parts.gpu.check();
      return action(this.#parts);
    });
  }
}
