import type { DeviceRates } from "./contract.js";
import { gpuProfile } from "./profiles.js";
import type { Tuning } from "./tuning.js";

/** Among a tuner's choices: the peaks that it measured. */
export const RATES_KEY = "rates";

export function writtenRates({ flops, bandwidth }: Pick<DeviceRates, "flops" | "bandwidth">): string {
  return `${(flops / 1e9).toPrecision(4)} GFLOP/s, ${(bandwidth / 1e9).toPrecision(4)} GB/s`;
}

type Card = readonly [multiprocessors: number, tflops: number, gigabytes: number];

/**
 * Multiprocessors (AMD: compute units), f32 TFLOP/s and GB/s that the makers state, by a part of the device's name, which Dawn tells in
 * small letters with hyphens ("nvidia-h100-80gb-hbm3"). The first that fits counts, so "RTX 4070 Ti" stands in front of "RTX 4070".
 */
const CARDS: readonly (readonly [name: RegExp, card: Card])[] = [
  [/\bB200\b/i, [148, 75, 8000]],
  [/\bH200\b|\bGH200\b/i, [132, 67, 4800]],
  [/\bH100 PCIe\b/i, [114, 51, 2000]],
  [/\bH100\b/i, [132, 67, 3350]],
  [/\bA100\b/i, [108, 19.5, 1555]],
  [/\bA10G?\b/i, [72, 31, 600]],
  [/\bL40S?\b/i, [142, 91, 864]],
  [/\bL4\b/i, [58, 30, 300]],
  [/\bV100\b/i, [80, 15.7, 900]],
  [/\bT4\b/i, [40, 8.1, 320]],
  [/\bRTX (PRO )?6000 (Ada|Blackwell)/i, [142, 91, 960]],
  [/\bRTX 5090\b/i, [170, 105, 1790]],
  [/\bRTX 5080\b/i, [84, 56, 960]],
  [/\bRTX 50[67]0/i, [48, 31, 600]],
  [/\bRTX 4090\b/i, [128, 83, 1008]],
  [/\bRTX 4080\b/i, [76, 49, 717]],
  [/\bRTX 4070 Ti\b/i, [60, 40, 504]],
  [/\bRTX 4070\b/i, [46, 29, 504]],
  [/\bRTX 4060\b/i, [24, 15, 272]],
  [/\bRTX 3090\b/i, [82, 36, 936]],
  [/\bRTX 3080\b/i, [68, 30, 760]],
  [/\bRTX 3070\b/i, [46, 20, 448]],
  [/\bRTX 30[56]0\b/i, [28, 12.7, 360]],
  [/\bMI3\d\d/i, [304, 163, 5300]],
  [/\bMI2\d\d/i, [104, 22.6, 1600]],
  [/\bRX 79\d\d/i, [96, 61, 960]],
  [/\bRX 7[678]\d\d/i, [60, 37, 624]],
  [/\bRX 69\d\d/i, [80, 23, 512]],
  [/\bRX 6[678]\d\d/i, [40, 13, 384]],
  [/\b[678]\d0M\b|\bRadeon Graphics\b/i, [12, 8, 100]],
  [/\bApple M\d Ultra\b/i, [64, 25, 800]],
  [/\bApple M\d Max\b/i, [40, 14, 400]],
  [/\bApple M\d Pro\b/i, [18, 6.5, 200]],
  [/\bApple M\d\b/i, [10, 3.6, 100]],
  [/\bArc.* [AB]\d{3}\b/i, [28, 17, 500]],
];

/** The same where only the architecture is told, as in browsers: of a card from the middle of it. */
const ARCHITECTURES: readonly (readonly [architecture: RegExp, card: Card])[] = [
  [/^turing$/, [36, 7.5, 448]],
  [/^ampere$/, [46, 20, 448]],
  [/^lovelace$|^ada/, [46, 29, 504]],
  [/^rdna-[12]$/, [40, 13, 384]],
  [/^rdna/, [60, 37, 624]],
];

/** A profile's rates, with what is known of the card. */
function stated(rates: DeviceRates, { name = "", architecture = "" }: Partial<AdapterSays>): DeviceRates {
  const found =
    CARDS.find(([of]) => of.test(name.replace(/[^a-z0-9]+/gi, " "))) ??
    ARCHITECTURES.find(([of]) => of.test(architecture.toLowerCase()));
  if (!found) return rates;
  const [multiprocessors, tflops, gigabytes] = found[1];
  return { ...rates, multiprocessors, flops: 1e12 * tflops, bandwidth: 1e9 * gigabytes };
}

interface AdapterSays {
  readonly vendor: string;
  readonly name: string;
  readonly architecture: string;
  readonly software: boolean;
}

/**
 * What cost models count with on an adapter: the makers' figures for a card of this name, else of this architecture, else the profile
 * of the vendor (src/gpu/profiles.ts); with the peaks that `bench --tune` measured in place of theirs. Undefined on a software adapter.
 */
export function ratesOn(
  info: Pick<AdapterSays, "vendor" | "software"> & Partial<AdapterSays>,
  tuning: Tuning | undefined,
): DeviceRates | undefined {
  if (info.software) return undefined;
  const vendor = info.vendor.toLowerCase();
  const kind = /nvidia|amd/.test(vendor)
    ? "gpu"
    : /apple/.test(vendor)
      ? "apple"
      : /intel/.test(vendor)
        ? "intel"
        : "mobile";
  const rates = stated(gpuProfile(kind).rates, info);
  const [, flops, bandwidth] =
    /^([\d.e+]+) GFLOP\/s, ([\d.e+]+) GB\/s$/.exec(tuning?.choices.get(RATES_KEY) ?? "") ?? [];
  if (!(Number(flops) > 0 && Number(bandwidth) > 0)) return rates;
  return { ...rates, flops: 1e9 * Number(flops), bandwidth: 1e9 * Number(bandwidth) };
}
