import type { Checkpoint } from "../../checkpoint/index.js";
import { FLOAT_DTYPES } from "../../checkpoint/index.js";
import { NcvsdError } from "../../errors.js";
import type { Gpu } from "../../gpu/device.js";
import type { WeightStore } from "../../layers/weights.js";
import { type AttentionNames, GROUPS } from "./layers.js";

/** An AutoencoderKL (diffusers) as the tensors of its decoder tell it. */
export interface VaeStructure {
  /** Channels of a latent: 4. */
  readonly latentChannels: number;
  /** Channels of the picture: 3. */
  readonly imageChannels: number;
  /** Channels of each up block, the innermost first: 512, 512, 256, 128. All but the last double the resolution. */
  readonly channels: readonly number[];
  /** ResnetBlock2Ds of an up block: 3. */
  readonly resnets: number;
  readonly attention: AttentionNames;
}

/** A VAE's weights on a device: what its decoder and encoder run on. */
export interface LoadedVae {
  readonly gpu: Gpu;
  readonly checkpoint: Checkpoint;
  readonly structure: VaeStructure;
  /** Pixels of a latent's side. */
  readonly factor: number;
  readonly weights: WeightStore;
}

const NAMES: readonly AttentionNames[] = [
  { q: "to_q", k: "to_k", v: "to_v", out: "to_out.0" },
  { q: "query", k: "key", v: "value", out: "proj_attn" },
];

/** More than any published autoencoder has: a damaged file shall not ask for endless lists. */
const MOST = 16;

/**
 * Reads the structure of the decoder off the tensors, and checks that all of it is there. Tensors of the encoder may be there
 * or not.
 * @throws NcvsdError BAD_CHECKPOINT: what is missing or misshapen
 */
export function vaeStructure(checkpoint: Pick<Checkpoint, "name" | "tensors">): VaeStructure {
  const { tensors } = checkpoint;
  const bad = (what: string) => new NcvsdError("BAD_CHECKPOINT", `'${checkpoint.name}': ${what}`);
  const shape = (name: string) => tensors.get(name)?.shape;
  const first = shape("decoder.conv_in.weight");
  const last = shape("decoder.conv_out.weight");
  if (!first || !last) {
    throw bad(
      "it is no AutoencoderKL: it has no decoder.conv_in and decoder.conv_out; give Stability's VAE as diffusers stores it",
    );
  }
  const channels: number[] = [];
  for (let i = 0; i < MOST; i++) {
    const own = shape(`decoder.up_blocks.${i}.resnets.0.conv1.weight`);
    if (!own) break;
    channels.push(own[0] ?? 0);
  }
  let resnets = 0;
  while (resnets < MOST && shape(`decoder.up_blocks.0.resnets.${resnets}.conv1.weight`)) resnets++;
  if (channels.length === 0) throw bad("its decoder has no up blocks");
  const mid = "decoder.mid_block.attentions.0.";
  const attention = NAMES.find(({ q }) => tensors.has(`${mid}${q}.weight`));
  if (!attention) throw bad(`the attention of its middle is missing: ${mid}to_q.weight, or ${mid}query.weight`);
  const structure = { latentChannels: first[1] ?? 0, imageChannels: last[0] ?? 0, channels, resnets, attention };
  requireTensors(checkpoint, decoderTensors(structure));
  for (const own of channels) {
    if (own === 0 || own % GROUPS !== 0) throw bad(`${own} channels cannot be normalised in ${GROUPS} groups`);
  }
  return structure;
}

/** @throws NcvsdError BAD_CHECKPOINT naming the first tensor that is missing, misshapen or no floats */
export function requireTensors(
  checkpoint: Pick<Checkpoint, "name" | "tensors">,
  wanted: ReadonlyMap<string, readonly number[]>,
): void {
  const bad = (what: string) => new NcvsdError("BAD_CHECKPOINT", `'${checkpoint.name}': ${what}`);
  const sizes = (shape: readonly number[]) => shape.filter((extent, axis) => axis < 2 || extent !== 1).join();
  for (const [name, shape] of wanted) {
    const found = checkpoint.tensors.get(name);
    if (!found) throw bad(`tensor '${name}' [${shape.join(", ")}] is missing`);
    // A 1x1 convolution and a linear layer hold the same values.
    if (sizes(found.shape) !== sizes(shape)) {
      throw bad(`tensor '${name}' has shape [${found.shape.join(", ")}] where [${shape.join(", ")}] is needed`);
    }
    if (!FLOAT_DTYPES.includes(found.dtype)) throw bad(`tensor '${name}' is ${found.dtype}, where floats are needed`);
  }
}

/** Collects names and shapes of layers. */
class TensorList {
  readonly tensors = new Map<string, readonly number[]>();

  layer(name: string, outChannels: number, inChannels: number, kernel: number): void {
    this.tensors.set(`${name}.weight`, [outChannels, inChannels, kernel, kernel]);
    this.tensors.set(`${name}.bias`, [outChannels]);
  }

  norm(name: string, width: number): void {
    this.tensors.set(`${name}.weight`, [width]);
    this.tensors.set(`${name}.bias`, [width]);
  }

  resnet(name: string, inChannels: number, outChannels: number): void {
    this.norm(`${name}.norm1`, inChannels);
    this.layer(`${name}.conv1`, outChannels, inChannels, 3);
    this.norm(`${name}.norm2`, outChannels);
    this.layer(`${name}.conv2`, outChannels, outChannels, 3);
    if (inChannels !== outChannels) this.layer(`${name}.conv_shortcut`, outChannels, inChannels, 1);
  }

  middle(name: string, width: number, attention: AttentionNames): void {
    this.resnet(`${name}.resnets.0`, width, width);
    this.norm(`${name}.attentions.0.group_norm`, width);
    for (const layer of Object.values(attention)) this.layer(`${name}.attentions.0.${layer}`, width, width, 1);
    this.resnet(`${name}.resnets.1`, width, width);
  }
}

/** Name and shape of every tensor of the decoder. */
export function decoderTensors(structure: VaeStructure): Map<string, readonly number[]> {
  const { latentChannels, imageChannels, channels, resnets, attention } = structure;
  const list = new TensorList();
  const inner = channels[0]!;
  list.layer("post_quant_conv", latentChannels, latentChannels, 1);
  list.layer("decoder.conv_in", inner, latentChannels, 3);
  list.middle("decoder.mid_block", inner, attention);
  let width = inner;
  channels.forEach((own, i) => {
    for (let j = 0; j < resnets; j++) {
      list.resnet(`decoder.up_blocks.${i}.resnets.${j}`, width, own);
      width = own;
    }
    if (i < channels.length - 1) list.layer(`decoder.up_blocks.${i}.upsamplers.0.conv`, own, own, 3);
  });
  list.norm("decoder.conv_norm_out", width);
  list.layer("decoder.conv_out", imageChannels, width, 3);
  return list.tensors;
}

/** Name and shape of every tensor of the encoder that mirrors the decoder; one ResnetBlock2D less in each block. */
export function encoderTensors(structure: VaeStructure): Map<string, readonly number[]> {
  const { latentChannels, imageChannels, channels, resnets, attention } = structure;
  const list = new TensorList();
  const widths = channels.toReversed();
  let width = widths[0]!;
  list.layer("encoder.conv_in", width, imageChannels, 3);
  widths.forEach((own, i) => {
    for (let j = 0; j < resnets - 1; j++) {
      list.resnet(`encoder.down_blocks.${i}.resnets.${j}`, width, own);
      width = own;
    }
    if (i < widths.length - 1) list.layer(`encoder.down_blocks.${i}.downsamplers.0.conv`, own, own, 3);
  });
  list.middle("encoder.mid_block", width, attention);
  list.norm("encoder.conv_norm_out", width);
  list.layer("encoder.conv_out", 2 * latentChannels, width, 3);
  list.layer("quant_conv", 2 * latentChannels, 2 * latentChannels, 1);
  return list.tensors;
}
