/**
 * Kinds of GPUs, for planning without one: what a plan would be there, told by counting. Figures are those that such a GPU's driver
 * reports, or fewer; nothing here was measured on one.
 */
import { NcvsdError } from "../errors.js";
import type { Caps, Precision } from "./contract.js";

export interface GpuProfile {
  readonly name: string;
  /** The GPU that it is like. */
  readonly like: string;
  readonly subgroups: readonly [min: number, max: number];
  /**
   * Units that run workgroups of their own: streaming multiprocessors, cores, Xe cores. A dispatch of fewer workgroups leaves some
   * of them idle.
   */
  readonly multiprocessors: number;
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
    multiprocessors: 132,
    software: false,
    half: true,
    maxWorkgroupSize: 1024,
    bindingBytes: 2 ** 31 - 4,
  },
  {
    name: "apple",
    like: "an Apple M3 Max",
    subgroups: [32, 32],
    multiprocessors: 40,
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
    multiprocessors: 8,
    software: false,
    half: true,
    maxWorkgroupSize: 1024,
    bindingBytes: 2 ** 30,
  },
  {
    name: "mobile",
    like: "a phone's GPU (Mali, Adreno) with WebGPU's default limits",
    subgroups: [0, 0],
    multiprocessors: 6,
    software: false,
    half: true,
    maxWorkgroupSize: 256,
    bindingBytes: 2 ** 27,
  },
];

/** The names, for help and messages. */
export const PROFILE_NAMES = GPU_PROFILES.map(({ name }) => name).join(", ");

/** @throws NcvsdError BAD_ARGUMENT for a name that is none, with those that are */
export function gpuProfile(name: string): GpuProfile {
  const found = GPU_PROFILES.find((profile) => profile.name === name);
  if (found) return found;
  throw new NcvsdError("BAD_ARGUMENT", `there is no profile "${name.slice(0, 60)}": there are ${PROFILE_NAMES}`);
}

/** What kernels are told of such a GPU. */
export function profileCaps({ subgroups, software, maxWorkgroupSize }: GpuProfile, precision: Precision): Caps {
  const [subgroupMinSize, subgroupMaxSize] = subgroups;
  return {
    precision,
    subgroups: subgroupMaxSize > 0,
    subgroupMinSize,
    subgroupMaxSize,
    software,
    maxWorkgroupSize,
    maxWorkgroupsPerDimension: 65535,
  };
}
