/**
 * The published networks by name, so that their cost can be told before anybody downloads gigabytes.
 *
 * EDM2: Karras et al. 2024, "Analyzing and Improving the Training Dynamics of Diffusion Models", table 2 (config G): ImageNet in
 * 64x64 pixels, or in 64x64x4 latents of 512x512 pixels. NCVSD: the same sizes with a second encoder, and FFHQ in 256x256 pixels.
 */
import { NcvsdError } from "../../errors.js";
import type { Architecture, NcvsdConfig, NetworkConfig } from "./arguments.js";
import { DEFAULTS } from "./config.js";
import { type BlockPlan, blockPlan, expectedTensors, PARTS } from "./names.js";

export type Preset =
  | { readonly name: string; readonly architecture: "edm2"; readonly config: NetworkConfig }
  | { readonly name: string; readonly architecture: "ncvsd"; readonly config: NcvsdConfig };

/** `model_channels` of each size. */
const SIZES = { xs: 128, s: 192, m: 256, l: 320, xl: 384, xxl: 448 } as const;

const DATASETS = {
  img64: { img_resolution: 64, img_channels: 3, label_dim: 1000 },
  /** Latents of Stability's VAE. */
  img512: { img_resolution: 64, img_channels: 4, label_dim: 1000 },
  ffhq256: { img_resolution: 256, img_channels: 3, label_dim: 0 },
} as const;

function presetOf(architecture: Architecture, dataset: keyof typeof DATASETS, size: keyof typeof SIZES): Preset {
  const name = `${architecture}-${dataset}-${size}`;
  const { gamma, init_sigma, ...defaults } = DEFAULTS;
  const config = { ...DATASETS[dataset], model_channels: SIZES[size], ...defaults };
  return architecture === "edm2"
    ? { name, architecture, config }
    : { name, architecture, config: { ...config, gamma, init_sigma } };
}

/** Every preset, in the order of its name's parts: architecture, data set, size. */
export const networkPresets: readonly Preset[] = (["edm2", "ncvsd"] as const).flatMap((architecture) => [
  ...(["img64", "img512"] as const).flatMap((dataset) =>
    (Object.keys(SIZES) as (keyof typeof SIZES)[]).map((size) => presetOf(architecture, dataset, size)),
  ),
  presetOf(architecture, "ffhq256", "xs"),
]);

/** The network of the benchmarks and of the comparison with other engines: unconditional, never published. */
export const SMALL_UNET: NetworkConfig = (() => {
  const { gamma, init_sigma, ...defaults } = DEFAULTS;
  const size = { model_channels: 64, channel_mult: [1, 2, 3, 4], num_blocks: 2 };
  return { ...defaults, img_resolution: 32, img_channels: 3, label_dim: 0, ...size };
})();

/** The names in short, for help and messages. */
export const PRESET_NAMES = `edm2- or ncvsd-, then img64- or img512- with ${Object.keys(SIZES).join(", ")}, or ffhq256-xs`;

/** @throws NcvsdError BAD_ARGUMENT for a name that is none, with those that are */
export function networkPreset(name: string): Preset {
  if (name === "small-unet") return { name, architecture: "edm2", config: SMALL_UNET };
  const found = networkPresets.find((preset) => preset.name === name);
  if (found) return found;
  throw new NcvsdError("BAD_ARGUMENT", `there is no preset "${name.slice(0, 60)}": there are ${PRESET_NAMES}`);
}

/** Elements of all tensors of a network. */
export function parameterCount(architecture: Architecture, config: NetworkConfig): number {
  let sum = 0;
  for (const shape of expectedTensors(architecture, config).values()) sum += shape.reduce((a, b) => a * b, 1);
  return sum;
}

/**
 * Multiply-adds of one evaluation of one image, as the papers count them: convolutions as direct sums, linear layers and the
 * two products of attention; nothing element by element. What the kernels really do is the plan's `flops`.
 */
export function multiplyAdds(architecture: Architecture, config: NetworkConfig): number {
  const plan = blockPlan(config);
  const { noiseChannels, embChannels } = plan;
  const embedding = embChannels * (noiseChannels + config.label_dim);
  const encoder = embedding + blocksOf(plan.encoder, embChannels);
  const last = plan.decoder.at(-1)!;
  const output = 9 * config.img_channels * last.outChannels * last.resolution ** 2;
  // The teacher's encoder and decoder share one embedding.
  const decoder = (architecture === "ncvsd" ? embedding : 0) + blocksOf(plan.decoder, embChannels) + output;
  return PARTS[architecture].encoders.length * encoder + decoder;
}

function blocksOf(blocks: BlockPlan["encoder"] | BlockPlan["decoder"], embChannels: number): number {
  let sum = 0;
  for (const { kind, resolution, inChannels, outChannels, heads, convSkip } of blocks) {
    const pixels = resolution ** 2;
    if (kind === "conv") {
      sum += 9 * inChannels * outChannels * pixels;
      continue;
    }
    const first = kind === "enc" ? outChannels : inChannels;
    sum += 9 * outChannels * (first + outChannels) * pixels + outChannels * embChannels;
    if (convSkip) sum += inChannels * outChannels * pixels;
    // qkv and proj, then logits and weighted sum.
    if (heads > 0) sum += 4 * outChannels ** 2 * pixels + 2 * outChannels * pixels ** 2;
  }
  return sum;
}
