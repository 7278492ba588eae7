import { mib } from "../../gpu/device.js";
import { type Graph, type Tensor, tensorBytes } from "../../graph/graph.js";
import { planMemory } from "../../graph/plan.js";
import type { LoadedVae } from "./structure.js";

/**
 * Why a graph whose result is read back does not fit the adapter now, in words. It is to be asked just before the program is made:
 * it counts what is allocated at that moment.
 * @param options.shared external tensors whose buffers exist already
 * @param options.freed bytes that will have been freed
 */
export function misfit(
  { gpu, weights }: Pick<LoadedVae, "gpu" | "weights">,
  graph: Graph,
  result: Tensor,
  options: { readonly shared?: readonly Tensor[]; readonly freed?: number } = {},
): string | undefined {
  const { device, precision, memoryLimit = Number.POSITIVE_INFINITY, allocatedBytes } = gpu;
  const { maxStorageBufferBindingSize, maxBufferSize, minUniformBufferOffsetAlignment } = device.limits;
  const { shared = [], freed = 0 } = options;
  const bytesOf = (tensor: Tensor) => tensorBytes(tensor, precision);
  const total = (tensors: readonly Tensor[]) => tensors.reduce((sum, tensor) => sum + bytesOf(tensor), 0);
  const large = graph.tensors.find((tensor) => bytesOf(tensor) > Math.min(maxStorageBufferBindingSize, maxBufferSize));
  if (large) return `the tensor ${large.name} needs ${mib(bytesOf(large))} in one binding`;
  const plan = planMemory(graph, precision, maxBufferSize);
  const missing = graph.tensors.filter((t) => t.kind === "constant" && !weights.buffers.has(t.name));
  const parameters = graph.nodes.length * minUniformBufferOffsetAlignment;
  const own = plan.activationBytes + plan.externalBytes - total(shared);
  const needs = own + total(missing) + parameters + bytesOf(result);
  // A tenth more for rounding.
  return 1.1 * needs > memoryLimit - allocatedBytes + freed ? `${mib(needs)} of memory` : undefined;
}
