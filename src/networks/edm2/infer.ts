/**
 * What tensor names and shapes say about the network arguments. They determine image size and channels, the channels of every
 * level, the number of blocks, the labels, the embedding sizes, and where there is attention. They say nothing about
 * balances, clipping, resampling filter, sigma_data, gamma or init_sigma, and almost never anything about channels_per_head.
 */
import type { Architecture, NetworkConfig } from "./arguments.js";

type Shapes = ReadonlyMap<string, { readonly shape: readonly number[] }>;

/** Deepest U-Net and most blocks per level that are looked for. */
export const MAX_LEVELS = 16;
export const MAX_BLOCKS = 64;

/** Everything that could be read off; what could not is absent. */
export interface FoundArguments {
  readonly img_resolution?: number;
  readonly img_channels?: number;
  readonly label_dim?: number;
  readonly num_blocks?: number;
  readonly attn_resolutions?: readonly number[];
  readonly logvar_channels?: number;
  /** model_channels * channel_mult[level], all that matters of these two. */
  readonly levelChannels?: readonly number[];
  /** Length of the Fourier embedding: model_channels * channel_mult_noise. */
  readonly noiseChannels?: number;
  /** Length of the embedding vector: model_channels * channel_mult_emb. */
  readonly embChannels?: number;
  /** Whether any block has attention. */
  readonly attends?: boolean;
  /** Given only if every possible value means the same heads everywhere. */
  readonly channels_per_head?: number;
}

/** Which network the tensor names belong to; undefined if they are those of neither. */
export function inferArchitecture(tensors: Shapes): Architecture | "ncvsd-discriminator" | undefined {
  const has = new Set<string>();
  for (const name of tensors.keys()) has.add(name.slice(0, name.indexOf(".") + 1));
  if (has.has("unet.")) return "edm2";
  if (has.has("ctrl.") && has.has("enc.")) return has.has("dec.") ? "ncvsd" : "ncvsd-discriminator";
  return undefined;
}

/** Reads the arguments off names and shapes. It does not check that all tensors agree: `validateTensors` does. */
export function inferArguments(tensors: Shapes, architecture: Architecture): FoundArguments {
  const encoder = architecture === "edm2" ? "unet." : "enc.";
  const decoder = architecture === "edm2" ? "unet." : "dec.";
  const extent = (name: string, axis: number): number | undefined => tensors.get(name)?.shape[axis];
  const found: { -readonly [K in keyof FoundArguments]: FoundArguments[K] } = {};
  const set = <K extends keyof FoundArguments>(key: K, value: FoundArguments[K] | undefined): void => {
    if (value !== undefined) found[key] = value;
  };

  set("noiseChannels", extent(`${encoder}emb_fourier.freqs`, 0));
  set("embChannels", extent(`${encoder}emb_noise.weight`, 0));
  set("logvar_channels", extent("logvar_fourier.freqs", 0));
  const label = tensors.get(`${encoder}emb_label.weight`);
  set("label_dim", label === undefined ? 0 : label.shape[1]);

  const stem = new RegExp(`^${encoder.replace(".", "\\.")}enc\\.(\\d{1,6})x\\1_conv\\.weight$`);
  let resolution = 0;
  for (const [name, { shape }] of tensors) {
    const match = stem.exec(name);
    if (match === null) continue;
    resolution = Number(match[1]);
    set("img_resolution", resolution);
    if (shape.length === 4) set("img_channels", shape[1]! - 1);
  }
  if (found.img_resolution === undefined) return found;

  const size = (level: number) => `${resolution / 2 ** level}x${resolution / 2 ** level}`;
  let levels = 1;
  while (levels < MAX_LEVELS && tensors.has(`${encoder}enc.${size(levels)}_down.conv_res0.weight`)) levels++;
  let blocks = 0;
  while (blocks < MAX_BLOCKS && tensors.has(`${encoder}enc.${size(0)}_block${blocks}.conv_res0.weight`)) blocks++;
  set("num_blocks", blocks);

  const widths: number[] = [];
  const attention: number[] = [];
  for (let level = 0; level < levels; level++) {
    const block = `${decoder}dec.${size(level)}_block0`;
    const width = extent(`${block}.conv_res1.weight`, 0);
    if (width === undefined) return found;
    widths.push(width);
    if (tensors.has(`${block}.attn_qkv.weight`)) attention.push(level);
  }
  set("levelChannels", widths);
  set(
    "attn_resolutions",
    attention.map((level) => resolution / 2 ** level),
  );

  const innermost = `${decoder}dec.${size(levels - 1)}_in0`;
  const inner = extent(`${innermost}.conv_res1.weight`, 0);
  if (inner === undefined) return found;
  const innerAttends = tensors.has(`${innermost}.attn_qkv.weight`);
  const attending = new Set(attention.map((level) => widths[level]!));
  if (innerAttends) attending.add(inner);
  set("attends", attending.size > 0);
  set("channels_per_head", headWidth([...attending], innerAttends ? 0 : inner));
  return found;
}

/**
 * channels_per_head, if all values that fit mean the same: more than `above` (the channels of a block that asked for attention
 * and has none), at most the channels of every block with attention, and heads that divide the channels.
 */
function headWidth(attending: readonly number[], above: number): number | undefined {
  // No attention anywhere: any value that is large enough; the reference's default if it is.
  if (attending.length === 0) return Math.max(64, above + 1);
  const most = Math.min(...attending);
  // Headless blocks wider than half of what attends leave one head for all; otherwise several values remain.
  if (most <= above || Math.max(...attending) >= 2 * (above + 1)) return undefined;
  return most;
}

/**
 * Turns channel products into arguments, keeping those in `given`. Only the products are determined, and only they matter:
 * without `given`, model_channels is their greatest common divisor.
 */
export function channelArguments(found: FoundArguments, given: Partial<NetworkConfig>): Partial<NetworkConfig> {
  const { levelChannels, noiseChannels, embChannels } = found;
  if (levelChannels === undefined || noiseChannels === undefined || embChannels === undefined) return {};
  const noise = noiseChannels === levelChannels[0] ? null : noiseChannels;
  const emb = embChannels === Math.max(...levelChannels) ? null : embChannels;
  const products = [...levelChannels, ...(noise === null ? [] : [noise]), ...(emb === null ? [] : [emb])];
  const divisor =
    given.model_channels ??
    (given.channel_mult === undefined ? products.reduce(gcd) : levelChannels[0]! / given.channel_mult[0]!);
  if (!Number.isSafeInteger(divisor) || products.some((product) => product % divisor !== 0)) return {};
  return {
    model_channels: divisor,
    channel_mult: levelChannels.map((channels) => channels / divisor),
    channel_mult_noise: noise === null ? null : noise / divisor,
    channel_mult_emb: emb === null ? null : emb / divisor,
  };
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
