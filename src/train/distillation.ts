import { openCheckpoint } from "../checkpoint/index.js";
import { bad, checkKeys } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import type { NcvsdConfig } from "../networks/edm2/arguments.js";
import { discriminatorTensors } from "../networks/edm2/discriminator.js";
import { expectedTensors } from "../networks/edm2/names.js";
import type { Labels } from "../networks/session.js";
import { seedRow } from "../random/seeds.js";
import { Bank, BankLayout } from "./bank.js";
import { type DistillationSettings, discriminatorRound, generatorRound, scoreRound } from "./distillation-rounds.js";
import { conditionLevel, imageKey, levelDraw } from "./draws.js";
import { Optimiser } from "./optimiser.js";
import type { Round } from "./round.js";
import { type LearningRate, learningRate } from "./schedule.js";
import { type ConfigInput, type NetworkInput, networkTensors } from "./source.js";
import { startTensors } from "./start.js";
import { WorkerSum } from "./sums.js";
import type { TrainingData } from "./training.js";
import { averageOf, Updates, updateSizes, type WorkerPart, withoutBuffers } from "./updates.js";

/** The networks that learn, in the order of their updates. */
export const DISTILLED = ["score", "discriminator", "generator"] as const;
export type DistilledNetwork = (typeof DISTILLED)[number];

export interface DistillationOptions {
  /** An EDM2 network whose score is distilled; it stays as it is. */
  readonly teacher: NetworkInput;
  /** Initial tensors by name, in place of those from the teacher or the generator of random numbers. */
  readonly networks?: Partial<Record<DistilledNetwork, NetworkInput>>;
  /** Arguments of the three networks; default: the teacher's. */
  readonly config?: ConfigInput;
  readonly batch: number;
  readonly batchGpu?: number;
  /** Relative increase of the noise level in the generator (0.414). */
  readonly gamma?: number;
  /** Learning rates of generator and discriminator, relative to the score model's (0.01 each). */
  readonly gLrScaling?: number;
  readonly dLrScaling?: number;
  /** Weight of the adversarial loss (1), and when it begins: after both. */
  readonly ganLossScaling?: number;
  readonly ganWarmupKimg?: number;
  readonly ganWarmupBatches?: number;
  readonly lossScaling?: number;
  /** sigma_data of the losses' weighting (0.5). */
  readonly lossSigmaData?: number;
  /** Mean and standard deviation of ln(t): -0.8 and 1.6. */
  readonly pMean?: number;
  readonly pStd?: number;
  readonly lr: LearningRate;
  /** Averages of the generator (0.05 and 0.1). */
  readonly emaStds?: readonly number[];
  readonly seed?: number;
  readonly workers?: number;
  readonly data?: TrainingData;
}

/** Images and draws of one round; what is absent is taken from the data or drawn. Levels: one per image. */
export interface DistillationRound {
  /** [N, C, H, W], in the networks' value range. */
  readonly images?: Float32Array;
  readonly labels?: Labels;
  /** Noise level of the condition. */
  readonly sigma?: ArrayLike<number>;
  /** Noise level of what score model, discriminator and teacher see. */
  readonly t?: ArrayLike<number>;
  /** Standard normal, [N, C, H, W]. */
  readonly yNoise?: Float32Array;
  readonly z?: Float32Array;
  /** Score model and generator. */
  readonly xtNoise?: Float32Array;
  /** Discriminator. */
  readonly realNoise?: Float32Array;
  readonly fakeNoise?: Float32Array;
}

export interface DistillationStep extends Partial<Record<DistilledNetwork, readonly DistillationRound[]>> {
  /** Also give what the first round of each network computed. */
  readonly record?: boolean;
}

export interface DistillationResult {
  /** Mean losses over images and entries, by network; of the last update's rounds, averaged. */
  readonly losses: Record<string, number>;
  /** The learning rate of this iteration, that of the score model. */
  readonly lr: number;
  readonly images: number;
  readonly recorded?: Map<string, Float32Array>;
}

const OPTIONS = {
  teacher: true,
  networks: true,
  config: true,
  batch: true,
  batchGpu: true,
  gamma: true,
  gLrScaling: true,
  dLrScaling: true,
  ganLossScaling: true,
  ganWarmupKimg: true,
  ganWarmupBatches: true,
  lossScaling: true,
  lossSigmaData: true,
  pMean: true,
  pStd: true,
  lr: true,
  emaStds: true,
  seed: true,
  workers: true,
  data: true,
} as const;

/** Short names of the networks in `recorded`. */
const SHORT: Readonly<Record<DistilledNetwork, string>> = { score: "score", discriminator: "disc", generator: "gen" };

interface Settings extends DistillationSettings {
  readonly gLrScaling: number;
  readonly dLrScaling: number;
  readonly ganWarmupKimg: number;
  readonly ganWarmupBatches: number;
  readonly pMean: number;
  readonly pStd: number;
  readonly lr: LearningRate;
}

function settingsOf(options: DistillationOptions): Settings {
  const { lr } = options;
  const positive = {
    gamma: options.gamma ?? 0.414,
    lossScaling: options.lossScaling ?? 1,
    lossSigmaData: options.lossSigmaData ?? 0.5,
    pStd: options.pStd ?? 1.6,
  };
  const others = {
    gLrScaling: options.gLrScaling ?? 0.01,
    dLrScaling: options.dLrScaling ?? 0.01,
    ganLossScaling: options.ganLossScaling ?? 1,
    ganWarmupKimg: options.ganWarmupKimg ?? 0,
    ganWarmupBatches: options.ganWarmupBatches ?? 0,
    "lr.refLr": lr?.refLr,
  };
  for (const [name, value] of Object.entries(positive))
    if (!(value > 0 && Number.isFinite(value)))
      throw bad(`openDistillation: ${name} must be a positive number, got ${value}.`);
  for (const [name, value] of Object.entries(others))
    if (!(value >= 0 && Number.isFinite(value)))
      throw bad(`openDistillation: ${name} must be a number of at least 0, got ${value}.`);
  const { pMean = -0.8 } = options;
  if (!Number.isFinite(pMean)) throw bad(`openDistillation: pMean must be a number, got ${pMean}.`);
  return { ...updateSizes("openDistillation", options), ...positive, ...others, pMean, lr };
}

/**
 * Opens the distillation of a teacher into a generative denoiser by NCVSD (score model, discriminator, generator, in turn).
 * @throws NcvsdError BAD_ARGUMENT, BAD_CHECKPOINT, or OUT_OF_MEMORY
 */
export async function openDistillation(gpu: Gpu, options: DistillationOptions): Promise<Distillation> {
  checkKeys("openDistillation", options, OPTIONS);
  if (gpu.precision !== "f32")
    throw bad(`openDistillation: the device must be opened with precision f32, got ${gpu.precision}.`);
  const { seed = 0, emaStds = [0.05, 0.1], networks = {} } = options;
  seedRow([seed]);
  const settings = settingsOf(options);
  const source = await networkTensors("openDistillation: teacher", options.teacher, teacherArguments(options));
  if (source.architecture !== "edm2" || !source.tensors)
    throw bad("openDistillation: teacher must be a trained EDM2 network.");
  const { dropout: _dropout, gamma: _gamma, init_sigma: _init, ...changes } = options.config ?? {};
  const config: NcvsdConfig = { ...source.config, ...changes, gamma: settings.gamma, init_sigma: 80 };
  const shapes: Record<DistilledNetwork, ReadonlyMap<string, readonly number[]>> = {
    generator: expectedTensors("ncvsd", config),
    score: expectedTensors("ncvsd", config),
    discriminator: discriminatorTensors(config),
  };
  const held: { destroy(): void }[] = [];
  const hold = <T extends { destroy(): void }>(item: T): T => {
    held.push(item);
    return item;
  };
  try {
    const trainers = {} as Record<DistilledNetwork, { optimiser: Optimiser; sums: WorkerSum }>;
    // Generator and score model have one layout, so that they share a round's bank; each network's sums are its own.
    for (const [stream, network] of DISTILLED.entries()) {
      const layout = new BankLayout(shapes[network]);
      const stds = network === "generator" ? emaStds : [];
      const optimiser = hold(await Optimiser.create(gpu, layout, { label: network, stds }));
      optimiser.parameters.upload(startTensors(source.tensors, shapes[network], seed, stream + 1));
      const given = networks[network];
      if (given !== undefined) optimiser.parameters.upload(await overrides(given, layout));
      trainers[network] = { optimiser, sums: hold(await WorkerSum.create(gpu, network, layout)) };
    }
    const teacher = hold(new Bank(gpu, "teacher", new BankLayout(source.shapes)));
    teacher.upload(source.tensors);
    const banks = {
      config,
      teacherConfig: source.config,
      teacher,
      generator: trainers.generator.optimiser.parameters,
      score: trainers.score.optimiser.parameters,
      discriminator: trainers.discriminator.optimiser.parameters,
    };
    const rounds = {
      score: () => scoreRound(gpu, banks, settings, trainers.score.sums),
      discriminator: () => discriminatorRound(gpu, banks, settings, trainers.discriminator.sums),
      off: () => generatorRound(gpu, banks, settings, trainers.generator.sums, "off"),
      shown: () => generatorRound(gpu, banks, settings, trainers.generator.sums, "shown"),
      on: () => generatorRound(gpu, banks, settings, trainers.generator.sums, "on"),
    };
    return new Distillation({ gpu, config, settings, seed, data: options.data, trainers, rounds, held });
  } catch (error) {
    for (const item of held.reverse()) item.destroy();
    throw error;
  }
}

/** A Map of tensors says nothing of the teacher's arguments. */
function teacherArguments({ teacher, config }: DistillationOptions): ConfigInput | undefined {
  if (!(teacher instanceof Map)) return undefined;
  const { gamma: _gamma, init_sigma: _init, ...own } = config ?? {};
  return own;
}

async function overrides(given: NetworkInput, layout: BankLayout): Promise<ReadonlyMap<string, Float32Array>> {
  if (given instanceof Map) return given;
  const checkpoint = await openCheckpoint(given as Exclude<NetworkInput, ReadonlyMap<string, Float32Array>>);
  try {
    const tensors = new Map<string, Float32Array>();
    for (const { name } of layout.entries)
      if (checkpoint.tensors.has(name)) tensors.set(name, await checkpoint.readF32(name));
    return tensors;
  } finally {
    await checkpoint.close();
  }
}

type RoundName = "score" | "discriminator" | "off" | "shown" | "on";

interface Parts {
  readonly gpu: Gpu;
  readonly config: NcvsdConfig;
  readonly settings: Settings;
  readonly seed: number;
  readonly data: TrainingData | undefined;
  readonly trainers: Readonly<Record<DistilledNetwork, { optimiser: Optimiser; sums: WorkerSum }>>;
  readonly rounds: Readonly<Record<RoundName, () => Promise<Round>>>;
  readonly held: { destroy(): void }[];
}

/** A distillation, open on a device. Its iterations run one at a time. */
export class Distillation {
  /** The arguments of generator and score model, defaults filled in. */
  readonly config: NcvsdConfig;
  readonly settings: Settings;
  readonly #parts: Parts;
  readonly #updates: Readonly<Record<DistilledNetwork, Updates<DistillationRound>>>;
  /** Made ready when they are first needed. */
  readonly #rounds = new Map<RoundName, Round>();
  #images = 0;
  #losses: Record<string, number> = {};
  #recorded: Map<string, Float32Array> | undefined;
  #closed = false;

  constructor(parts: Parts) {
    this.config = parts.config;
    this.settings = parts.settings;
    this.#parts = parts;
    const of = (network: DistilledNetwork) => {
      const { optimiser, sums } = parts.trainers[network];
      const run = (round: DistillationRound, r: number) => this.#round(network, round, r);
      const normalises = network !== "discriminator";
      return new Updates(optimiser, sums, parts.settings, run, { normalises });
    };
    this.#updates = { score: of("score"), discriminator: of("discriminator"), generator: of("generator") };
  }

  /** Images seen: one batch for each iteration, which takes three from the data. */
  get images(): number {
    return this.#images;
  }

  /** Whether the next iteration's generator learns from the discriminator. */
  get adversarial(): boolean {
    const { batch, ganWarmupKimg, ganWarmupBatches } = this.settings;
    return this.#images >= 1000 * ganWarmupKimg && this.#images >= batch * ganWarmupBatches;
  }

  /** One iteration: the updates of score model, discriminator and generator, each on images and draws of its own. */
  async step(input: DistillationStep = {}): Promise<DistillationResult> {
    checkKeys("step", input, { score: true, discriminator: true, generator: true, record: true });
    this.#open();
    this.#recorded = input.record ? new Map() : undefined;
    for (const network of DISTILLED) {
      await this.#updates[network].gather(input[network] ?? []);
      await this.#apply(network);
    }
    return this.#finish();
  }

  /** The first half of one network's update, one virtual worker's. The networks come in the order of `DISTILLED`. */
  async accumulate(
    part: WorkerPart<DistillationRound> & { readonly net: DistilledNetwork },
  ): Promise<Map<string, Float32Array>> {
    const { net, ...rest } = part;
    checkKeys("accumulate", part, { rounds: true, worker: true, firstRound: true, net: true });
    return this.#of(net).accumulate(rest);
  }

  /** The second half: the sums of all virtual workers in order. After the generator's the iteration is complete. */
  async update(
    sums: readonly ReadonlyMap<string, Float32Array>[],
    net: DistilledNetwork,
  ): Promise<DistillationResult | undefined> {
    await this.#of(net).collect(sums);
    await this.#apply(net);
    return net === "generator" ? this.#finish() : undefined;
  }

  async #apply(network: DistilledNetwork): Promise<void> {
    const { gLrScaling, dLrScaling, batch, lr } = this.settings;
    const scaling = { score: 1, discriminator: dLrScaling, generator: gLrScaling }[network];
    await this.#updates[network].apply(scaling * learningRate(lr, this.#images, batch), this.#images);
  }

  async #finish(): Promise<DistillationResult> {
    const { batch, rounds } = this.settings;
    const lr = learningRate(this.settings.lr, this.#images, batch);
    for (const [name, round] of this.#rounds) {
      if (["off", "shown", "on"].includes(name) && name !== this.#adversarialRound) continue;
      for (const [loss, values] of Object.entries(await round.losses(rounds)))
        this.#losses[loss] = values.reduce((a, b) => a + b, 0) / rounds;
    }
    const losses = this.#losses;
    this.#losses = {};
    this.#images += batch;
    const recorded = this.#recorded;
    this.#recorded = undefined;
    return { losses, lr, images: this.#images, ...(recorded && { recorded }) };
  }

  get #adversarialRound(): "off" | "shown" | "on" {
    return this.adversarial ? "on" : this.#recorded ? "shown" : "off";
  }

  async #round(network: DistilledNetwork, given: DistillationRound, r: number): Promise<void> {
    const { data, seed, settings } = this.#parts;
    const { batch, batchGpu, pMean, pStd } = settings;
    const first = 3 * this.#images + DISTILLED.indexOf(network) * batch + r * batchGpu;
    const positions = Array.from({ length: batchGpu }, (_, i) => first + i);
    let { images, labels } = given;
    if (images === undefined) {
      if (!data) throw bad("step: a round has no images, and the distillation was opened without data.");
      const batch = await data.batch(positions);
      ({ images } = batch);
      labels = batch.labels;
    }
    const keys = positions.map((position) => imageKey(seed, position));
    const sigma = Float32Array.from(given.sigma ?? keys.map((key) => conditionLevel(key)));
    const t = Float32Array.from(given.t ?? keys.map((key) => Math.exp(pMean + pStd * levelDraw(key))));
    const name = network === "generator" ? this.#adversarialRound : network;
    const round = this.#rounds.get(name) ?? (await this.#parts.rounds[name]());
    this.#rounds.set(name, round);
    const { yNoise, z, xtNoise, realNoise, fakeNoise } = given;
    const noises = { yNoise, z, xtNoise, realNoise, fakeNoise };
    await round.run({ images, labels, levels: { sigma, t }, noises }, keys, r);
    if (r !== 0 || !this.#recorded) return;
    for (const [what, values] of await round.recorded()) this.#recorded.set(`${SHORT[network]}.${what}`, values);
  }

  /** Parameters and buffers of a network as they are stored now. */
  async parameters(net: DistilledNetwork = "generator"): Promise<Map<string, Float32Array>> {
    return this.#of(net).optimiser.parameters.download();
  }

  /** Of a network's last update, summed over its rounds, NaN and infinities included. */
  async gradients(net: DistilledNetwork = "generator"): Promise<Map<string, Float32Array>> {
    const { optimiser } = this.#of(net);
    return withoutBuffers(optimiser, await optimiser.gradients.download());
  }

  /** An average of the generator, with its buffers. @param std one of `emaStds` */
  async ema(std: number): Promise<Map<string, Float32Array>> {
    return averageOf(this.#of("generator").optimiser, std);
  }

  /** Overwrites the stored values of these tensors of a network. */
  async setParameters(tensors: ReadonlyMap<string, Float32Array>, net: DistilledNetwork = "generator"): Promise<void> {
    this.#of(net).optimiser.parameters.upload(tensors);
  }

  /** Gradient entries that were not finite, in all updates so far, by network: the optimiser took them for 0. */
  async zeroedGradients(): Promise<Record<DistilledNetwork, number>> {
    this.#open();
    const counts = {} as Record<DistilledNetwork, number>;
    for (const net of DISTILLED) counts[net] = await this.#updates[net].optimiser.zeroedGradients();
    return counts;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const round of this.#rounds.values()) round.destroy();
    for (const item of this.#parts.held.reverse()) item.destroy();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #of(net: DistilledNetwork): Updates<DistillationRound> {
    this.#open();
    const found = this.#updates[net];
    if (!found) throw bad(`there is no network ${String(net)}: there are ${DISTILLED.join(", ")}.`);
    return found;
  }

  #open(): void {
    if (this.#closed) throw bad("the distillation is closed.");
    this.#parts.gpu.check();
  }
}
