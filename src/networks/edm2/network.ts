import { mpSum } from "../../../kernels/network/mp-sum/kernel.js";
import { precondOut } from "../../../kernels/network/precond-out/kernel.js";
import type { DeviceRates } from "../../gpu/contract.js";
import { Graph, type Tensor } from "../../graph/graph.js";
import { BINDING_BYTES } from "../../layers/convolution.js";
import { folded } from "../../layers/folded.js";
import type { Build, Layers } from "../../layers/layers.js";
import type { Architecture, NetworkConfig } from "./arguments.js";
import type { Feature, SkipFeature } from "./block.js";
import { blockPlan } from "./names.js";
import { addDecoder, addEmbedding, addEncoder, addFourier, addInput, addScales, type Part } from "./unet.js";

/** The graph of one evaluation for one batch size. */
export interface NetworkGraph {
  readonly graph: Graph;
  readonly batch: number;
  /** [N, C, H, W] f32, in the network's value range. */
  readonly x: Tensor;
  /** [N] f32. */
  readonly sigma: Tensor;
  /** [N, label_dim] f32; absent where label_dim is 0. */
  readonly labels: Tensor | undefined;
  /** The condition and its noise level: NCVSD only. */
  readonly condX: Tensor | undefined;
  readonly condSigma: Tensor | undefined;
  /** D(x; sigma), [N, C, H, W] f32. */
  readonly denoised: Tensor;
  /** Kept intermediates, by name. */
  readonly taps: ReadonlyMap<string, Tensor>;
}

export interface BuildOptions {
  /** Names of intermediates to keep: `enc.16x16_block0`, `mix.skip0`, `dec_in.4x4_block0`, `F_x`, `logvar`, … */
  readonly capture?: ReadonlySet<string>;
  /** Choices of a tuner (`Caps.tuning`); without them the cost model's. */
  readonly tuning?: ReadonlyMap<string, string> | undefined;
  /** What the cost models of a GPU count with (`Caps.rates`); absent: as on a software adapter. */
  readonly rates?: DeviceRates | undefined;
  /** The most bytes in f32 of one buffer where a layer can be cut into parts; default: what every WebGPU adapter binds. */
  readonly bindingBytes?: number;
  /** How weights come into the graph; default: folded and packed once at load, for inference. */
  readonly layers?: Layers;
  /**
   * Fewer nodes to the same bits: the two encoders of NCVSD as one node each layer, an embedding as one, skips mixed where they are
   * concatenated (in f16 the same to rounding: some compilers leave it out where a value is stored no more). Default, where layers
   * are folded and nothing between is captured.
   */
  readonly merged?: boolean;
}

/** Intermediates that are not there by themselves in a merged graph. */
const UNMERGED = /^(ctrl|enc)\.|^dec\.emb/;

/** Builds D(x; sigma) of EDM2 (`Precond`) or D(x; sigma, {x', sigma'}) of NCVSD (`PrecondCondition`). */
export function buildNetwork(
  architecture: Architecture,
  config: NetworkConfig,
  batch: number,
  { capture = new Set(), tuning, rates, bindingBytes, layers = folded, merged = true }: BuildOptions = {},
): NetworkGraph {
  const graph = new Graph();
  const taps = new Map<string, Tensor>();
  const build: Build = {
    graph,
    batch,
    tuning,
    rates,
    bindingBytes,
    layers,
    merged: merged && layers === folded && ![...capture].some((name) => UNMERGED.test(name)),
    wants: (name) => capture.has(name),
    tap(name, tensor) {
      if (!capture.has(name)) return;
      taps.set(name, tensor);
      if (tensor.kind === "activation") graph.kept.add(tensor);
    },
  };
  const { img_channels: channels, img_resolution: side } = config;
  const shape = [batch, channels, side, side];
  const x = graph.external("x", shape);
  const sigma = graph.external("sigma", [batch]);
  const labels = config.label_dim > 0 ? graph.external("labels", [batch, config.label_dim]) : undefined;
  const conditional = architecture === "ncvsd";
  const condX = conditional ? graph.external("cond_x", shape) : undefined;
  const condSigma = conditional ? graph.external("cond_sigma", [batch]) : undefined;
  const denoised = graph.external("denoised", shape);
  addDenoiser(build, config, { x, sigma, labels, condX, condSigma }, denoised);
  if (build.wants("logvar")) build.tap("logvar", addUncertainty(build, config, sigma));
  return { graph, batch, x, sigma, labels, condX, condSigma, denoised, taps };
}

/** What a network is evaluated at: images and one level each, classes, and of NCVSD the condition and its levels. */
export interface NetworkInputs {
  readonly x: Tensor;
  readonly sigma: Tensor;
  readonly labels: Tensor | undefined;
  readonly condX?: Tensor | undefined;
  readonly condSigma?: Tensor | undefined;
}

/** D(x; sigma), or with a condition D(x; sigma, {x', sigma'}), as nodes of a graph. @returns [N, C, H, W] f32 */
export function addDenoiser(build: Build, config: NetworkConfig, inputs: NetworkInputs, into?: Tensor): Tensor {
  const { x, sigma, condX, condSigma } = inputs;
  const { img_channels: channels, img_resolution: side, sigma_data: sigmaData } = config;
  const f =
    condX && condSigma
      ? addConditional(build, config, { ...inputs, condX, condSigma })
      : addTeacher(build, config, inputs);
  build.tap("F_x", f);
  const params = { batch: build.batch, channels, pixels: side * side, sigmaData };
  return build.graph.run("precond_out", precondOut, params, { x, f, sigma }, { d: into ?? x.shape }).d;
}

/** The uncertainty head: log variances at these levels, [N, 1] f32. */
export function addUncertainty(build: Build, config: NetworkConfig, sigma: Tensor): Tensor {
  const features = addFourier(build, "logvar_fourier", config.logvar_channels, sigma);
  const layer = { inFeatures: config.logvar_channels, outFeatures: 1, weight: "logvar_linear.weight" };
  return build.layers.linear(build, "logvar_linear", layer, features);
}

function addTeacher(build: Build, config: NetworkConfig, { x, sigma, labels }: NetworkInputs): Tensor {
  const part: Part = { config, plan: blockPlan(config), prefix: "unet.", embTap: "" };
  const skips: Feature[] = [];
  // Both halves take one embedding.
  const scales = addScales(build, part, ["enc", "dec"], addEmbedding(build, part, sigma, labels));
  const input = addInput(build, config, "enc", x, sigma);
  const innermost = addEncoder(build, part, "enc", input, scales, (feature) => skips.push(feature));
  return addDecoder(build, part, scales, innermost, skips);
}

/** Two encoders; the decoder sees mp_sum(enc, ctrl, w) with learned weights clipped to [0, 1] (NCVSD, eq. 32). */
function addConditional(
  build: Build,
  config: NetworkConfig,
  inputs: NetworkInputs & { readonly condX: Tensor; readonly condSigma: Tensor },
): Tensor {
  const { graph } = build;
  const { x, sigma, labels, condX, condSigma } = inputs;
  const plan = blockPlan(config);
  const part = (prefix: string): Part => ({ config, plan, prefix, embTap: prefix });
  const weight = (name: string, length: number) => build.layers.stored(build, name, length);
  const mix = (name: string, a: Feature, b: Feature, w: Tensor, weightIndex: number): Feature => {
    const { length } = a.tensor;
    const params = {
      elements: length,
      perImage: length / build.batch,
      type: "act" as const,
      t: null,
      weightIndex,
      weights: w.length,
      clip: null,
    };
    const mixed = graph.run(name, mpSum, params, { a: a.tensor, b: b.tensor, w }, { out: a.tensor.shape }).out;
    build.tap(name, mixed);
    return { ...a, tensor: mixed };
  };

  const [ctrl, enc, dec] = [part("ctrl."), part("enc."), part("dec.")];
  const skips: SkipFeature[] = [];
  const skipWeights = weight("dec.additional_skips_weight", plan.encoder.length);
  const xWeight = weight("dec.additional_x_weight", 1);
  if (build.merged) {
    // Two encoders of one shape: a node for each layer of both.
    const [both, prefixes] = ["ctrl+enc", ["ctrl.", "enc."]];
    const emb = graph.room("ctrl+enc+dec.emb", [build.batch, plan.embChannels], "f32", 3);
    addEmbedding(build, ctrl, condSigma, labels, graph.part(emb, 0));
    addEmbedding(build, enc, sigma, labels, graph.part(emb, 1));
    addEmbedding(build, dec, sigma, labels, graph.part(emb, 2));
    const input = graph.room(
      `${both}.precond_in`,
      [build.batch, config.img_channels + 1, ...x.shape.slice(2)],
      "act",
      2,
    );
    addInput(build, config, "ctrl", condX, condSigma, graph.part(input, 0));
    addInput(build, config, "enc", x, sigma, graph.part(input, 1));
    const half = { ...build, bindingBytes: Math.floor((build.bindingBytes ?? BINDING_BYTES) / 2) };
    const of = (feature: Feature, i: number): Feature => ({ ...feature, tensor: graph.part(feature.tensor, i) });
    const encoded = graph.copied(prefixes, () => {
      const scales = addScales(half, ctrl, ["enc"], graph.part(emb, 0, 2), `${both}.`);
      return addEncoder(half, ctrl, both, input, scales, (feature, i) => {
        const [own, other] = [of(feature, 1), of(feature, 0)];
        const name = `mix.skip${i}`;
        // The concatenation makes the mix. Of full resolution, where memory is at its peak, it takes the room of both at once.
        skips.push(
          build.wants(name) || feature.height === config.img_resolution
            ? mix(name, own, other, skipWeights, i)
            : { ...own, mix: { other: other.tensor, w: skipWeights, weightIndex: i } },
        );
      });
    });
    const h = mix("mix.x", of(encoded, 1), of(encoded, 0), xWeight, 0);
    return addDecoder(build, dec, addScales(build, dec, ["dec"], graph.part(emb, 2)), h, skips);
  }
  const controls: Feature[] = [];
  const ctrlScales = addScales(build, ctrl, ["enc"], addEmbedding(build, ctrl, condSigma, labels));
  const ctrlInput = addInput(build, config, "ctrl", condX, condSigma);
  const ctrlX = addEncoder(build, ctrl, "ctrl", ctrlInput, ctrlScales, (feature) => controls.push(feature));
  const encScales = addScales(build, enc, ["enc"], addEmbedding(build, enc, sigma, labels));
  const encX = addEncoder(build, enc, "enc", addInput(build, config, "enc", x, sigma), encScales, (feature, i) => {
    skips.push(mix(`mix.skip${i}`, feature, controls[i]!, skipWeights, i));
  });
  const h = mix("mix.x", encX, ctrlX, xWeight, 0);
  const decScales = addScales(build, dec, ["dec"], addEmbedding(build, dec, sigma, labels));
  return addDecoder(build, dec, decScales, h, skips);
}
