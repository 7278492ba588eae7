import { bad, quote } from "../errors.js";
import type { ConfigInput } from "./source.js";

/** Settings of any training; numbers of images unless said otherwise. */
export interface RunPreset {
  readonly duration: number;
  readonly batch: number;
  /** Reference learning rate (of a distillation: the score model's), batches after which it decays, and the ramp-up. */
  readonly refLr: number;
  readonly refBatches: number;
  readonly rampup: number;
  /** Of the logarithm of the noise level. */
  readonly pMean: number;
  readonly pStd: number;
  readonly lossScaling: number;
  readonly status: number;
  readonly snapshot: number;
  readonly checkpoint: number;
}

/** Settings of one teacher's training. */
export interface TrainingPreset extends RunPreset {
  /** Arguments of the network; size, channels and classes are the data's. */
  readonly config: ConfigInput;
}

const [KI, MI] = [2 ** 10, 2 ** 20];

/** Sizes of EDM2 (Karras et al. 2024, table 6, and the reference's presets); duration in Mi images. */
const SIZES = {
  xxs: { channels: 64, refLr: 0.017, dropout: 0, img512: 2048, img64: undefined },
  xs: { channels: 128, refLr: 0.012, dropout: 0, img512: 2048, img64: 1024 },
  s: { channels: 192, refLr: 0.01, dropout: 0, img512: 2048, img64: 1024 },
  m: { channels: 256, refLr: 0.009, dropout: 0.1, img512: 2048, img64: 2048 },
  l: { channels: 320, refLr: 0.008, dropout: 0.1, img512: 1792, img64: 1024 },
  xl: { channels: 384, refLr: 0.007, dropout: 0.1, img512: 1280, img64: 640 },
  xxl: { channels: 448, refLr: 0.0065, dropout: 0.1, img512: 896, img64: undefined },
} as const;

const FAMILIES = {
  img64: { refBatches: 35_000, pMean: -0.8, pStd: 1.6 },
  img512: { refBatches: 70_000, pMean: -0.4, pStd: 1 },
} as const;

function edm2(family: keyof typeof FAMILIES, size: keyof typeof SIZES): [string, TrainingPreset][] {
  const { channels, refLr, dropout, [family]: duration } = SIZES[size];
  if (duration === undefined) return [];
  const settings: TrainingPreset = {
    config: { model_channels: channels, dropout },
    ...{ duration: duration * MI, batch: 2048, refLr, rampup: 1e7, lossScaling: 1, ...FAMILIES[family] },
    ...{ status: 128 * KI, snapshot: 8 * MI, checkpoint: 128 * MI },
  };
  return [[`edm2-${family}-${size}`, settings]];
}

/**
 * By name. `edm2-...` are those of the papers; the FFHQ teacher of NCVSD is the one whose ramp-up and loss scaling differ.
 * `fashion32` has the shape of the bundled networks, and rates for batches of some tens of images on one device.
 */
export const trainingPresets: ReadonlyMap<string, TrainingPreset> = new Map([
  [
    "fashion32",
    {
      config: {
        model_channels: 32,
        channel_mult: [1, 1, 2],
        num_blocks: 1,
        attn_resolutions: [8],
        channels_per_head: 32,
      },
      ...{ duration: MI, batch: 32, refLr: 0.01, refBatches: 2500, rampup: 6400, pMean: -0.5, pStd: 1.5 },
      ...{ lossScaling: 1, status: KI, snapshot: 64 * KI, checkpoint: 16 * KI },
    },
  ],
  ...(Object.keys(SIZES) as (keyof typeof SIZES)[]).flatMap((size) => edm2("img64", size)),
  ...(Object.keys(SIZES) as (keyof typeof SIZES)[]).flatMap((size) => edm2("img512", size)),
  [
    "edm2-ffhq256-xs",
    {
      config: { model_channels: 128 },
      ...{ duration: 32 * MI, batch: 128, refLr: 0.012, rampup: 1e6, lossScaling: 0.1, ...FAMILIES.img64 },
      ...{ status: 128 * KI, snapshot: 8 * MI, checkpoint: 32 * MI },
    },
  ],
]);

/** @throws BAD_ARGUMENT for a name that is none, with those that are */
export function presetOf<P>(presets: ReadonlyMap<string, P>, name: string): P {
  const found = presets.get(name);
  if (!found) throw bad(`--preset ${quote(name)} is none: there are ${[...presets.keys()].join(", ")}`);
  return found;
}

export const trainingPreset = (name: string): TrainingPreset => presetOf(trainingPresets, name);
