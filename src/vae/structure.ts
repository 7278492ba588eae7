import type { Checkpoint } from "../checkpoint/index.js";
import { FLOAT_DTYPES } from "../checkpoint/index.js";
import { NcvsdError } from "../errors.js";
import { type AttentionNames, GROUPS } from "./layers.js";

/** The decoder of an AutoencoderKL (diffusers) as its tensors tell it. */
export interface DecoderStructure {
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
export function decoderStructure(checkpoint: Pick<Checkpoint, "name" | "tensors">): DecoderStructure {
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
  for (const [name, wanted] of decoderTensors(structure)) {
    const found = tensors.get(name);
    if (!found) throw bad(`tensor '${name}' [${wanted.join(", ")}] is missing`);
    // A 1x1 convolution and a linear layer hold the same values.
    const trimmed = found.shape.filter((extent, axis) => axis < 2 || extent !== 1).join();
    if (trimmed !== wanted.filter((extent, axis) => axis < 2 || extent !== 1).join()) {
      throw bad(`tensor '${name}' has shape [${found.shape.join(", ")}] where [${wanted.join(", ")}] is needed`);
    }
    if (!FLOAT_DTYPES.includes(found.dtype)) throw bad(`tensor '${name}' is ${found.dtype}, where floats are needed`);
  }
  for (const own of channels) {
    if (own === 0 || own % GROUPS !== 0) throw bad(`${own} channels cannot be normalised in ${GROUPS} groups`);
  }
  return structure;
}

/** Name and shape of every tensor of the decoder. */
export function decoderTensors(structure: DecoderStructure): Map<string, readonly number[]> {
  const { latentChannels, imageChannels, channels, resnets, attention } = structure;
  const out = new Map<string, readonly number[]>();
  const layer = (name: string, outChannels: number, inChannels: number, kernel: number) => {
    out.set(`${name}.weight`, [outChannels, inChannels, kernel, kernel]);
    out.set(`${name}.bias`, [outChannels]);
  };
  const norm = (name: string, width: number) => {
    out.set(`${name}.weight`, [width]);
    out.set(`${name}.bias`, [width]);
  };
  const resnet = (name: string, inChannels: number, outChannels: number) => {
    norm(`${name}.norm1`, inChannels);
    layer(`${name}.conv1`, outChannels, inChannels, 3);
    norm(`${name}.norm2`, outChannels);
    layer(`${name}.conv2`, outChannels, outChannels, 3);
    if (inChannels !== outChannels) layer(`${name}.conv_shortcut`, outChannels, inChannels, 1);
  };
  const inner = channels[0]!;
  layer("post_quant_conv", latentChannels, latentChannels, 1);
  layer("decoder.conv_in", inner, latentChannels, 3);
  resnet("decoder.mid_block.resnets.0", inner, inner);
  norm("decoder.mid_block.attentions.0.group_norm", inner);
  for (const name of Object.values(attention)) layer(`decoder.mid_block.attentions.0.${name}`, inner, inner, 1);
  resnet("decoder.mid_block.resnets.1", inner, inner);
  let width = inner;
  channels.forEach((own, i) => {
    for (let j = 0; j < resnets; j++) {
      resnet(`decoder.up_blocks.${i}.resnets.${j}`, width, own);
      width = own;
    }
    if (i < channels.length - 1) layer(`decoder.up_blocks.${i}.upsamplers.0.conv`, own, own, 3);
  });
  norm("decoder.conv_norm_out", width);
  layer("decoder.conv_out", imageChannels, width, 3);
  return out;
}
