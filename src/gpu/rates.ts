import type { DeviceRates } from "./contract.js";
import { gpuProfile } from "./profiles.js";
import type { Tuning } from "./tuning.js";

/** Among a tuner's choices: the peaks that it measured. */
export const RATES_KEY = "rates";

export function writtenRates({ flops, bandwidth }: Pick<DeviceRates, "flops" | "bandwidth">): string {
  return `${(flops / 1e9).toPrecision(4)} GFLOP/s, ${(bandwidth / 1e9).toPrecision(4)} GB/s`;
}

/**
 * What cost models count with on an adapter: the profile of its kind (src/gpu/profiles.ts), with the peaks that `bench --tune`
 * measured in place of the profile's. Undefined on a software adapter.
 */
export function ratesOn(
  info: { readonly vendor: string; readonly software: boolean },
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
  const { rates } = gpuProfile(kind);
  const [, flops, bandwidth] =
    /^([\d.e+]+) GFLOP\/s, ([\d.e+]+) GB\/s$/.exec(tuning?.choices.get(RATES_KEY) ?? "") ?? [];
  if (!(Number(flops) > 0 && Number(bandwidth) > 0)) return rates;
  return { ...rates, flops: 1e9 * Number(flops), bandwidth: 1e9 * Number(bandwidth) };
}
