/**
 * Kinds of GPUs, for planning without one: what a plan would be there, told by counting. Figures are those that such a GPU's driver
 * reports, or fewer; nothing here was measured on one.
 */
import { NcvsdError, orAll } from "../errors.js";
import type { Caps, DeviceRates, Precision } from "./contract.js";

export interface GpuProfile {
  readonly name: string;
  /** The GPU that it is like. */
  readonly like: string;
  readonly subgroups: readonly [min: number, max: number];
  /** What cost models count with: the maker's figures for f32 and for memory, and a guess at what a dispatch costs. */
  readonly rates: DeviceRates;
  readonly software: boolean;
  readonly half: boolean;
  readonly maxWorkgroupSize: number;
  /** The most bytes of one binding. */
  readonly bindingBytes: number;
}

const GPU_PROFILES: readonly GpuProfile[] = [
  {
    name: "gpu",
    like: "a data-centre GPU as NVIDIA's H100",
    subgroups: [32, 32],
    rates: { multiprocessors: 132, flops: 67e12, bandwidth: 3.35e12, dispatch: 2e-6 },
    software: false,
    half: true,
    maxWorkgroupSize: 1024,
    bindingBytes: 2 ** 31 - 4,
  },
  {
    name: "apple",
    like: "an Apple M3 Max",
    subgroups: [32, 32],
    rates: { multiprocessors: 40, flops: 14e12, bandwidth: 0.4e12, dispatch: 5e-6 },
    software: false,
    half: true,
    maxWorkgroupSize: 1024,
    bindingBytes: 2 ** 31 - 4,
  },
  {
    name: "intel",
    like: "an integrated Intel GPU of 8 Xe cores",
    // The driver picks a size for each pipeline.
    subgroups: [8, 32],
    rates: { multiprocessors: 8, flops: 4e12, bandwidth: 0.1e12, dispatch: 5e-6 },
    software: false,
    half: true,
    maxWorkgroupSize: 1024,
    bindingBytes: 2 ** 30,
  },
  {
    name: "mobile",
    like: "a phone's GPU (Mali, Adreno) with WebGPU's default limits",
    subgroups: [0, 0],
    rates: { multiprocessors: 6, flops: 1e12, bandwidth: 0.05e12, dispatch: 1e-5 },
    software: false,
    half: true,
    maxWorkgroupSize: 256,
    bindingBytes: 2 ** 27,
  },
];

/** The names, for help and messages. */
export const PROFILE_NAMES = GPU_PROFILES.map(({ name }) => name);

/** @throws NcvsdError BAD_ARGUMENT for a name that is none, with those that are */
export function gpuProfile(name: string): GpuProfile {
  const found = GPU_PROFILES.find((profile) => profile.name === name);
  if (found) return found;
  throw new NcvsdError("BAD_ARGUMENT", `there is no profile "${name.slice(0, 60)}": ${orAll(name, PROFILE_NAMES)}`);
}

/** What kernels are told of such a GPU. */
export function profileCaps({ subgroups, software, maxWorkgroupSize, rates }: GpuProfile, precision: Precision): Caps {
  const [subgroupMinSize, subgroupMaxSize] = subgroups;
  return {
    precision,
    subgroups: subgroupMaxSize > 0,
    subgroupMinSize,
    subgroupMaxSize,
    software,
    maxWorkgroupSize,
    maxWorkgroupsPerDimension: 65535,
    rates,
  };
}
