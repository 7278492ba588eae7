/**
 * The structure of the networks and the names of their tensors, from one description: the graph builder walks the
 * `BlockPlan`, and `expectedTensors` lists the state_dict entries that the same walk would read.
 *
 * EDM2 U-Net: Karras et al. 2024, "Analyzing and Improving the Training Dynamics of Diffusion Models", config G.
 */
import { type Checkpoint, FLOAT_DTYPES } from "../../checkpoint/index.js";
import { NcvsdError } from "../../errors.js";
import type { Architecture, NetworkConfig } from "./arguments.js";
import { type FoundArguments, inferArguments } from "./infer.js";

/** What every block has. Convolutions are 3x3 unless said otherwise, the embedding enters through `emb_linear`. */
interface BlockBase {
  /** As in the state_dict, without prefix: "32x32_conv", "16x16_down", "8x8_block0", "8x8_in0", "16x16_up". */
  readonly name: string;
  /** Height and width of the output; of the input too, unless `mode` is down (twice that) or up (half). */
  readonly resolution: number;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly mode: "keep" | "down" | "up";
  /** Attention heads, each of outChannels / heads channels; 0 means no attention and no attention weights. */
  readonly heads: number;
  /** A 1x1 `conv_skip` leads from inChannels to outChannels; absent exactly where they are equal. */
  readonly convSkip: boolean;
}

/** The first layer (`conv`: a bare 3x3 convolution of the image and one channel of ones, no embedding, no clipping) or an encoder block. */
export interface EncoderBlock extends BlockBase {
  readonly kind: "conv" | "enc";
}

export interface DecoderBlock extends BlockBase {
  readonly kind: "dec";
  /** True for the `_block{i}`: their input is mp_cat(main path, skip, concat_balance). `inChannels` includes the skip. */
  readonly takesSkip: boolean;
  /** Channels of that skip, 0 without one: the main path has inChannels - skipChannels. */
  readonly skipChannels: number;
  /** Index of that skip among the encoder's outputs, in the order of `BlockPlan.encoder`; -1 without one. */
  readonly skipIndex: number;
}

/** One U-Net in the order in which its blocks run. */
export interface BlockPlan {
  /** Length of the Fourier embedding of the noise level (`emb_fourier`). */
  readonly noiseChannels: number;
  /** Length of the embedding vector that every block gets. */
  readonly embChannels: number;
  /** Every output, the first convolution's included, is one skip: `encoder[i]` makes skip i. */
  readonly encoder: readonly EncoderBlock[];
  readonly decoder: readonly DecoderBlock[];
}

/**
 * Attention heads of a block that asks for attention: floor(channels / channels_per_head).
 * @throws NcvsdError BAD_CHECKPOINT if the channels cannot be divided among them.
 */
function headsOf(config: NetworkConfig, name: string, channels: number): number {
  const heads = Math.floor(channels / config.channels_per_head);
  if (heads > 0 && channels % heads !== 0) {
    throw new NcvsdError(
      "BAD_CHECKPOINT",
      `channels_per_head ${config.channels_per_head} gives ${name} ${heads} heads, which do not divide its ${channels} channels`,
    );
  }
  return heads;
}

/** Lays out encoder and decoder for a config that `parseConfig` has accepted. */
export function blockPlan(config: NetworkConfig): BlockPlan {
  const levels = config.channel_mult.map((mult, level) => ({
    resolution: config.img_resolution / 2 ** level,
    channels: config.model_channels * mult,
  }));
  const first = levels[0]!;
  const last = levels.at(-1)!;

  function base(name: string, resolution: number, inChannels: number, outChannels: number, attention: boolean) {
    const heads = attention ? headsOf(config, name, outChannels) : 0;
    return {
      name,
      resolution,
      inChannels,
      outChannels,
      mode: "keep" as const,
      heads,
      convSkip: inChannels !== outChannels,
    };
  }

  const encoder: EncoderBlock[] = [];
  let channels = first.channels;
  for (const [level, { resolution, channels: width }] of levels.entries()) {
    const size = `${resolution}x${resolution}`;
    const attention = config.attn_resolutions.includes(resolution);
    if (level === 0) {
      const stem = base(`${size}_conv`, resolution, config.img_channels + 1, channels, false);
      encoder.push({ ...stem, kind: "conv", convSkip: false });
    } else {
      encoder.push({ ...base(`${size}_down`, resolution, channels, channels, false), kind: "enc", mode: "down" });
    }
    for (let i = 0; i < config.num_blocks; i++) {
      encoder.push({ ...base(`${size}_block${i}`, resolution, channels, width, attention), kind: "enc" });
      channels = width;
    }
  }

  const decoder: DecoderBlock[] = [];
  const noSkip = { kind: "dec", takesSkip: false, skipChannels: 0, skipIndex: -1 } as const;
  let skipIndex = encoder.length;
  for (const { resolution, channels: width } of levels.toReversed()) {
    const size = `${resolution}x${resolution}`;
    const attention = config.attn_resolutions.includes(resolution);
    if (resolution === last.resolution) {
      // The innermost block asks for attention whatever attn_resolutions says.
      decoder.push({ ...base(`${size}_in0`, resolution, channels, channels, true), ...noSkip });
      decoder.push({ ...base(`${size}_in1`, resolution, channels, channels, false), ...noSkip });
    } else {
      decoder.push({ ...base(`${size}_up`, resolution, channels, channels, false), ...noSkip, mode: "up" });
    }
    for (let i = 0; i <= config.num_blocks; i++) {
      const skipChannels = encoder[--skipIndex]!.outChannels;
      const block = base(`${size}_block${i}`, resolution, channels + skipChannels, width, attention);
      decoder.push({ ...block, kind: "dec", takesSkip: true, skipChannels, skipIndex });
      channels = width;
    }
  }

  return {
    noiseChannels: config.model_channels * (config.channel_mult_noise ?? config.channel_mult[0]!),
    embChannels: config.model_channels * (config.channel_mult_emb ?? Math.max(...config.channel_mult)),
    encoder,
    decoder,
  };
}

/** Prefixes of the U-Net parts in the state_dict. Each part has its own embedding layers. */
export const PARTS = {
  edm2: { encoders: ["unet."], decoder: "unet." },
  ncvsd: { encoders: ["ctrl.", "enc."], decoder: "dec." },
} as const;

/**
 * Name and shape of every state_dict entry, in the order of the modules. Within a part (prefix P of `PARTS`): `P emb_fourier.*`,
 * `P emb_noise.weight`, `P emb_label.weight` (label_dim > 0 only), `P enc.<block>.<layer>.weight` or `P dec.<block>.<layer>.weight`,
 * `P out_conv.weight`, `P out_gain`. Weights are [out, in, height, width] or [out, in]; gains are scalars, [].
 */
export function expectedTensors(architecture: Architecture, config: NetworkConfig): Map<string, number[]> {
  const plan = blockPlan(config);
  const parts = PARTS[architecture];
  const tensors = new Map<string, number[]>();

  function embedding(prefix: string): void {
    tensors.set(`${prefix}emb_fourier.freqs`, [plan.noiseChannels]);
    tensors.set(`${prefix}emb_fourier.phases`, [plan.noiseChannels]);
    tensors.set(`${prefix}emb_noise.weight`, [plan.embChannels, plan.noiseChannels]);
    if (config.label_dim > 0) tensors.set(`${prefix}emb_label.weight`, [plan.embChannels, config.label_dim]);
  }

  function block(
    prefix: string,
    { kind, name, inChannels, outChannels, heads, convSkip }: EncoderBlock | DecoderBlock,
  ): void {
    if (kind === "conv") {
      tensors.set(`${prefix}${name}.weight`, [outChannels, inChannels, 3, 3]);
      return;
    }
    const set = (layer: string, shape: number[]) => tensors.set(`${prefix}${name}.${layer}`, shape);
    set("emb_gain", []);
    // Encoder blocks project before the residual branch, decoder blocks after it.
    set("conv_res0.weight", [outChannels, kind === "enc" ? outChannels : inChannels, 3, 3]);
    set("emb_linear.weight", [outChannels, plan.embChannels]);
    set("conv_res1.weight", [outChannels, outChannels, 3, 3]);
    if (convSkip) set("conv_skip.weight", [outChannels, inChannels, 1, 1]);
    if (heads > 0) {
      set("attn_qkv.weight", [3 * outChannels, outChannels, 1, 1]);
      set("attn_proj.weight", [outChannels, outChannels, 1, 1]);
    }
  }

  for (const prefix of parts.encoders) {
    embedding(prefix);
    for (const encoderBlock of plan.encoder) block(`${prefix}enc.`, encoderBlock);
  }
  const prefix = parts.decoder;
  embedding(prefix);
  for (const decoderBlock of plan.decoder) block(`${prefix}dec.`, decoderBlock);
  tensors.set(`${prefix}out_conv.weight`, [config.img_channels, plan.decoder.at(-1)!.outChannels, 3, 3]);
  tensors.set(`${prefix}out_gain`, []);
  if (architecture === "ncvsd") {
    tensors.set("dec.additional_x_weight", [1]);
    tensors.set("dec.additional_skips_weight", [plan.encoder.length]);
  }
  tensors.set("logvar_fourier.freqs", [config.logvar_channels]);
  tensors.set("logvar_fourier.phases", [config.logvar_channels]);
  tensors.set("logvar_linear.weight", [1, config.logvar_channels]);
  return tensors;
}

/** How many tensors are missing, superfluous or misshapen. */
export function countMismatches(
  checkpoint: Pick<Checkpoint, "tensors">,
  expected: ReadonlyMap<string, readonly number[]>,
): number {
  let present = 0;
  let misshapen = 0;
  for (const [name, shape] of expected) {
    const info = checkpoint.tensors.get(name);
    if (info === undefined) continue;
    present++;
    if (!sameShape(info.shape, shape)) misshapen++;
  }
  return expected.size - present + (checkpoint.tensors.size - present) + misshapen;
}

/**
 * Checks that the checkpoint holds exactly the tensors of this network: none missing, none superfluous, all shapes right, all floats.
 * @throws NcvsdError BAD_CHECKPOINT naming the first tensor at fault, how many more there are, and the argument that explains it.
 */
export function validateTensors(
  checkpoint: Pick<Checkpoint, "name" | "tensors">,
  architecture: Architecture,
  config: NetworkConfig,
): void {
  const expected = expectedTensors(architecture, config);
  const missing: string[] = [];
  const misshapen: string[] = [];
  const superfluous: string[] = [];
  for (const [name, shape] of expected) {
    const info = checkpoint.tensors.get(name);
    if (info === undefined) missing.push(`tensor '${name}' [${shape.join(", ")}] is missing`);
    else if (!sameShape(info.shape, shape)) {
      misshapen.push(
        `tensor '${name}' has shape [${info.shape.join(", ")}] where its config asks for [${shape.join(", ")}]`,
      );
    } else if (!FLOAT_DTYPES.includes(info.dtype)) {
      misshapen.push(`tensor '${name}' is ${info.dtype}, where floats are needed (${FLOAT_DTYPES.join(", ")})`);
    }
  }
  for (const name of checkpoint.tensors.keys()) {
    if (!expected.has(name))
      superfluous.push(
        `tensor '${printable(name)}' is superfluous: the ${architecture} network of its config has none`,
      );
  }
  const faults = [...misshapen, ...missing, ...superfluous];
  if (faults.length === 0) return;
  const more = faults.length === 1 ? "" : ` (and ${faults.length - 1} more such faults)`;
  const why = contradictions(checkpoint, architecture, config, faults.length);
  const others = why.length > 1 ? ` (and ${why.length - 1} more)` : "";
  const because = why.length === 0 ? "" : `; config and tensors contradict each other: ${why[0]}${others}`;
  throw new NcvsdError("BAD_CHECKPOINT", `'${checkpoint.name}': ${faults[0]}${more}${because}`);
}

/** The arguments with which config and tensors disagree, each with both values. */
function contradictions(
  checkpoint: Pick<Checkpoint, "tensors">,
  architecture: Architecture,
  config: NetworkConfig,
  faults: number,
): string[] {
  const found: FoundArguments = inferArguments(checkpoint.tensors, architecture);
  const out: string[] = [];
  const compare = (what: string, says: unknown, are: unknown): void => {
    if (are !== undefined && String(says) !== String(are))
      out.push(`${what} is ${says} in the config, ${are} in the tensors`);
  };
  const plan = blockPlan(config);
  const mults = config.channel_mult.map((mult) => config.model_channels * mult);
  compare("img_resolution", config.img_resolution, found.img_resolution);
  compare("img_channels", config.img_channels, found.img_channels);
  compare("label_dim", config.label_dim, found.label_dim);
  compare("num_blocks", config.num_blocks, found.num_blocks);
  compare("model_channels x channel_mult", mults, found.levelChannels);
  compare("model_channels x channel_mult_noise", plan.noiseChannels, found.noiseChannels);
  compare("model_channels x channel_mult_emb", plan.embChannels, found.embChannels);
  compare("logvar_channels", config.logvar_channels, found.logvar_channels);
  // Attention is two tensors a block: a single fault is a damaged file, not another argument.
  if (out.length === 0 && faults > 1) {
    const attention = new Set(
      [...plan.encoder, ...plan.decoder]
        .filter((b) => b.heads > 0 && !b.name.endsWith("_in0"))
        .map((b) => b.resolution),
    );
    const list = (resolutions: Iterable<number>) =>
      `at ${[...resolutions].sort((a, b) => b - a).join(", ") || "no resolution"}`;
    const asked = `attn_resolutions [${config.attn_resolutions.join(", ")}] with channels_per_head ${config.channels_per_head}`;
    compare(`attention (${asked})`, list(attention), found.attn_resolutions && list(found.attn_resolutions));
  }
  return out;
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((extent, axis) => extent === b[axis]);
}

/** A tensor name of the file's own choosing, on one line and not too long. */
function printable(name: string): string {
  return JSON.stringify(name.slice(0, 120)).slice(1, -1);
}
