import { actType, type Precision } from "../gpu/contract.js";
import { ALIGNMENT, type Graph, type Node, nodeCost, type Tensor, tensorBytes, whole } from "./graph.js";
import { type Block, mostLive, type Placement, packBlocks } from "./pack.js";

/** First and last node index at which a tensor must exist. */
export interface Lifetime {
  readonly tensor: Tensor;
  readonly first: number;
  readonly last: number;
  readonly bytes: number;
}

/** Where an activation lies: which arena, and at which byte. */
export interface Place {
  readonly arena: number;
  readonly offset: number;
}

export interface MemoryPlan {
  readonly precision: Precision;
  readonly lifetimes: readonly Lifetime[];
  /**
   * Bytes of every arena. There are several, since one dispatch may not bind a buffer as read and as written, even in
   * ranges that do not overlap: what a node writes never lies in an arena that it reads.
   */
  readonly arenas: readonly number[];
  /** Place of each activation, by tensor id. */
  readonly places: ReadonlyMap<number, Place>;
  /** Sum of the arenas. */
  readonly activationBytes: number;
  /** The most bytes that are live at one node: no plan can do with less. */
  readonly lowerBound: number;
  readonly constantBytes: number;
  readonly externalBytes: number;
  readonly flops: number;
  /** Bytes moved by all nodes, each operand once. */
  readonly traffic: number;
}

/** The activations among what a node reads or writes; for a part of one, all of it. */
const activations = (tensors: Node["reads"]) =>
  Object.values(tensors)
    .map(whole)
    .filter(({ kind }) => kind === "activation");

/** Lifetimes of the activations; an activation that nothing reads lives at its own node only, a kept one to the end. */
function lifetimes(graph: Graph, precision: Precision): Lifetime[] {
  const spans = new Map<number, { tensor: Tensor; first: number; last: number }>();
  graph.nodes.forEach((node, index) => {
    for (const tensor of [...activations(node.writes), ...activations(node.reads)]) {
      const span = spans.get(tensor.id);
      if (span) span.last = index;
      else spans.set(tensor.id, { tensor, first: index, last: index });
    }
  });
  for (const tensor of graph.kept) {
    const span = spans.get(tensor.id);
    if (span) span.last = graph.nodes.length;
  }
  return [...spans.values()].map((span) => ({ ...span, bytes: tensorBytes(span.tensor, precision) }));
}

/**
 * Plans activations onto arenas by liveness. The same graph gives the same plan.
 * @param maxArena no arena becomes larger than this many bytes (the device's maxBufferSize)
 */
export function planMemory(graph: Graph, precision: Precision, maxArena = Number.POSITIVE_INFINITY): MemoryPlan {
  const spans = lifetimes(graph, precision);
  const rivals = rivalsOf(graph);
  const blocks: Block[] = spans.map(({ tensor, first, last, bytes }) => ({
    id: tensor.id,
    first,
    last,
    bytes: Math.ceil(bytes / ALIGNMENT) * ALIGNMENT,
    rivals: rivals.get(tensor.id) ?? new Set(),
  }));
  const { arenas, places }: Placement = packBlocks(blocks, maxArena);
  return {
    lifetimes: spans,
    arenas,
    places,
    activationBytes: sum(arenas),
    lowerBound: mostLive(spans),
    ...totals(graph, precision),
  };
}

/** The plan in another precision whose activations are of the same type: they stay where they are, weights take other space. */
export function replan(graph: Graph, plan: MemoryPlan, precision: Precision): MemoryPlan {
  if (actType(precision) !== actType(plan.precision)) throw new Error(`replan: ${plan.precision} to ${precision}`);
  return { ...plan, ...totals(graph, precision) };
}

/** What does not depend on where activations lie. */
function totals(graph: Graph, precision: Precision) {
  const bytesOf = (kind: Tensor["kind"]) =>
    sum(graph.tensors.filter((t) => t.kind === kind).map((t) => tensorBytes(t, precision)));
  const costs = graph.nodes.map((node) => nodeCost(node, precision));
  return {
    precision,
    constantBytes: bytesOf("constant"),
    externalBytes: bytesOf("external"),
    flops: sum(costs.map((c) => c.flops)),
    traffic: sum(costs.map((c) => c.bytes)),
  };
}

/** Activations that some node reads while it writes the other: they may not share an arena. */
function rivalsOf(graph: Graph): Map<number, Set<number>> {
  const rivals = new Map<number, Set<number>>();
  const add = (a: Tensor, b: Tensor) => {
    if (!rivals.has(a.id)) rivals.set(a.id, new Set());
    rivals.get(a.id)!.add(b.id);
  };
  for (const node of graph.nodes) {
    for (const read of activations(node.reads)) {
      for (const write of activations(node.writes)) {
        if (read === write) continue;
        add(read, write);
        add(write, read);
      }
    }
  }
  return rivals;
}

/**
 * Checks a plan independently of how it was made, by walking through the nodes: every activation lies inside its arena,
 * is not written over while it is needed, is read only where it was written, and no node reads an arena that it writes.
 * @throws Error naming the tensors; a plan that fails is a mistake in the planner or the graph.
 */
export function verifyPlan(graph: Graph, plan: MemoryPlan): void {
  const lastUse = new Map<number, number>();
  graph.nodes.forEach((node, i) => {
    for (const t of [...activations(node.reads), ...activations(node.writes)]) lastUse.set(t.id, i);
  });
  for (const t of graph.kept) lastUse.set(t.id, graph.nodes.length);
  const placeOf = (tensor: Tensor) => {
    const place = plan.places.get(tensor.id);
    if (place === undefined) throw new Error(`plan: ${tensor.name} has no place`);
    const end = place.offset + tensorBytes(tensor, plan.precision);
    if (place.offset % ALIGNMENT !== 0) throw new Error(`plan: ${tensor.name} is not aligned`);
    if (!(end <= plan.arenas[place.arena]!)) throw new Error(`plan: ${tensor.name} does not fit its arena`);
    return { arena: place.arena, start: place.offset, end };
  };
  let present: { tensor: Tensor; arena: number; start: number; end: number }[] = [];
  graph.nodes.forEach((node, index) => {
    const reads = activations(node.reads);
    const writes = activations(node.writes);
    for (const tensor of reads) {
      if (!present.some((p) => p.tensor === tensor))
        throw new Error(`plan: ${node.name} reads ${tensor.name}, which is not there`);
    }
    for (const tensor of writes) {
      const at = placeOf(tensor);
      const overlapping = present.filter(
        (p) => p.arena === at.arena && p.start < at.end && at.start < p.end && p.tensor !== tensor,
      );
      const live = overlapping.find((p) => lastUse.get(p.tensor.id)! >= index);
      if (live) throw new Error(`plan: ${node.name} writes ${tensor.name} over ${live.tensor.name}, which is live`);
      present = present.filter((p) => !overlapping.includes(p) && p.tensor !== tensor);
      present.push({ tensor, ...at });
      for (const read of reads) {
        if (read !== tensor && plan.places.get(read.id)!.arena === at.arena) {
          throw new Error(`plan: ${node.name} reads and writes arena ${at.arena}`);
        }
      }
    }
  });
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}
