import { vjps } from "../../kernels/vjps.js";
import type { Gpu } from "../gpu/device.js";
import { gradient } from "../graph/gradient.js";
import type { Graph, Tensor } from "../graph/graph.js";
import { Program, type Region } from "../graph/program.js";
import type { Trained } from "../layers/trained.js";
import type { Bank, BankLayout } from "./bank.js";

/** The part of a bank that holds one tensor. */
export function regionOf({ buffer, layout }: Bank, name: string): Region {
  const { offset, length } = layout.entry(name);
  return { buffer, offset: 4 * offset, size: 16 * Math.ceil(length / 4) };
}

/** Externals of a network's stored tensors: the parts of the bank of its parameters. */
export function storedRegions(trained: Trained, parameters: Bank): Map<string, Region> {
  return new Map([...trained.stored.keys()].map((name) => [name, regionOf(parameters, name)]));
}

const gradientName = (name: string) => `gradient of ${name}`;

/**
 * Appends the gradients of all of a network's parameters, as external tensors; a parameter that the loss does not depend on has none.
 * @param seeds gradients of the loss, by tensor
 */
export function parameterGradients(
  graph: Graph,
  { stored, rules }: Trained,
  layout: BankLayout,
  seeds: ReadonlyMap<Tensor, Tensor>,
): Map<string, Tensor> {
  const wrt = [...stored].flatMap(([name, tensor]) => (layout.entry(name).kind === "buffer" ? [] : [tensor]));
  const found = gradient(graph, seeds, wrt, { vjps, rules });
  return new Map([...found].map(([tensor, its]) => [tensor.name, graph.publish(its, gradientName(tensor.name))]));
}

/** A graph that leaves the gradients of some parameters in the parts of a bank; the bank's other values stay as they are. */
export function roundProgram(
  gpu: Gpu,
  label: string,
  graph: Graph,
  gradients: Iterable<string>,
  round: Bank,
  externals: ReadonlyMap<string, GPUBuffer | Region>,
): Promise<Program> {
  const targets = [...gradients].map((name) => [gradientName(name), regionOf(round, name)] as const);
  return Program.create(gpu, { label, graph, externals: new Map([...externals, ...targets]) });
}
