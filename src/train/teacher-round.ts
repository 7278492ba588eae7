import { diffuse } from "../../kernels/network/diffuse/kernel.js";
import { knownPixels } from "../../kernels/sampling/known-pixels/kernel.js";
import { bad } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import { Graph, type Target, type Tensor, targetOf } from "../graph/graph.js";
import type { MemoryPlan } from "../graph/plan.js";
import type { NodeTime } from "../graph/profile.js";
import { recompute, type Span } from "../graph/recompute.js";
import type { Build } from "../layers/layers.js";
import { trained } from "../layers/trained.js";
import type { NetworkConfig } from "../networks/edm2/arguments.js";
import { addDenoiser, addUncertainty } from "../networks/edm2/network.js";
import { TIMELESS_SIGMA } from "../networks/edm2/timeless.js";
import type { Labels } from "../networks/session.js";
import type { BankLayout } from "./bank.js";
import { type DiscoImageSettings, knownMask, posteriorImages } from "./disco-images.js";
import { DRAWS, levelDraw } from "./draws.js";
import { denoisingLoss } from "./losses.js";
import type { Optimiser } from "./optimiser.js";
import type { TrainingPrecision } from "./precision.js";
import { parameterGradients, Round, type TakenValues } from "./round.js";
import type { WorkerSum } from "./sums.js";
import type { UpdateSizes } from "./updates.js";

export interface TeacherSettings extends UpdateSizes {
  readonly lossScaling: number;
  readonly pMean: number;
  readonly pStd: number;
  /** Probability of dropout. */
  readonly dropout: number;
  /** Blocks are computed twice, so that what is inside one need not be kept. */
  readonly recompute: boolean;
  readonly precision: TrainingPrecision;
  /** A model without noise levels is trained in place of a denoiser. */
  readonly disco?: DiscoImageSettings | undefined;
}

/** log 2: an image with clean pixels counts half. */
const KNOWN_DISCOUNT = Math.LN2;

export interface RoundInput {
  readonly images: Float32Array;
  readonly labels?: Labels | undefined;
  readonly rndNormal?: ArrayLike<number> | undefined;
  readonly noise?: Float32Array | undefined;
}

/** What a round was given, checked, and what it takes for itself. */
interface TakenRound {
  readonly taken: TakenValues;
  readonly keys: readonly number[];
  /** Mean log of what divides an image's loss. */
  readonly discount: number;
}

/** The nodes of a round, derivatives included. */
export function teacherGraph(
  config: NetworkConfig,
  settings: TeacherSettings,
  layout: BankLayout,
  target: Target = {},
) {
  const { batchGpu: batch, lossScaling } = settings;
  const { img_channels: channels, img_resolution: side, label_dim: classes } = config;
  const graph = new Graph(target);
  const keys = settings.dropout > 0 ? graph.external("keys", [batch], "u32") : undefined;
  const dropout = keys && { probability: settings.dropout, keys, draw: DRAWS.dropout };
  const network = trained({ dropout });
  const blocks: Span[] = [];
  const build = { graph, batch, layers: network.layers, wants: () => false, tap() {}, blocks };
  const shape = [batch, channels, side, side];
  const elements = channels * side * side;
  const images = graph.external("images", shape);
  const noise = graph.external("noise", shape);
  const sigma = graph.external("sigma", [batch]);
  const labels = classes > 0 ? graph.external("labels", [batch, classes]) : undefined;
  const noisy = { x: images, sigma, z: noise };
  const x = graph.run("noisy images", diffuse, { batch, elements }, noisy, { y: shape }).y;
  const given: Drawn = { images, noise, sigma, x, labels };
  const factor = lossScaling / settings.batch;
  const { recorded, levels, loss, seeds } = settings.disco
    ? withoutLevels(build, config, settings.disco, given, factor)
    : denoised(build, config, given, factor);
  graph.publish(loss, "loss");
  const forward = graph.nodes.length;
  const gradients = parameterGradients(graph, network, layout, seeds);
  if (settings.recompute) recompute(graph, blocks, forward);
  return { graph, network, images, noise, labels, loss, gradients, levels, recorded };
}

/** What a round begins with: images, noise, levels, and the noisy images of them. */
interface Drawn {
  readonly images: Tensor;
  readonly noise: Tensor;
  readonly sigma: Tensor;
  readonly x: Tensor;
  readonly labels: Tensor | undefined;
}

interface RoundLoss {
  readonly loss: Tensor;
  /** Gradients of the loss, by tensor. */
  readonly seeds: ReadonlyMap<Tensor, Tensor>;
  /** What the host gives for every image. */
  readonly levels: readonly Tensor[];
  readonly recorded: Readonly<Record<string, Tensor>>;
}

/** The loss of a denoiser, with its uncertainty. */
function denoised(build: Build, config: NetworkConfig, { images, sigma, x, labels }: Drawn, factor: number): RoundLoss {
  const { graph, batch } = build;
  const D = addDenoiser(build, config, { x, sigma, labels });
  const u = addUncertainty(build, config, sigma);
  const sizes = { batch, elements: images.length / batch, sigmaData: config.sigma_data, factor };
  const { loss, dD, du } = denoisingLoss(graph, "loss", sizes, { D, x0: images, t: sigma, u });
  const seeds = new Map([
    [D, dD],
    [u, du],
  ]);
  return { loss, seeds, levels: [sigma], recorded: { sigma, D, logvar: u } };
}

/** Standard deviation of the data in the weight (sigma^2 + 1/4) / (sigma/2)^2 of DISCO's loss. */
const DATA_STD = 0.5;

/** DISCO's loss of a model without noise levels: weight * (D(x) - x*)^2 at noisy images, in which some pixels may be clean. */
function withoutLevels(
  build: Build,
  config: NetworkConfig,
  { target: how, known }: DiscoImageSettings,
  { images, noise, sigma, x: noisy }: Drawn,
  factor: number,
): RoundLoss {
  const { graph, batch } = build;
  const { shape, length: elements } = images;
  const row = (name: string) => graph.external(name, [batch]);
  const [level, smoothing, discount] = [row("network level"), row("sigma(0)"), row("discount")] as const;
  const mask = known > 0 ? graph.external("mask", shape) : undefined;
  const mixed = (name: string, from: Tensor, into: Tensor) =>
    mask ? graph.run(name, knownPixels, { elements }, { x: into, known: from, mask }, { y: shape }).y : into;
  const x = mixed("clean and noisy pixels", images, noisy);
  const z = how === "draw" ? noise : undefined;
  const { target } = posteriorImages(graph, { x, images, sigma: smoothing, z });
  const D = addDenoiser(build, config, { x, sigma: level, labels: undefined });
  // Where pixels are clean there is nothing to learn: no error, and so no gradient.
  const learnt = mixed("learnt pixels", target, D);
  const sizes = { batch, elements: elements / batch, sigmaData: DATA_STD, factor };
  const { loss, dD } = denoisingLoss(graph, "loss", sizes, { D: learnt, x0: target, t: sigma, u: discount });
  const levels = [sigma, level, smoothing, discount, ...(mask ? [mask] : [])];
  return { loss, seeds: new Map([[D, dD]]), levels, recorded: { sigma, x, D, target } };
}

/**
 * One round of a teacher's training, ready to be replayed: y = x0 + sigma n, D and u of the network in training mode, the
 * denoising loss lambda e^-u (D - x0)^2 + u summed over images, channels and pixels and divided by the update's batch, and the
 * gradients of all parameters.
 */
export class TeacherRound {
  readonly #settings: TeacherSettings;
  readonly #round: Round;
  readonly #size: readonly [channels: number, side: number];
  /** Mean log of what divides an image's loss, of each round of the update. */
  readonly #discounts: number[] = [];

  private constructor(settings: TeacherSettings, round: Round, size: readonly [number, number]) {
    this.#settings = settings;
    this.#round = round;
    this.#size = size;
  }

  static async create(
    gpu: Gpu,
    config: NetworkConfig,
    settings: TeacherSettings,
    optimiser: Optimiser,
    sums: WorkerSum,
  ): Promise<TeacherRound> {
    const { batchGpu: batch, rounds, precision } = settings;
    const { network, recorded, loss, levels, ...parts } = teacherGraph(
      config,
      settings,
      optimiser.layout,
      targetOf(gpu),
    );
    const round = await Round.create(gpu, {
      ...{ label: "training", ...parts, batch, rounds, precision, round: sums.round },
      noises: [{ tensor: parts.noise, draw: DRAWS.noise }],
      levels,
      losses: { loss },
      recorded: { ...recorded, loss },
      networks: [{ layers: network, rows: optimiser.rows }],
    });
    return new TeacherRound(settings, round, [config.img_channels, config.img_resolution]);
  }

  /** Checks what a round is given, and makes the rest. @param keys of the images' draws @throws NcvsdError BAD_ARGUMENT */
  take({ images, labels, rndNormal, noise }: RoundInput, keys: readonly number[]): TakenRound {
    const { pMean, pStd } = this.#settings;
    const normals = rndNormal ?? keys.map((key) => levelDraw(key));
    if (normals.length !== keys.length)
      throw bad(`a round's rndNormal must have one value for each of ${keys.length} images, got ${normals.length}.`);
    const sigma = Float32Array.from(normals, (n) => Math.exp(pMean + pStd * n));
    const { discount, levels } = this.#withoutLevels(keys);
    const taken = this.#round.take({ images, labels, levels: { sigma, ...levels }, noises: { noise } });
    return { taken, keys, discount };
  }

  /** Leaves the gradients in the round's bank. @param index of the round in its update, for its loss */
  async run({ taken, keys, discount }: TakenRound, index: number): Promise<void> {
    this.#discounts[index] = discount;
    await this.#round.run(taken, keys, index);
  }

  /** What a model without noise levels is given besides. */
  #withoutLevels(keys: readonly number[]): { discount: number; levels: Record<string, Float32Array> } {
    const { disco } = this.#settings;
    if (!disco) return { discount: 0, levels: {} };
    const [channels, side] = this.#size;
    const pixels = side * side;
    const all = (value: number) => new Float32Array(keys.length).fill(value);
    const mask = new Float32Array(keys.length * channels * pixels);
    const discount = all(0);
    for (const [n, key] of keys.entries()) {
      const known = knownMask(key, disco.known, side);
      if (!known) continue;
      discount[n] = KNOWN_DISCOUNT;
      for (let c = 0; c < channels; c++) mask.set(known, (n * channels + c) * pixels);
    }
    const levels = { "network level": all(TIMELESS_SIGMA), "sigma(0)": all(disco.sigmaMin), discount, mask };
    return { discount: discount.reduce((a, b) => a + b) / keys.length, levels };
  }

  /** Mean loss of each of the last update's rounds. */
  async losses(rounds: number): Promise<number[]> {
    const { loss } = await this.#round.losses(rounds);
    // The kernel adds log variances, which here are no more than weights.
    return loss!.map((mean, r) => mean - this.#discounts[r]!);
  }

  /** What the last round computed: sigma, D, logvar (without levels: x, target), and the loss of each entry. */
  recorded(): Promise<Map<string, Float32Array>> {
    return this.#round.recorded();
  }

  profile(): Promise<NodeTime[]> {
    return this.#round.profile();
  }

  /** Where activations lie. */
  get plan(): MemoryPlan {
    return this.#round.plan;
  }

  destroy(): void {
    this.#round.destroy();
  }
}
