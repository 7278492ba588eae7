import { diffuse } from "../../kernels/network/diffuse/kernel.js";
import { bad } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import { Graph } from "../graph/graph.js";
import type { MemoryPlan } from "../graph/plan.js";
import { recompute, type Span } from "../graph/recompute.js";
import { trained } from "../layers/trained.js";
import type { NetworkConfig } from "../networks/edm2/arguments.js";
import { addDenoiser, addUncertainty } from "../networks/edm2/network.js";
import type { Labels } from "../networks/session.js";
import type { BankLayout } from "./bank.js";
import { DRAWS, levelDraw } from "./draws.js";
import { denoisingLoss } from "./losses.js";
import type { Optimiser } from "./optimiser.js";
import { parameterGradients, Round, storedRegions } from "./round.js";
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
}

export interface RoundInput {
  readonly images: Float32Array;
  readonly labels?: Labels | undefined;
  readonly rndNormal?: ArrayLike<number> | undefined;
  readonly noise?: Float32Array | undefined;
}

/** The nodes of a round, derivatives included. */
export function teacherGraph(config: NetworkConfig, settings: TeacherSettings, layout: BankLayout) {
  const { batchGpu: batch, lossScaling } = settings;
  const { img_channels: channels, img_resolution: side, label_dim: classes, sigma_data: sigmaData } = config;
  const graph = new Graph();
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
  const D = addDenoiser(build, config, { x, sigma, labels });
  const u = addUncertainty(build, config, sigma);
  const sizes = { batch, elements, sigmaData, factor: lossScaling / settings.batch };
  const { loss, dD, du } = denoisingLoss(graph, "loss", sizes, { D, x0: images, t: sigma, u });
  graph.publish(loss, "loss");
  const forward = graph.nodes.length;
  const seeds = new Map([
    [D, dD],
    [u, du],
  ]);
  const gradients = parameterGradients(graph, network, layout, seeds);
  if (settings.recompute) recompute(graph, blocks, forward);
  return { graph, network, images, noise, labels, loss, gradients, recorded: { sigma, D, logvar: u } };
}

/**
 * One round of a teacher's training, ready to be replayed: y = x0 + sigma n, D and u of the network in training mode, the
 * denoising loss lambda e^-u (D - x0)^2 + u summed over images, channels and pixels and divided by the update's batch, and the
 * gradients of all parameters.
 */
export class TeacherRound {
  readonly #settings: TeacherSettings;
  readonly #round: Round;

  private constructor(settings: TeacherSettings, round: Round) {
    this.#settings = settings;
    this.#round = round;
  }

  static async create(
    gpu: Gpu,
    config: NetworkConfig,
    settings: TeacherSettings,
    optimiser: Optimiser,
    sums: WorkerSum,
  ): Promise<TeacherRound> {
    const { batchGpu: batch, rounds } = settings;
    const { network, recorded, loss, ...parts } = teacherGraph(config, settings, optimiser.layout);
    const round = await Round.create(gpu, {
      ...{ label: "training", ...parts, batch, rounds, round: sums.round },
      noises: [{ tensor: parts.noise, draw: DRAWS.noise }],
      levels: [recorded.sigma],
      losses: { loss },
      recorded: { ...recorded, loss },
      stored: storedRegions(network, optimiser.parameters),
    });
    return new TeacherRound(settings, round);
  }

  /**
   * Leaves the gradients in the round's bank.
   * @param keys of the images' draws  @param index of the round in its update, for its loss
   */
  async run({ images, labels, rndNormal, noise }: RoundInput, keys: readonly number[], index: number): Promise<void> {
    const { pMean, pStd } = this.#settings;
    const normals = rndNormal ?? keys.map((key) => levelDraw(key));
    if (normals.length !== keys.length)
      throw bad(`a round's rndNormal must have one value for each of ${keys.length} images, got ${normals.length}.`);
    const sigma = Float32Array.from(normals, (n) => Math.exp(pMean + pStd * n));
    await this.#round.run({ images, labels, levels: { sigma }, noises: { noise } }, keys, index);
  }

  /** Mean loss of each of the last update's rounds. */
  async losses(rounds: number): Promise<number[]> {
    return (await this.#round.losses(rounds)).loss!;
  }

  /** What the last round computed: sigma, D, logvar, and the loss of each entry. */
  recorded(): Promise<Map<string, Float32Array>> {
    return this.#round.recorded();
  }

  /** Where activations lie. */
  get plan(): MemoryPlan {
    return this.#round.plan;
  }

  destroy(): void {
    this.#round.destroy();
  }
}
