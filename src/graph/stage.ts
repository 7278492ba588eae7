import type { ElementType, Kernel } from "../gpu/contract.js";
import type { Gpu } from "../gpu/device.js";
import { Graph } from "./graph.js";
import { Program, type Region } from "./program.js";

/** Something that records its dispatches into a pass: a program of one kernel, or one evaluation of a network. */
export interface Encodable {
  encode(pass: GPUComputePassEncoder): void;
}

/** One kernel over buffers, or parts of them, that the sampler owns, made ready once and replayed per step. */
export async function stage<P extends object>(
  gpu: Gpu,
  name: string,
  kernel: Kernel<P>,
  params: P,
  buffers: Readonly<Record<string, GPUBuffer | Region>>,
): Promise<Program> {
  const graph = new Graph();
  const tensors = Object.fromEntries(
    kernel
      .buffers(params)
      .filter((use) => use.length > 0)
      .map((use) => [use.name, graph.external(use.name, [use.length], use.type satisfies ElementType)]),
  );
  graph.run(name, kernel, params, tensors, tensors);
  return Program.create(gpu, { label: name, graph, externals: new Map(Object.entries(buffers)) });
}
