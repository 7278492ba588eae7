import { fourier } from "../../../kernels/network/fourier/kernel.js";
import { mpSilu } from "../../../kernels/network/mp-silu/kernel.js";
import { mpSum } from "../../../kernels/network/mp-sum/kernel.js";
import { precondIn } from "../../../kernels/network/precond-in/kernel.js";
import type { Tensor } from "../../graph/graph.js";
import type { Build, Scales } from "../../layers/layers.js";
import type { NetworkConfig } from "./arguments.js";
import { addBlock, type Feature, type SkipFeature } from "./block.js";
import type { BlockPlan, DecoderBlock, EncoderBlock } from "./names.js";

/** One part of a network: its prefix in the checkpoint and in the names of intermediates. */
export interface Part {
  readonly config: NetworkConfig;
  readonly plan: BlockPlan;
  /** Checkpoint prefix: `unet.`, `ctrl.`, `enc.`, `dec.`. */
  readonly prefix: string;
  /** Prefix of the names of the embedding's intermediates: empty for the teacher. */
  readonly embTap: string;
}

/**
 * The embedding vector of a part: mp_silu(mp_sum(emb_noise(MPFourier(ln(sigma)/4)), emb_label(labels sqrt(label_dim)), label_balance)).
 * One node where the layers have it so and nothing between is asked for.
 * @param sigma [N] f32
 * @param labels [N, label_dim] f32, absent where label_dim is 0
 */
export function addEmbedding(
  build: Build,
  { config, plan, prefix, embTap }: Part,
  sigma: Tensor,
  labels: Tensor | undefined,
  into: Tensor | readonly number[] = [build.batch, plan.embChannels],
): Tensor {
  const { graph, batch, layers } = build;
  const { noiseChannels, embChannels } = plan;
  const between = ["emb_fourier", "emb_noise", "emb_label"].map((name) => `${embTap}${name}`);
  let emb: Tensor;
  if (build.merged && layers.embedding && !between.some((name) => build.wants(name))) {
    const layer = { prefix, noiseChannels, outFeatures: embChannels, labelBalance: config.label_balance };
    emb = layers.embedding(build, `${prefix}emb`, layer, sigma, labels, into);
  } else {
    const linear = (name: string, inFeatures: number, factor: number, x: Tensor) => {
      const layer = { inFeatures, outFeatures: embChannels, factor, weight: `${prefix}${name}.weight` };
      const y = layers.linear(build, `${prefix}${name}`, layer, x);
      build.tap(`${embTap}${name}`, y);
      return y;
    };
    const features = addFourier(build, `${prefix}emb_fourier`, noiseChannels, sigma);
    build.tap(`${embTap}emb_fourier`, features);
    const sizes = { elements: batch * embChannels, perImage: embChannels, type: "f32" as const };
    let x = linear("emb_noise", noiseChannels, 1, features);
    if (labels) {
      const label = linear("emb_label", config.label_dim, Math.sqrt(config.label_dim), labels);
      const params = { ...sizes, t: config.label_balance, weightIndex: 0, weights: 0, clip: null };
      x = graph.run(`${prefix}emb.mp_sum`, mpSum, params, { a: x, b: label }, { out: x.shape }).out;
    }
    emb = graph.run(`${prefix}emb`, mpSilu, sizes, { x }, { y: into }).y;
  }
  build.tap(`${embTap}emb`, emb);
  return emb;
}

/** MPFourier of ln(sigma)/4, [N, channels]. */
export function addFourier(build: Build, name: string, channels: number, sigma: Tensor): Tensor {
  const freqs = build.layers.stored(build, `${name}.freqs`, channels);
  const phases = build.layers.stored(build, `${name}.phases`, channels);
  const params = { batch: build.batch, channels };
  return build.graph.run(name, fourier, params, { sigma, freqs, phases }, { y: [build.batch, channels] }).y;
}

/** Scales by the key of their block in the checkpoint. */
type BlockScales = ReadonlyMap<string, Scales>;

/**
 * The scales of a part's blocks, c = emb_linear(emb) * emb_gain + 1, per image and channel.
 * @param halves those of its blocks that take this embedding
 * @param of what the node is named after: all parts where it is a node of several
 */
export function addScales(
  build: Build,
  part: Part,
  halves: readonly ("enc" | "dec")[],
  emb: Tensor,
  of = part.prefix,
): BlockScales {
  const { prefix, plan } = part;
  const layers = halves.flatMap((half) =>
    (half === "enc" ? plan.encoder : plan.decoder).flatMap((block) =>
      block.kind === "conv" ? [] : [{ key: `${prefix}${half}.${block.name}`, outFeatures: block.outChannels }],
    ),
  );
  const name = halves.length === 1 ? `${of}${halves[0]}.emb_linear` : `${of}emb_linear`;
  const scales = build.layers.scales(build, name, layers, emb);
  return new Map(layers.map(({ key }, i) => [key, scales[i]!]));
}

function addPlannedBlock(
  build: Build,
  part: Part,
  block: EncoderBlock | DecoderBlock,
  tap: string,
  input: Feature,
  scales: BlockScales,
  skip?: SkipFeature,
): Feature {
  const { config, prefix } = part;
  const flavour = block.kind === "dec" ? ("dec" as const) : ("enc" as const);
  const spec = {
    flavour,
    key: `${prefix}${flavour}.${block.name}`,
    inChannels: input.channels,
    outChannels: block.outChannels,
    mode: block.mode,
    heads: block.heads,
    resampleFilter: config.resample_filter,
    resBalance: config.res_balance,
    attnBalance: config.attn_balance,
    clipAct: config.clip_act,
  };
  if (flavour === "dec" && !skip) build.tap(`dec_in.${block.name}`, input.tensor);
  const withSkip = skip && { feature: skip, concatBalance: config.concat_balance, tapName: `dec_in.${block.name}` };
  const from = build.graph.nodes.length;
  const made = addBlock(build, `${tap}.${block.name}`, spec, input, scales.get(spec.key)!, withSkip);
  build.blocks?.push({ from, to: build.graph.nodes.length });
  return made;
}

/** An encoder's input, [N, C + 1, H, W]: c_in(sigma) x and the channel of ones. @param x [N, C, H, W] f32 */
export function addInput(
  { graph, batch }: Build,
  config: NetworkConfig,
  tap: string,
  x: Tensor,
  sigma: Tensor,
  into?: Tensor,
): Tensor {
  const side = config.img_resolution;
  const params = { batch, channels: config.img_channels, pixels: side * side, sigmaData: config.sigma_data };
  const shape = [batch, config.img_channels + 1, side, side];
  return graph.run(`${tap}.precond_in`, precondIn, params, { x, sigma }, { y: into ?? shape }).y;
}

/**
 * Encoder: every output, the first convolution's included, is a skip.
 * @param input of `addInput`
 * @param tap prefix of the intermediates' names: `enc` or `ctrl`
 * @param scales of `addScales`, of the encoder's blocks at least
 * @param onOutput called after each output with its index, so that a skip can be mixed and freed early
 */
export function addEncoder(
  build: Build,
  part: Part,
  tap: string,
  input: Tensor,
  scales: BlockScales,
  onOutput: (feature: Feature, index: number) => void,
): Feature {
  const { config, plan, prefix } = part;
  const side = config.img_resolution;
  const size = { height: side, width: side };
  const inChannels = config.img_channels + 1;
  let feature: Feature = { tensor: input, channels: inChannels, ...size };
  plan.encoder.forEach((block, index) => {
    if (block.kind === "conv") {
      const { outChannels } = block;
      const weight = `${prefix}enc.${block.name}.weight`;
      const spec = {
        ...size,
        inChannels,
        outChannels,
        kernel: 3 as const,
        weight,
      };
      const tensor = build.layers.conv(build, `${tap}.${block.name}`, spec, feature.tensor);
      build.tap(`${tap}.${block.name}`, tensor);
      feature = { tensor, channels: outChannels, ...size };
    } else {
      feature = addPlannedBlock(build, part, block, tap, feature, scales);
    }
    onOutput(feature, index);
  });
  return feature;
}

/** Decoder and output convolution: F [N, C, H, W] from the innermost feature, the skips and the scales. */
export function addDecoder(
  build: Build,
  part: Part,
  scales: BlockScales,
  innermost: Feature,
  skips: readonly SkipFeature[],
): Tensor {
  const { config, plan, prefix } = part;
  let feature = innermost;
  for (const block of plan.decoder) {
    feature = addPlannedBlock(
      build,
      part,
      block,
      "dec",
      feature,
      scales,
      block.takesSkip ? skips[block.skipIndex] : undefined,
    );
  }
  return build.layers.conv(
    build,
    "out_conv",
    {
      inChannels: feature.channels,
      outChannels: config.img_channels,
      height: feature.height,
      width: feature.width,
      kernel: 3,
      weight: `${prefix}out_conv.weight`,
      gain: `${prefix}out_gain`,
    },
    feature.tensor,
  );
}
