import { NcvsdError } from "../errors.js";
import type { Precision } from "../gpu/contract.js";
import { type Gpu, mib, openGpu } from "../gpu/device.js";
import { type Graph, type Tensor, tensorBytes } from "../graph/graph.js";
import type { MemoryPlan } from "../graph/plan.js";

/** What an adapter can hold. */
export interface AdapterLimits {
  readonly adapter: string;
  readonly software: boolean;
  /** It has `shader-f16`. */
  readonly half: boolean;
  /** Bytes of one tensor: of one binding, and of the buffer behind it. */
  readonly tensorBytes: number;
  /** Bytes of one buffer: no arena of a plan is larger. */
  readonly bufferBytes: number;
  /** Bytes in all, where the adapter says so. */
  readonly memoryBytes: number | null;
}

/** Limits of the adapter that would be used; the reason in words when there is none. */
export async function adapterLimits(adapter: string | undefined): Promise<AdapterLimits | string> {
  let gpu: Gpu;
  try {
    gpu = await openGpu(adapter === undefined ? {} : { adapter });
  } catch (error) {
    // One that was asked for by name has to be there.
    if (error instanceof NcvsdError && error.code === "NO_ADAPTER" && adapter === undefined) return error.message;
    throw error;
  }
  const { limits } = gpu.device;
  const found = {
    adapter: gpu.info.name,
    software: gpu.info.software,
    half: gpu.features.includes("shader-f16"),
    tensorBytes: Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize),
    bufferBytes: limits.maxBufferSize,
    memoryBytes: gpu.memoryLimit ?? null,
  };
  gpu.close();
  return found;
}

export interface LargestTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly bytes: number;
}

export function largestTensor(graph: Graph, precision: Precision): LargestTensor {
  const size = (tensor: Tensor) => tensorBytes(tensor, precision);
  const { name, shape, ...largest } = graph.tensors.reduce((a, b) => (size(b) > size(a) ? b : a));
  return { name, shape, bytes: size({ name, shape, ...largest }) };
}

export interface Fit {
  readonly fits: boolean;
  /** Every reason why not; empty when it fits. */
  readonly reasons: readonly string[];
}

/** Whether one evaluation by this plan can run within the limits. */
export function fitOf(graph: Graph, plan: MemoryPlan, limits: AdapterLimits): Fit {
  const { precision } = plan;
  const reasons: string[] = [];
  const large = graph.tensors.filter((tensor) => tensorBytes(tensor, precision) > limits.tensorBytes);
  if (large.length > 0) {
    const { name, bytes } = largestTensor(graph, precision);
    const which = large.length === 1 ? "a tensor is" : `${large.length} tensors are`;
    reasons.push(`${which} over the ${mib(limits.tensorBytes)} of one binding, the largest ${name} with ${mib(bytes)}`);
  }
  const peak = plan.constantBytes + plan.activationBytes + plan.externalBytes;
  if (limits.memoryBytes !== null && peak > limits.memoryBytes) {
    reasons.push(`it needs ${mib(peak)} of memory, and ${mib(limits.memoryBytes)} are free`);
  }
  return { fits: reasons.length === 0, reasons };
}
