import type { Caps, Precision } from "../gpu/contract.js";
import { guardedLoops } from "../gpu/guarded-loops.js";
import { type GpuProfile, profileCaps } from "../gpu/profiles.js";
import { composeSource } from "../gpu/reflect.js";
import { type Graph, type Node, nodeCaps, nodeCost } from "../graph/graph.js";

/** A plan on a kind of GPU, by counting. */
export interface PlanProfile {
  readonly name: string;
  /** Nodes that compute something: each is a dispatch. */
  readonly nodes: number;
  /** Multiply-adds that the kernels of matrix products make, over those that were asked for. */
  readonly padding: number;
  /** Nodes with fewer workgroups than the GPU has multiprocessors. */
  readonly underfilled: number;
  /** Loops that Tint guards, over all different texts. */
  readonly guardedLoops: number;
}

export interface NodeProfile {
  readonly workgroups: number;
  readonly invocations: number;
  readonly padding: number | null;
}

export interface KernelProfile {
  readonly kernel: string;
  readonly nodes: number;
  readonly underfilled: number;
  /** Of the middle one of its nodes. */
  readonly workgroups: number;
  readonly padding: number | null;
  readonly bytes: number;
  readonly flops: number;
  readonly guardedLoops: number;
}

/** What the graph would be on such a GPU: totals, by node, and by kernel (most bytes first). */
export async function profilePlan(graph: Graph, profile: GpuProfile, precision: Precision) {
  const caps = profileCaps(profile, precision);
  const texts = new Map<string, { kernel: string; guarded: number; size: number }>();
  const nodes: Awaited<ReturnType<typeof nodeProfile>>[] = [];
  for (const node of graph.nodes) nodes.push(await nodeProfile(node, caps, texts));
  const { multiprocessors } = profile.rates;
  const ratio = (part: readonly (typeof nodes)[number][]) => {
    const of = (which: "asked" | "made") => part.reduce((sum, { products }) => sum + (products?.[which] ?? 0), 0);
    return of("asked") > 0 ? of("made") / of("asked") : null;
  };
  const loops = (kernel?: string) =>
    [...texts.values()].reduce((n, t) => n + (kernel === undefined || t.kernel === kernel ? t.guarded : 0), 0);
  const few = (part: readonly (typeof nodes)[number][]) => part.filter((n) => n.workgroups < multiprocessors).length;
  const total: PlanProfile = {
    name: profile.name,
    nodes: nodes.length,
    padding: ratio(nodes) ?? 1,
    underfilled: few(nodes),
    guardedLoops: loops(),
  };
  const names = [...new Set(nodes.map(({ kernel }) => kernel))];
  const kernels = names.map((kernel): KernelProfile => {
    const own = nodes.filter((n) => n.kernel === kernel);
    const groups = own.map((n) => n.workgroups).sort((a, b) => a - b);
    const sum = (which: "bytes" | "flops") => own.reduce((all, n) => all + n[which], 0);
    return {
      kernel,
      nodes: own.length,
      underfilled: few(own),
      workgroups: groups[groups.length >> 1]!,
      padding: ratio(own),
      bytes: sum("bytes"),
      flops: sum("flops"),
      guardedLoops: loops(kernel),
    };
  });
  return {
    total,
    nodes: nodes.map(({ workgroups, invocations, products }): NodeProfile => {
      return { workgroups, invocations, padding: products ? products.made / products.asked : null };
    }),
    kernels: kernels.sort((a, b) => b.bytes - a.bytes),
  };
}

async function nodeProfile(
  node: Node,
  adapter: Caps,
  texts: Map<string, { kernel: string; guarded: number; size: number }>,
) {
  const { kernel, params, copies } = node;
  const caps = nodeCaps(node, adapter);
  const own = params as never;
  const variant = kernel.variant(own, caps);
  const key = `${kernel.name}|${variant.key}`;
  let text = texts.get(key);
  if (!text) {
    const { text: source } = await composeSource(kernel, variant, caps.precision);
    text = { kernel: kernel.name, guarded: guardedLoops(source).length, size: workgroupSize(source) };
    texts.set(key, text);
  }
  const workgroups = kernel.grid(own, variant, caps).reduce((a, b) => a * b, copies);
  const products = kernel.products?.(own, caps);
  return {
    kernel: kernel.name,
    workgroups,
    invocations: workgroups * text.size,
    products: products && { asked: copies * products.asked, made: copies * products.made },
    ...nodeCost(node, caps.precision),
  };
}

/** Invocations of a workgroup: literals, or constants of the text that are. */
function workgroupSize(source: string): number {
  const written = /@workgroup_size\(([^)]*)\)/.exec(source)?.[1] ?? "1";
  const value = (word: string) => {
    const constant = new RegExp(`const ${word}\\s*(?::\\s*u32)?\\s*=\\s*(\\d+)`).exec(source)?.[1];
    return Number.parseInt(constant ?? word, 10);
  };
  return written.split(",").reduce((size, word) => (word.trim() ? size * value(word.trim()) : size), 1);
}
