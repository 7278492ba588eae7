import { describe, expect, it } from "vitest";
import { mpSilu } from "../../kernels/network/mp-silu/kernel.js";
import { mpSum } from "../../kernels/network/mp-sum/kernel.js";
import { vjps } from "../../kernels/vjps.js";
import { gradient } from "../../src/graph/gradient.js";
import { Graph, type Tensor } from "../../src/graph/graph.js";
import { interpret } from "../../src/graph/interpret.js";
import { planMemory } from "../../src/graph/plan.js";
import { recompute } from "../../src/graph/recompute.js";

const elements = 64;

/** Two spans: a b c | d e, where the loss reads e, and e reads b, which is inside the first. */
function chain(again: boolean, kept = false) {
  const graph = new Graph();
  const silu = (name: string, x: Tensor) =>
    graph.run(name, mpSilu, { elements, type: "f32" }, { x }, { y: [elements] }).y;
  const sum = (name: string, a: Tensor, b: Tensor) => {
    const params = { elements, type: "f32" as const, t: 0.3, weightIndex: 0, weights: 0, clip: null };
    return graph.run(name, mpSum, params, { a, b }, { out: [elements] }).out;
  };
  const x = graph.external("x", [elements]);
  const a = silu("a", x);
  const b = silu("b", a);
  const c = silu("c", silu("inside", b));
  const d = silu("d", c);
  const e = sum("e", silu("also inside", d), b);
  const forward = graph.nodes.length;
  if (kept) graph.kept.add(a);
  const seed = graph.external("seed", [elements]);
  const dx = gradient(graph, new Map([[e, seed]]), [x], { vjps }).get(x)!;
  graph.publish(dx, "dx");
  const spans = [
    { from: 0, to: 4 },
    { from: 4, to: 7 },
  ];
  if (again) recompute(graph, spans, forward);
  const values = Array.from({ length: elements }, (_, i) => Math.sin(i));
  const given = new Map([
    ["x", values],
    ["seed", values.map((v) => v * v - 0.3)],
  ]);
  const copies = graph.nodes.slice(forward).filter(({ name }) => name.endsWith("(again)"));
  return { graph, dx: interpret(graph, given).get(dx)!, copies: copies.map(({ name }) => name) };
}

describe("recompute", () => {
  it("gives the same gradient with less alive at a time", () => {
    const [once, twice] = [chain(false), chain(true)];
    expect(twice.dx).toEqual(once.dx);
    expect(planMemory(twice.graph, "f32").lowerBound).toBeLessThan(planMemory(once.graph, "f32").lowerBound);
  });
  it("computes again what derivatives read, span by span, and nothing else", () => {
    // b is read by the second span and c begins it: both stay. d is read by a derivative; e and what it adds by none.
    expect(chain(true).copies).toEqual(["d (again)", "a (again)", "inside (again)"]);
  });
  it("keeps what somebody reads after the run", () => {
    expect(chain(true, true).copies).not.toContain("a (again)");
  });
});
