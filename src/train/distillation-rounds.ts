import { diffuse } from "../../kernels/network/diffuse/kernel.js";
import { injectNoise } from "../../kernels/network/inject-noise/kernel.js";
import { sigmaCombine } from "../../kernels/sampling/sigma-combine/kernel.js";
import type { Gpu } from "../gpu/device.js";
import { Graph, type Tensor, targetOf } from "../graph/graph.js";
import { recompute, type Span } from "../graph/recompute.js";
import type { Build } from "../layers/layers.js";
import { type Trained, trained } from "../layers/trained.js";
import type { NetworkConfig } from "../networks/edm2/arguments.js";
import { addCondition, addLogits } from "../networks/edm2/discriminator.js";
import { addDenoiser, addUncertainty } from "../networks/edm2/network.js";
import type { BankLayout } from "./bank.js";
import type { BankRows } from "./bank-rows.js";
import { denoisingLoss, distillationLoss, logisticLoss } from "./losses.js";
import type { TrainingPrecision } from "./precision.js";
import { parameterGradients, Round, type RoundSpec } from "./round.js";
import type { StoredLayers } from "./row-stages.js";
import type { WorkerSum } from "./sums.js";
import type { UpdateSizes } from "./updates.js";

/** Numbers of the draws of a round, by the name of what they fill; sigma and t are drawn on the host. */
const DRAWN = { sigma: 1, t: 2, yNoise: 3, z: 4, xtNoise: 5, realNoise: 6, fakeNoise: 7 } as const;
const DROPOUT = 8;

export interface DistillationSettings extends UpdateSizes {
  readonly gamma: number;
  readonly lossScaling: number;
  readonly lossSigmaData: number;
  readonly ganLossScaling: number;
  /** Probability of dropout, in the network that is updated. */
  readonly dropout: number;
  /** Blocks are computed twice, so that what is inside one need not be kept. */
  readonly recompute: boolean;
  readonly precision: TrainingPrecision;
}

/** The networks' arguments, and the rows of their stored tensors. */
export interface DistillationNetworks {
  /** Of generator, score model and discriminator. */
  readonly config: NetworkConfig;
  readonly teacherConfig: NetworkConfig;
  readonly generator: BankRows;
  readonly score: BankRows;
  readonly discriminator: BankRows;
  readonly teacher: BankRows;
}

/** One graph of a round: the networks that it evaluates and what all three kinds of round begin with. */
class Bench {
  readonly graph: Graph;
  readonly shape: readonly number[];
  readonly elements: number;
  readonly images: Tensor;
  readonly labels: Tensor | undefined;
  readonly sigma: Tensor;
  readonly t: Tensor;
  /** The condition y = x0 + sigma n. */
  readonly y: Tensor;
  readonly noises: { tensor: Tensor; draw: number }[] = [];
  readonly networks: DistillationNetworks;
  readonly settings: DistillationSettings;
  readonly #networks: StoredLayers[] = [];
  /** Of the networks that are differentiated. */
  readonly #blocks: Span[] = [];

  constructor(gpu: Gpu, networks: DistillationNetworks, settings: DistillationSettings) {
    this.graph = new Graph(targetOf(gpu));
    this.networks = networks;
    this.settings = settings;
    const { img_channels: channels, img_resolution: side, label_dim: classes } = networks.config;
    const { batchGpu: batch } = settings;
    this.shape = [batch, channels, side, side];
    this.elements = channels * side * side;
    this.images = this.graph.external("images", this.shape);
    this.labels = classes > 0 ? this.graph.external("labels", [batch, classes]) : undefined;
    this.sigma = this.graph.external("sigma", [batch]);
    this.t = this.graph.external("t", [batch]);
    this.y = this.noisy("y", this.images, this.sigma, "yNoise");
  }

  /** x + level n, with a draw of its own. */
  noisy(name: string, x: Tensor, level: Tensor, noise: keyof typeof DRAWN): Tensor {
    const params = { batch: this.settings.batchGpu, elements: this.elements };
    return this.graph.run(name, diffuse, params, { x, sigma: level, z: this.#noise(noise) }, { y: this.shape }).y;
  }

  #noise(name: keyof typeof DRAWN): Tensor {
    const tensor = this.graph.external(name, this.shape);
    this.noises.push({ tensor, draw: DRAWN[name] });
    return tensor;
  }

  /**
   * A network of this graph: what its layers are made with, and the context to build it in.
   * @param role "updated": it is in training mode; "passed": derivatives go through it; "evaluated": neither
   */
  network(
    name: "generator" | "score" | "discriminator" | "teacher",
    role: "updated" | "passed" | "evaluated",
  ): { layers: Trained; build: Build } {
    const { batchGpu: batch, dropout: probability } = this.settings;
    const dropout =
      role === "updated" && probability > 0
        ? { probability, keys: this.graph.external("keys", [batch], "u32"), draw: DROPOUT }
        : undefined;
    const backward = role !== "evaluated";
    const layers = trained({ scope: `${name} `, backward, dropout });
    const build = {
      graph: this.graph,
      batch,
      layers: layers.layers,
      wants: () => false,
      tap() {},
      ...(backward && { blocks: this.#blocks }),
    };
    const stored = { layers, rows: this.networks[name] };
    if (role === "updated") this.#networks.unshift(stored);
    else this.#networks.push(stored);
    return { layers, build };
  }

  /** The generator's image x = G(y, sigma, z), and the level of the noise that it takes away. */
  generate(build: Build): { x: Tensor; sigmaHat: Tensor } {
    const { y, sigma, labels, elements } = this;
    const params = { batch: this.settings.batchGpu, elements, gamma: this.settings.gamma };
    const shapes = { yHat: this.shape, sigmaHat: [params.batch] };
    const z = this.#noise("z");
    const { yHat, sigmaHat } = this.graph.run("inject_noise", injectNoise, params, { y, sigma, z }, shapes);
    const inputs = { x: yHat, sigma: sigmaHat, labels, condX: y, condSigma: sigma };
    return { x: addDenoiser(build, this.networks.config, inputs), sigmaHat };
  }

  /** Parameters of the losses: their gradients are those of lossScaling / batch times the sum over images and entries. */
  get loss() {
    const { batchGpu: batch, batch: whole, lossScaling, lossSigmaData: sigmaData } = this.settings;
    return { batch, elements: this.elements, sigmaData, factor: lossScaling / whole };
  }

  /** Logistic losses count once for every entry of an image. */
  logistic(weight: number, real: boolean) {
    const { batch, elements, factor } = this.loss;
    return { batch, real, factor: factor * elements * weight };
  }

  /** Appends the derivatives, and makes the round. @param seeds gradients of the loss, by tensor */
  round(
    gpu: Gpu,
    label: string,
    sums: WorkerSum,
    { layers, layout, seeds, others, ...parts }: Learnt & Pick<RoundSpec, "losses" | "recorded">,
  ): Promise<Round> {
    const { graph, images, labels, noises, sigma, t, settings } = this;
    const { batchGpu: batch, rounds, precision } = settings;
    const forward = graph.nodes.length;
    const gradients = parameterGradients(graph, layers, layout, seeds, others);
    if (settings.recompute) recompute(graph, this.#blocks, forward);
    return Round.create(gpu, {
      ...{
        label,
        graph,
        batch,
        rounds,
        images,
        labels,
        noises,
        levels: [sigma, t],
        round: sums.round,
        networks: this.#networks,
      },
      ...{ ...parts, gradients, precision },
    });
  }
}

/** What a round learns: gradients of these parameters, from those of its loss. */
interface Learnt {
  readonly layers: Trained;
  readonly layout: BankLayout;
  readonly seeds: ReadonlyMap<Tensor, Tensor>;
  /** Networks that derivatives pass through. */
  readonly others?: readonly Trained[];
}

/** Score model: the denoising loss of S(x_t, t; y, sigma) with the generator's image as target. */
export function scoreRound(
  gpu: Gpu,
  networks: DistillationNetworks,
  settings: DistillationSettings,
  sums: WorkerSum,
): Promise<Round> {
  const bench = new Bench(gpu, networks, settings);
  const { graph, labels, y, sigma, t } = bench;
  const { x } = bench.generate(bench.network("generator", "evaluated").build);
  const noisy = bench.noisy("x_t", x, t, "xtNoise");
  const { layers, build } = bench.network("score", "updated");
  const s = addDenoiser(build, networks.config, { x: noisy, sigma: t, labels, condX: y, condSigma: sigma });
  const u = addUncertainty(build, networks.config, t);
  const { loss, dD, du } = denoisingLoss(graph, "dsm_loss", bench.loss, { D: s, x0: x, t, u });
  graph.publish(loss, "dsm_loss");
  const seeds = new Map([
    [s, dD],
    [u, du],
  ]);
  const learnt = { layers, layout: networks.score.bank.layout, seeds };
  const recorded = { x, s, logvar: u, dsm_loss: loss };
  return bench.round(gpu, "score model", sums, { ...learnt, losses: { dsm_loss: loss }, recorded });
}

/** Discriminator: the logistic loss of its logits for the data's image and the generator's, both at level t, under one condition. */
export function discriminatorRound(
  gpu: Gpu,
  networks: DistillationNetworks,
  settings: DistillationSettings,
  sums: WorkerSum,
): Promise<Round> {
  const bench = new Bench(gpu, networks, settings);
  const { graph, labels, y, sigma, t, images } = bench;
  const { x } = bench.generate(bench.network("generator", "evaluated").build);
  const real = bench.noisy("real", images, t, "realNoise");
  const fake = bench.noisy("fake", x, t, "fakeNoise");
  const { layers, build } = bench.network("discriminator", "updated");
  const conditioned = () => addCondition(build, networks.config, { x: y, sigma, labels });
  // One serves both images, unless each has masks of its own.
  const both = settings.dropout > 0 ? undefined : conditioned();
  const seeds = new Map<Tensor, Tensor>();
  const logits = (image: Tensor, isReal: boolean) => {
    const condition = both ?? conditioned();
    const z = addLogits(build, networks.config, condition, { x: image, sigma: t, labels });
    const name = isReal ? "real_loss" : "fake_loss";
    const { loss, dz } = logisticLoss(graph, name, bench.logistic(0.5, isReal), z);
    seeds.set(z, dz);
    return { z, loss: graph.publish(loss, name) };
  };
  const [ofReal, ofFake] = [logits(real, true), logits(fake, false)];
  const learnt = { layers, layout: networks.discriminator.bank.layout, seeds };
  const losses = { real_loss: ofReal.loss, fake_loss: ofFake.loss };
  const recorded = { x, real_logits: ofReal.z, fake_logits: ofFake.z, ...losses };
  return bench.round(gpu, "discriminator", sums, { ...learnt, losses, recorded });
}

/**
 * Generator: the difference of the score model's and the teacher's denoised images as gradient at its image, and the
 * discriminator's opinion of it. `adversarial`: "shown" computes the latter without learning from it.
 */
export function generatorRound(
  gpu: Gpu,
  networks: DistillationNetworks,
  settings: DistillationSettings,
  sums: WorkerSum,
  adversarial: "off" | "shown" | "on",
): Promise<Round> {
  const bench = new Bench(gpu, networks, settings);
  const { graph, labels, y, sigma, t, elements, shape } = bench;
  const { config, teacherConfig } = networks;
  const { layers, build } = bench.network("generator", "updated");
  const { x, sigmaHat } = bench.generate(build);
  const u = addUncertainty(build, config, sigmaHat);
  const noisy = bench.noisy("x_t", x, t, "xtNoise");
  const { batchGpu: batch } = settings;
  const views = { y, sigma, x: noisy, level: t };
  const shapes = { yEff: shape, sigmaEff: [batch] };
  const { yEff, sigmaEff } = graph.run("combine", sigmaCombine, { batch, elements, each: true }, views, shapes);
  const s0 = addDenoiser(bench.network("teacher", "evaluated").build, teacherConfig, {
    x: yEff,
    sigma: sigmaEff,
    labels,
  });
  const judged = { x: noisy, sigma: t, labels, condX: y, condSigma: sigma };
  const s = addDenoiser(bench.network("score", "evaluated").build, config, judged);
  const { loss, dx, du } = distillationLoss(graph, "vsd_loss", bench.loss, { s, s0, t, u });
  graph.publish(loss, "vsd_loss");
  const seeds = new Map([
    [x, dx],
    [u, du],
  ]);
  const losses: Record<string, Tensor> = { vsd_loss: loss };
  const recorded: Record<string, Tensor> = { x, logvar: u, s0, s, vsd_loss: loss };
  const others: Trained[] = [];
  if (adversarial !== "off") {
    const critic = bench.network("discriminator", "passed");
    others.push(critic.layers);
    const condition = addCondition(critic.build, config, { x: y, sigma, labels });
    const z = addLogits(critic.build, config, condition, { x: noisy, sigma: t, labels });
    const gan = logisticLoss(graph, "gan_loss", bench.logistic(settings.ganLossScaling, true), z);
    recorded.logits = z;
    recorded.gan_loss = losses.gan_loss = graph.publish(gan.loss, "gan_loss");
    if (adversarial === "on") seeds.set(z, gan.dz);
  }
  const learnt = { layers, layout: networks.generator.bank.layout, seeds, others };
  return bench.round(gpu, "generator", sums, { ...learnt, losses, recorded });
}
