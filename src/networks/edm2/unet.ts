import { fourier } from "../../../kernels/network/fourier/kernel.js";
import { mpSilu } from "../../../kernels/network/mp-silu/kernel.js";
import { mpSum } from "../../../kernels/network/mp-sum/kernel.js";
import { precondIn } from "../../../kernels/network/precond-in/kernel.js";
import type { Tensor } from "../../graph/graph.js";
import type { Build, Scales } from "../../layers/layers.js";
import type { NetworkConfig } from "./arguments.js";
import { addBlock, type Feature } from "./block.js";
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
 * @param sigma [N] f32  @param labels [N, label_dim] f32, absent where label_dim is 0
 */
export function addEmbedding(build: Build, part: Part, sigma: Tensor, labels: Tensor | undefined): Tensor {
  const { graph, batch, layers } = build;
  const { config, plan, prefix, embTap } = part;
  const name = (layer: string) => `${prefix}${layer}`;
  const features = addFourier(build, name("emb_fourier"), plan.noiseChannels, sigma);
  build.tap(`${embTap}emb_fourier`, features);
  const embShape = [batch, plan.embChannels];
  const elements = batch * plan.embChannels;
  const noise = { inFeatures: plan.noiseChannels, outFeatures: plan.embChannels, weight: name("emb_noise.weight") };
  let emb = layers.linear(build, name("emb_noise"), noise, features);
  build.tap(`${embTap}emb_noise`, emb);
  if (labels) {
    const spec = { inFeatures: config.label_dim, outFeatures: plan.embChannels, weight: name("emb_label.weight") };
    const label = layers.linear(build, name("emb_label"), { ...spec, factor: Math.sqrt(config.label_dim) }, labels);
    build.tap(`${embTap}emb_label`, label);
    const params = {
      elements,
      perImage: plan.embChannels,
      type: "f32" as const,
      t: config.label_balance,
      weightIndex: 0,
      weights: 0,
      clip: null,
    };
    emb = graph.run(name("emb.mp_sum"), mpSum, params, { a: emb, b: label }, { out: embShape }).out;
  }
  emb = graph.run(
    name("emb"),
    mpSilu,
    { elements, perImage: plan.embChannels, type: "f32" as const },
    { x: emb },
    { y: embShape },
  ).y;
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
 */
export function addScales(build: Build, part: Part, halves: readonly ("enc" | "dec")[], emb: Tensor): BlockScales {
  const { prefix, plan } = part;
  const layers = halves.flatMap((half) =>
    (half === "enc" ? plan.encoder : plan.decoder).flatMap((block) =>
      block.kind === "conv" ? [] : [{ key: `${prefix}${half}.${block.name}`, outFeatures: block.outChannels }],
    ),
  );
  const name = halves.length === 1 ? `${prefix}${halves[0]}.emb_linear` : `${prefix}emb_linear`;
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
  skip?: Feature,
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

/**
 * Encoder: every output, the first convolution's included, is a skip.
 * @param x [N, C, H, W] f32, unscaled: c_in(sigma) and the channel of ones are applied here
 * @param tap prefix of the intermediates' names: `enc` or `ctrl`
 * @param scales of `addScales`, of the encoder's blocks at least
 * @param onOutput called after each output with its index, so that a skip can be mixed and freed early
 */
export function addEncoder(
  build: Build,
  part: Part,
  tap: string,
  x: Tensor,
  sigma: Tensor,
  scales: BlockScales,
  onOutput: (feature: Feature, index: number) => void,
): Feature {
  const { graph, batch } = build;
  const { config, plan, prefix } = part;
  const side = config.img_resolution;
  const size = { height: side, width: side };
  const pre = { batch, channels: config.img_channels, pixels: side * side, sigmaData: config.sigma_data };
  const inChannels = config.img_channels + 1;
  let feature: Feature = {
    tensor: graph.run(`${tap}.precond_in`, precondIn, pre, { x, sigma }, { y: [batch, inChannels, side, side] }).y,
    channels: inChannels,
    ...size,
  };
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
  skips: readonly Feature[],
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
