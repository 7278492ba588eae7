import type { Precision } from "../gpu/contract.js";
import { elementBytes, type Graph, type Tensor, tensorBytes } from "./graph.js";

/** First and last node index at which a tensor must exist. */
export interface Lifetime {
  readonly tensor: Tensor;
  readonly first: number;
  readonly last: number;
  readonly bytes: number;
}

export interface MemoryPlan {
  readonly precision: Precision;
  readonly lifetimes: readonly Lifetime[];
  /** Bytes of every slot; each slot is a buffer of its own, since one dispatch may not bind a buffer as read and written. */
  readonly slots: readonly number[];
  /** Slot of each activation, by tensor id. */
  readonly slotOf: ReadonlyMap<number, number>;
  /** Sum of the slots. */
  readonly activationBytes: number;
  /** The most bytes that are live at one node: no plan can do with less. */
  readonly lowerBound: number;
  readonly constantBytes: number;
  readonly externalBytes: number;
  readonly flops: number;
  /** Bytes moved by all nodes, each operand once. */
  readonly traffic: number;
}

/** Lifetimes of the activations; an activation that nothing reads lives at its own node only. */
export function lifetimes(graph: Graph, precision: Precision): Lifetime[] {
  const spans = new Map<number, { tensor: Tensor; first: number; last: number }>();
  graph.nodes.forEach((node, index) => {
    for (const tensor of [...Object.values(node.writes), ...Object.values(node.reads)]) {
      if (tensor.kind !== "activation") continue;
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

/** Plans activations onto slots: the better of two greedy orders (largest first; in order of birth). */
export function planMemory(graph: Graph, precision: Precision): MemoryPlan {
  const spans = lifetimes(graph, precision);
  const bySize = assign([...spans].sort((a, b) => b.bytes - a.bytes || a.first - b.first));
  const byBirth = assign([...spans].sort((a, b) => a.first - b.first || b.bytes - a.bytes));
  const best = sum(bySize.slots) <= sum(byBirth.slots) ? bySize : byBirth;
  const live = graph.nodes.map((_, i) => sum(spans.filter((s) => s.first <= i && i <= s.last).map((s) => s.bytes)));
  const bytesOf = (kind: Tensor["kind"]) =>
    sum(graph.tensors.filter((t) => t.kind === kind).map((t) => tensorBytes(t, precision)));
  const costs = graph.nodes.map((n) => n.kernel.cost(n.params as never, elementBytes("act", precision)));
  return {
    precision,
    lifetimes: spans,
    slots: best.slots,
    slotOf: best.slotOf,
    activationBytes: sum(best.slots),
    lowerBound: Math.max(0, ...live),
    constantBytes: bytesOf("constant"),
    externalBytes: bytesOf("external"),
    flops: sum(costs.map((c) => c.flops)),
    traffic: sum(costs.map((c) => c.bytes)),
  };
}

/** Gives each tensor the free slot that wastes least, growing it where that is cheaper than a new one. */
function assign(order: readonly Lifetime[]): { slots: number[]; slotOf: Map<number, number> } {
  const slots: { bytes: number; users: Lifetime[] }[] = [];
  const slotOf = new Map<number, number>();
  for (const span of order) {
    let best = -1;
    let bestCost = span.bytes + 1;
    slots.forEach((slot, index) => {
      if (slot.users.some((u) => u.first <= span.last && span.first <= u.last)) return;
      // Growth costs memory; room left over costs only what a later tensor could have used, so weigh it lightly.
      const cost = Math.max(0, span.bytes - slot.bytes) + Math.max(0, slot.bytes - span.bytes) / 1024;
      if (cost < bestCost) {
        best = index;
        bestCost = cost;
      }
    });
    if (best < 0) {
      best = slots.length;
      slots.push({ bytes: 0, users: [] });
    }
    const slot = slots[best]!;
    slot.bytes = Math.max(slot.bytes, span.bytes);
    slot.users.push(span);
    slotOf.set(span.tensor.id, best);
  }
  return { slots: slots.map((s) => s.bytes), slotOf };
}

/**
 * Checks a plan independently of how it was made: every activation has a slot that is large enough, no two live
 * tensors share one, and nothing is read before it was written.
 * @throws Error naming the tensors; a plan that fails is a mistake in the planner or the graph.
 */
export function verifyPlan(graph: Graph, plan: MemoryPlan): void {
  const holder = new Map<number, number>();
  const lastUse = new Map<number, number>();
  graph.nodes.forEach((node, i) => {
    for (const t of [...Object.values(node.reads), ...Object.values(node.writes)]) lastUse.set(t.id, i);
  });
  for (const t of graph.kept) lastUse.set(t.id, graph.nodes.length);
  const slotFor = (tensor: Tensor) => {
    const slot = plan.slotOf.get(tensor.id);
    if (slot === undefined) throw new Error(`plan: ${tensor.name} has no slot`);
    if (plan.slots[slot]! < tensorBytes(tensor, plan.precision))
      throw new Error(`plan: slot of ${tensor.name} is too small`);
    return slot;
  };
  graph.nodes.forEach((node, index) => {
    for (const tensor of Object.values(node.reads)) {
      if (tensor.kind !== "activation") continue;
      if (holder.get(slotFor(tensor)) !== tensor.id)
        throw new Error(`plan: ${node.name} reads ${tensor.name}, which is not there`);
    }
    for (const tensor of Object.values(node.writes)) {
      if (tensor.kind !== "activation") continue;
      const slot = slotFor(tensor);
      const before = holder.get(slot);
      if (before !== undefined && before !== tensor.id && lastUse.get(before)! >= index) {
        throw new Error(`plan: ${node.name} writes ${tensor.name} over a live tensor`);
      }
      holder.set(slot, tensor.id);
    }
    const written = Object.values(node.writes);
    for (const read of Object.values(node.reads)) {
      for (const write of written) {
        if (read !== write && sameBuffer(read, write, plan))
          throw new Error(`plan: ${node.name} reads and writes one buffer`);
      }
    }
  });
}

function sameBuffer(a: Tensor, b: Tensor, plan: MemoryPlan): boolean {
  if (a.kind !== "activation" || b.kind !== "activation") return a.id === b.id;
  return plan.slotOf.get(a.id) === plan.slotOf.get(b.id);
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}
