/// <reference lib="esnext.disposable" preserve="true" />
import { bad, checkKeys } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import { during, Held } from "../gpu/held.js";
import type { MemoryPlan } from "../graph/plan.js";
import type { NodeTime } from "../graph/profile.js";
import type { NcvsdConfig } from "../networks/edm2/arguments.js";
import { parseConfig } from "../networks/edm2/config.js";
import { discriminatorTensors } from "../networks/edm2/discriminator.js";
import { expectedTensors } from "../networks/edm2/names.js";
import { seedRow } from "../random/seeds.js";
import { Bank, BankLayout, largestPart } from "./bank.js";
import { BankRows } from "./bank-rows.js";
import { imagesOf, placesOf, type TrainingData } from "./data.js";
import { discriminatorRound, generatorRound, scoreRound } from "./distillation-rounds.js";
import {
  DISTILLATION,
  DISTILLATION_OPTIONS,
  DISTILLED,
  type DistillationOptions,
  type DistillationResult,
  type DistillationRound,
  type DistillationRun,
  type DistillationStep,
  type DistilledNetwork,
  fixedSettings,
  ratesOf,
  SHORT,
  settingsOf,
} from "./distillation-settings.js";
import { conditionLevel, imageKey, levelDraw } from "./draws.js";
import { Optimiser } from "./optimiser.js";
import { trainingPrecision } from "./precision.js";
import type { Round } from "./round.js";
import { learningRate } from "./schedule.js";
import { makeSnapshot, type Snapshot } from "./snapshot.js";
import { type ConfigInput, networkTensors, tensorsAmong } from "./source.js";
import { startTensors } from "./start.js";
import { readState, type SavedState, type Settings as StateSettings, saveState } from "./state.js";
import { WorkerSum } from "./sums.js";
import { averageOf, Updates, type WorkerPart, withoutBuffers } from "./updates.js";

/**
 * Opens the distillation of a teacher into a generative denoiser by NCVSD (score model, discriminator, generator, in turn).
 * @throws NcvsdError BAD_ARGUMENT, BAD_CHECKPOINT, or OUT_OF_MEMORY
 */
export async function openDistillation(gpu: Gpu, options: DistillationOptions): Promise<Distillation> {
  checkKeys("openDistillation", options, DISTILLATION_OPTIONS);
  const precision = trainingPrecision("openDistillation", gpu, options.precision);
  const { seed = 0, emaStds = [0.05, 0.1], networks = {} } = options;
  seedRow([seed]);
  const settings = settingsOf(options, precision);
  const source = await networkTensors("openDistillation: teacher", options.teacher, teacherArguments(options));
  const { tensors: taught } = source;
  if (!taught) throw bad("openDistillation: teacher must be a trained EDM2 network.");
  const asked = { ...source.config, ...options.config, gamma: settings.gamma };
  const metadata = { architecture: "ncvsd", config: JSON.stringify(asked) };
  const parsed = parseConfig({ name: "openDistillation: config", metadata, tensors: new Map() });
  const config = parsed.config as NcvsdConfig;
  const shapes: Record<DistilledNetwork, ReadonlyMap<string, readonly number[]>> = {
    generator: expectedTensors("ncvsd", config),
    score: expectedTensors("ncvsd", config),
    discriminator: discriminatorTensors(config),
  };
  const fixed = fixedSettings(config, settings, { seed, emaStds, data: options.data, teacher: taught });
  const saved = options.resume === undefined ? undefined : await readState(options.resume, DISTILLATION);
  saved?.checkSettings({ ...fixed, rates: saved.settings.rates! });
  const held: { destroy(): void }[] = [];
  const hold = <T extends { destroy(): void }>(item: T): T => {
    held.push(item);
    return item;
  };
  try {
    const trainers = {} as Record<DistilledNetwork, { optimiser: Optimiser; sums: WorkerSum }>;
    for (const [stream, network] of DISTILLED.entries()) {
      const layout = new BankLayout(shapes[network]);
      const stds = network === "generator" ? emaStds : [];
      const optimiser = hold(
        await Optimiser.create(gpu, layout, { label: network, stds, mixShare: settings.ctrlLrScaling }),
      );
      if (!saved) {
        optimiser.parameters.upload(startTensors(taught, shapes[network], seed, stream + 1));
        const given = networks[network];
        if (given !== undefined) optimiser.parameters.upload(await tensorsAmong(given, layout));
      }
      trainers[network] = { optimiser, sums: hold(await WorkerSum.create(gpu, network, optimiser, settings)) };
    }
    await saved?.restore(Object.fromEntries(DISTILLED.map((network) => [network, trainers[network].optimiser])));
    const teacher = hold(new Bank(gpu, "teacher", new BankLayout(source.shapes)));
    teacher.upload(taught);
    const rows = hold(new BankRows(teacher, teacher.layout.parts(largestPart(gpu))));
    rows.describe(taught);
    const banks = {
      config,
      teacherConfig: source.config,
      teacher: rows,
      generator: trainers.generator.optimiser.rows,
      score: trainers.score.optimiser.rows,
      discriminator: trainers.discriminator.optimiser.rows,
    };
    const rounds = {
      score: () => scoreRound(gpu, banks, settings, trainers.score.sums),
      discriminator: () => discriminatorRound(gpu, banks, settings, trainers.discriminator.sums),
      off: () => generatorRound(gpu, banks, settings, trainers.generator.sums, "off"),
      shown: () => generatorRound(gpu, banks, settings, trainers.generator.sums, "shown"),
      on: () => generatorRound(gpu, banks, settings, trainers.generator.sums, "on"),
    };
    const ready = new Map<RoundName, Round>();
    hold({
      destroy() {
        for (const round of ready.values()) round.destroy();
      },
    });
    const own = { labels: source.labels, shapes: shapes.generator, fixed, saved };
    const parts = { gpu, config, settings, seed, data: options.data, trainers, rounds, ready, held, ...own };
    const distillation = new Distillation(parts);
    await distillation.prepare();
    return distillation;
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

type RoundName = "score" | "discriminator" | "off" | "shown" | "on";

interface Parts {
  readonly gpu: Gpu;
  readonly config: NcvsdConfig;
  readonly settings: DistillationRun;
  readonly seed: number;
  readonly data: TrainingData | undefined;
  readonly trainers: Readonly<Record<DistilledNetwork, { optimiser: Optimiser; sums: WorkerSum }>>;
  readonly rounds: Readonly<Record<RoundName, () => Promise<Round>>>;
  /** Those that have been made. */
  readonly ready: Map<RoundName, Round>;
  readonly held: { destroy(): void }[];
  /** Names of the classes, extents of the generator's tensors. */
  readonly labels: readonly string[] | undefined;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly fixed: StateSettings;
  readonly saved: SavedState | undefined;
}

/** A distillation, open on a device. Its iterations run one at a time; what it is closed under still ends. */
export class Distillation {
  /** The arguments of generator and score model, defaults filled in. */
  readonly config: NcvsdConfig;
  readonly settings: DistillationRun;
  readonly #parts: Parts;
  readonly #updates: Readonly<Record<DistilledNetwork, Updates<DistillationRound>>>;
  #images: number;
  /** Networks that this iteration has updated. */
  #updated = 0;
  /** Rounds of this iteration that were computed here: each has left its losses. */
  readonly #rounds: Record<DistilledNetwork, number> = { score: 0, discriminator: 0, generator: 0 };
  #recorded: Map<string, Float32Array> | undefined;
  readonly #held: Held;

  constructor(parts: Parts) {
    this.config = parts.config;
    this.settings = parts.settings;
    this.#images = parts.saved?.counters.images ?? 0;
    this.#parts = parts;
    const of = (network: DistilledNetwork) => {
      const { optimiser, sums } = parts.trainers[network];
      const prepare = (rounds: readonly DistillationRound[], first: number) => this.#prepare(network, rounds, first);
      const normalises = network !== "discriminator";
      return new Updates(optimiser, sums, parts.settings, prepare, { normalises });
    };
    this.#updates = { score: of("score"), discriminator: of("discriminator"), generator: of("generator") };
    this.#held = new Held("The distillation", () => {
      for (const item of parts.held.reverse()) item.destroy();
    });
  }

  /** Images seen: one batch for each iteration, which takes three from the data. */
  get images(): number {
    return this.#images;
  }

  /** Bytes on the device of what the rounds that are ready compute and give up again, and the most that each needs at one moment. */
  get activations(): { readonly bytes: number; readonly needed: number } {
    const plans = [...this.#parts.ready.values()].map(({ plan }) => plan);
    const sum = (of: (plan: MemoryPlan) => number) => plans.reduce((total, plan) => total + of(plan), 0);
    return { bytes: sum((plan) => plan.activationBytes), needed: sum((plan) => plan.lowerBound) };
  }

  /** Whether the next iteration's generator learns from the discriminator. */
  get adversarial(): boolean {
    const { batch, ganWarmupKimg, ganWarmupBatches } = this.settings;
    return this.#images >= 1000 * ganWarmupKimg && this.#images >= batch * ganWarmupBatches;
  }

  /**
   * One iteration: the updates of score model, discriminator and generator, each on images and draws of its own. One that fails by its
   * rounds or the data may be made again: it goes on with the network whose turn it is.
   */
  step(input: DistillationStep = {}): Promise<DistillationResult> {
    return this.#use(async () => {
      checkKeys("step", input, { score: true, discriminator: true, generator: true, record: true });
      this.#recorded = input.record ? new Map() : undefined;
      try {
        for (const network of DISTILLED.slice(this.#updated)) {
          // Those of a step that failed count no more.
          this.#rounds[network] = 0;
          await this.#updates[network].gather(input[network] ?? []);
          await this.#apply(network);
        }
        return await this.#finish();
      } finally {
        this.#recorded = undefined;
      }
    });
  }

  /**
   * The first half of one network's update, one virtual worker's: the gradients of some of its rounds, added in order.
   * @param part as a training's; `net`: the network whose turn it is (score, discriminator, generator), which need not be said
   */
  accumulate(
    part: WorkerPart<DistillationRound> & { readonly net?: DistilledNetwork },
  ): Promise<Map<string, Float32Array>> {
    return this.#use(async () => {
      const { net, ...rest } = part;
      checkKeys("accumulate", part, { rounds: true, worker: true, firstRound: true, net: true });
      return this.#updates[this.#turn("accumulate", net)].accumulate(rest);
    });
  }

  /** The second half: the sums of all virtual workers in order. After the generator's the iteration is complete. */
  update(
    sums: readonly ReadonlyMap<string, Float32Array>[],
    net?: DistilledNetwork,
  ): Promise<DistillationResult | undefined> {
    return this.#use(async () => {
      const network = this.#turn("update", net);
      await this.#updates[network].collect(sums);
      await this.#apply(network);
      return network === "generator" ? this.#finish() : undefined;
    });
  }

  /** The network whose update comes next: each learns from those before it as they are after theirs. */
  #turn(call: string, net: DistilledNetwork | undefined): DistilledNetwork {
    const next = DISTILLED[this.#updated]!;
    if (net !== undefined) this.#of(net);
    if (net !== undefined && net !== next)
      throw bad(`${call}: it is the turn of ${next}, not of ${net}: an iteration updates ${DISTILLED.join(", ")}.`);
    return next;
  }

  async #apply(network: DistilledNetwork): Promise<void> {
    const { gLrScaling, dLrScaling, batch, lr } = this.settings;
    const scaling = { score: 1, discriminator: dLrScaling, generator: gLrScaling }[network];
    await this.#updates[network].apply(scaling * learningRate(lr, this.#images, batch), this.#images);
    this.#updated++;
  }

  async #finish(): Promise<DistillationResult> {
    const { batch } = this.settings;
    const lr = learningRate(this.settings.lr, this.#images, batch);
    const losses: Record<string, number> = {};
    for (const network of DISTILLED) {
      const rounds = this.#rounds[network];
      this.#rounds[network] = 0;
      if (rounds === 0) continue;
      const round = this.#parts.ready.get(this.#roundOf(network));
      for (const [loss, values] of Object.entries((await round?.losses(rounds)) ?? {}))
        losses[loss] = values.reduce((a, b) => a + b, 0) / rounds;
    }
    this.#images += batch;
    this.#updated = 0;
    const recorded = this.#recorded;
    return { losses, lr, images: this.#images, ...(recorded && { recorded }) };
  }

  #roundOf(network: DistilledNetwork): RoundName {
    if (network !== "generator") return network;
    return this.adversarial ? "on" : this.#recorded ? "shown" : "off";
  }

  async #prepare(
    network: DistilledNetwork,
    given: readonly DistillationRound[],
    first: number,
  ): Promise<(() => Promise<void>)[]> {
    const { data, seed, settings } = this.#parts;
    const { batch, batchGpu, pMean, pStd } = settings;
    const start = 3 * this.#images + DISTILLED.indexOf(network) * batch;
    const places = placesOf(start + first * batchGpu, batchGpu, given.length);
    const images = await imagesOf("distillation", given, places, data, this.config);
    const round = await this.#ready(this.#roundOf(network));
    return given.map((own, i) => {
      const keys = places[i]!.map((place) => imageKey(seed, place));
      const sigma = Float32Array.from(own.sigma ?? keys.map((key) => conditionLevel(key)));
      const t = Float32Array.from(own.t ?? keys.map((key) => Math.exp(pMean + pStd * levelDraw(key))));
      const { yNoise, z, xtNoise, realNoise, fakeNoise } = own;
      const noises = { yNoise, z, xtNoise, realNoise, fakeNoise };
      const taken = round.take({ ...images[i]!, levels: { sigma, t }, noises });
      return async () => {
        await round.run(taken, keys, this.#rounds[network]++);
        if (first + i !== 0 || !this.#recorded) return;
        for (const [what, values] of await round.recorded()) this.#recorded.set(`${SHORT[network]}.${what}`, values);
      };
    });
  }

  /**
   * Makes ready what iterations need, now and when the adversarial loss begins: a device on which that does not fit says so at once.
   * `openDistillation` has called it.
   * @throws NcvsdError OUT_OF_MEMORY
   */
  prepare(): Promise<void> {
    return this.#use(async () => {
      await this.#ready("score");
      await this.#ready("discriminator");
      await this.#ready("on");
      if (this.adversarial) return;
      this.#drop("on");
      await this.#ready("off");
    });
  }

  async #ready(name: RoundName): Promise<Round> {
    const { ready, rounds } = this.#parts;
    // Once it has begun, nobody goes on without the adversarial loss.
    if (name === "on") this.#drop("off");
    const round = ready.get(name) ?? (await rounds[name]());
    ready.set(name, round);
    return round;
  }

  #drop(name: RoundName): void {
    this.#parts.ready.get(name)?.destroy();
    this.#parts.ready.delete(name);
  }

  /** Parameters and buffers of a network as they are stored now. */
  parameters(net: DistilledNetwork = "generator"): Promise<Map<string, Float32Array>> {
    return this.#use(async () => this.#of(net).optimiser.stored());
  }

  /** Of a network's last update, summed over its rounds, NaN and infinities included. */
  gradients(net: DistilledNetwork = "generator"): Promise<Map<string, Float32Array>> {
    return this.#use(async () => {
      const { optimiser } = this.#of(net);
      return withoutBuffers(optimiser, await optimiser.gradients.download());
    });
  }

  /** An average of the generator, with its buffers. @param std one of `emaStds` */
  ema(std: number): Promise<Map<string, Float32Array>> {
    return this.#use(() => averageOf(this.#of("generator").optimiser, std));
  }

  /** Overwrites the stored values of these tensors of a network. */
  setParameters(tensors: ReadonlyMap<string, Float32Array>, net: DistilledNetwork = "generator"): Promise<void> {
    return this.#use(async () => this.#of(net).optimiser.store(tensors));
  }

  /** Gradient entries that were not finite, in all updates so far, by network: the optimiser took them for 0. */
  zeroedGradients(): Promise<Record<DistilledNetwork, number>> {
    return this.#use(() => this.#zeroed());
  }

  async #zeroed(): Promise<Record<DistilledNetwork, number>> {
    const before: Readonly<Record<string, number>> = this.#parts.saved?.counters ?? {};
    const counts = {} as Record<DistilledNetwork, number>;
    for (const net of DISTILLED)
      counts[net] = (before[`zeroed ${net}`] ?? 0) + (await this.#updates[net].optimiser.zeroedGradients());
    return counts;
  }

  /**
   * An average of the generator, as a checkpoint that `loadModel` opens.
   * @param std one of `emaStds`  @param options labels: names of the classes, by default the teacher's
   */
  snapshot(std: number, { labels }: { readonly labels?: readonly string[] } = {}): Promise<Snapshot> {
    return this.#use(async ({ shapes, config, labels: own, trainers }) => {
      const network = { kind: "snapshot", architecture: "ncvsd", config, labels: labels ?? own, shapes } as const;
      const tensors = await averageOf(trainers.generator.optimiser, std);
      return makeSnapshot({ ...network, images: this.#images, std, tensors });
    });
  }

  /** As a training's `profile`: the nodes of a round of each network, and of what follows its rounds. */
  profile(): Promise<NodeTime[]> {
    return this.#use(async ({ ready }) => {
      const times: NodeTime[] = [];
      for (const [name, round] of ready)
        times.push(...(await round.profile()).map((time) => ({ ...time, node: `${name}: ${time.node}` })));
      for (const net of DISTILLED) times.push(...(await this.#updates[net].optimiser.profile()));
      return times;
    });
  }

  /** Writes all that `resume` needs to a folder; a process killed at any moment leaves the state before or this one. */
  save(dir: string): Promise<void> {
    return this.#use(async ({ fixed }) => {
      if (this.#updated > 0 || DISTILLED.some((net) => this.#updates[net].underWay))
        throw bad("save: an iteration has begun: save after the generator's update.");
      const networks = Object.fromEntries(DISTILLED.map((net) => [net, this.#updates[net].optimiser]));
      const zeroed = Object.entries(await this.#zeroed()).map(([net, count]) => [`zeroed ${net}`, count]);
      const counters = { images: this.#images, ...Object.fromEntries(zeroed) };
      const settings = { ...fixed, rates: ratesOf(this.settings) };
      await saveState(dir, { kind: DISTILLATION, networks, counters, settings });
    });
  }

  /** Rates and weights that differ from those of the state that it was opened from, each as a sentence's part. */
  get changes(): string[] {
    const before = (this.#parts.saved?.settings.rates ?? ratesOf(this.settings)) as Record<string, unknown>;
    return Object.entries(ratesOf(this.settings)).flatMap(([name, value]) => {
      const [was, is] = [before[name], value].map((each) => JSON.stringify(each));
      return was === is ? [] : [`${name} ${was} -> ${is}`];
    });
  }

  /** Gives everything back; a call that is under way still ends, and what it uses goes with it. */
  close(): void {
    this.#held.destroy();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #of(net: DistilledNetwork): Updates<DistillationRound> {
    const found = this.#updates[net];
    if (!found) throw bad(`there is no network ${String(net)}: there are ${DISTILLED.join(", ")}.`);
    return found;
  }

  #use<T>(action: (parts: Parts) => Promise<T>): Promise<T> {
    return during(this.#held, async () => {
      this.#parts.gpu.check();
      return action(this.#parts);
    });
  }
}
