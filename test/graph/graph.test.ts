import { describe, expect, it } from "vitest";
import { mpSilu } from "../../kernels/network/mp-silu/kernel.js";
import { mpSum } from "../../kernels/network/mp-sum/kernel.js";
import { openCheckpoint } from "../../src/checkpoint/index.js";
import type { Gpu } from "../../src/gpu/device.js";
import { Graph, type Tensor } from "../../src/graph/graph.js";
import { type MemoryPlan, planMemory, verifyPlan } from "../../src/graph/plan.js";
import { profile } from "../../src/graph/profile.js";
import { Program } from "../../src/graph/program.js";
import { parseConfig } from "../../src/networks/edm2/config.js";
import { buildNetwork } from "../../src/networks/edm2/network.js";
import { fixturePath, weightsPath } from "../support/fixtures.js";
import { withTestGpu } from "../support/gpu.js";

const silu = (graph: Graph, name: string, x: Tensor, elements: number) =>
  graph.run(name, mpSilu, { elements, type: "act" }, { x }, { y: [elements] }).y;

/** x -> a -> b -> c, and a + c: a has to survive b and c. */
function diamond(elements = 100) {
  const graph = new Graph();
  const x = graph.external("x", [elements], "act");
  const a = silu(graph, "a", x, elements);
  const b = silu(graph, "b", a, elements);
  const c = silu(graph, "c", b, elements);
  const out = graph.external("out", [elements], "act");
  const params = { elements, type: "act" as const, t: 0.5, weightIndex: 0, weights: 0, clip: null };
  graph.run("sum", mpSum, params, { a, b: c }, { out });
  return { graph, x, a, b, c, out };
}

describe("graph", () => {
  it("refuses a tensor of another length, naming node, kernel and buffer", () => {
    const graph = new Graph();
    const x = graph.external("x", [99], "act");
    expect(() => silu(graph, "n", x, 100)).toThrow("node n (kernel mp-silu): x needs 100 elements, but x [99] has 99.");
  });

  it("refuses a tensor of another type", () => {
    const graph = new Graph();
    const x = graph.external("x", [100], "f32");
    expect(() => silu(graph, "n", x, 100)).toThrow("x has type act, but x has f32");
  });

  it("refuses a missing input", () => {
    const graph = new Graph();
    const params = { elements: 4, type: "act" as const };
    expect(() => graph.run("n", mpSilu, params, {}, { y: [4] })).toThrow("node n (kernel mp-silu): x is not connected");
  });

  it("refuses parameters that the kernel's contract forbids", () => {
    const graph = new Graph();
    const x = graph.external("x", [4], "act");
    expect(() => silu(graph, "n", x, 0)).toThrow("elements must be a positive integer");
  });
});

describe("memory plan", () => {
  const networks: [string, string][] = [
    ["the bundled network", weightsPath("ncvsd-fashion32.safetensors")],
    ["its teacher", weightsPath("edm2-fashion32.safetensors")],
    ["ncvsd-tiny", fixturePath("ncvsd-tiny.safetensors")],
    ["edm2-tiny", fixturePath("edm2-tiny.safetensors")],
  ];
  for (const [name, path] of networks) {
    it(`${name}: within 1.15 of the liveness bound, verified, at several batches`, async () => {
      const checkpoint = await openCheckpoint(path);
      const { architecture, config } = parseConfig(checkpoint);
      for (const batch of [1, 3, 16]) {
        const { graph } = buildNetwork(architecture, config, batch);
        const plan = planMemory(graph, "f32");
        verifyPlan(graph, plan);
        expect(plan.activationBytes / plan.lowerBound).toBeLessThanOrEqual(1.15);
        expect(plan.activationBytes).toBeGreaterThanOrEqual(plan.lowerBound);
      }
      await checkpoint.close();
    });
  }

  it("halves with f16 storage", async () => {
    const { graph } = diamond(4096);
    expect(planMemory(graph, "f16").activationBytes).toBe(planMemory(graph, "f32").activationBytes / 2);
  });

  it("has arenas no larger than the device allows", () => {
    const { graph } = diamond(256);
    const plan = planMemory(graph, "f32", 1024);
    verifyPlan(graph, plan);
    expect(Math.max(...plan.arenas)).toBe(1024);
  });
});

describe("the verifier finds", () => {
  const { graph, a, b, c } = diamond();
  const good = planMemory(graph, "f32");
  const moved = (tensor: Tensor, to: { arena: number; offset: number }): MemoryPlan => ({
    ...good,
    places: new Map([...good.places, [tensor.id, to]]),
  });
  const cases: [string, MemoryPlan, RegExp][] = [
    [
      "a tensor without a place",
      { ...good, places: new Map([...good.places].filter(([id]) => id !== b.id)) },
      /b has no place/,
    ],
    ["an arena that is too small", { ...good, arenas: good.arenas.map(() => 16) }, /does not fit its arena/],
    ["a place that is not aligned", moved(b, { arena: good.places.get(b.id)!.arena, offset: 4 }), /not aligned/],
    ["a live tensor written over", moved(c, good.places.get(a.id)!), /c writes c over a, which is live/],
    ["a node that reads and writes one arena", moved(b, { arena: good.places.get(a.id)!.arena, offset: 512 }), /./],
  ];
  it("nothing in the plan as made", () => verifyPlan(graph, good));
  for (const [name, plan, message] of cases) it(name, () => expect(() => verifyPlan(graph, plan)).toThrow(message));

  it("an overlap by a few bytes only", () => {
    const wide = { ...good, arenas: good.arenas.map(() => 4096) };
    const overlap = {
      ...wide,
      places: new Map([...good.places, [a.id, { arena: 9, offset: 0 }], [c.id, { arena: 9, offset: 256 }]]),
    };
    const arenas = [...wide.arenas];
    arenas[9] = 4096;
    expect(() => verifyPlan(graph, { ...overlap, arenas })).toThrow(/over a, which is live/);
  });
});

describe("program", () => {
  let gpu: Gpu;
  withTestGpu((own) => (gpu = own));

  it("runs the graph, repeatedly, without allocating", async () => {
    const { graph, x, out } = diamond();
    const program = await Program.create(gpu, { label: "diamond", graph });
    const values = Float32Array.from({ length: 100 }, (_, i) => i / 50 - 1);
    const f = (v: number) => v / (1 + Math.exp(-v)) / 0.596;
    gpu.write(program.buffer(x), values);
    await program.run();
    const before = gpu.allocations;
    for (let i = 0; i < 3; i++) await program.run();
    expect(gpu.allocations).toBe(before);
    const result = await program.readTensor(out);
    result.forEach((v, i) => {
      const once = f(values[i]!);
      expect(v).toBeCloseTo((once + f(f(once))) * Math.SQRT1_2, 5);
    });
    program.destroy();
  });

  it("returns its memory", async () => {
    const before = gpu.allocatedBytes;
    const { graph } = diamond();
    (await Program.create(gpu, { label: "diamond", graph })).destroy();
    expect(gpu.allocatedBytes).toBe(before);
  });

  it("refuses a tensor that no binding can hold, by its name, before it allocates", async () => {
    const graph = new Graph();
    const limit = Math.min(gpu.device.limits.maxStorageBufferBindingSize, gpu.device.limits.maxBufferSize);
    const elements = limit / 4 + 4;
    const x = graph.external("a huge one", [elements], "act");
    silu(graph, "n", x, elements);
    const before = gpu.allocatedBytes;
    const failure = Program.create(gpu, { label: "too large", graph });
    await expect(failure).rejects.toMatchObject({
      code: "OUT_OF_MEMORY",
      message: expect.stringContaining("a huge one"),
    });
    expect(gpu.allocatedBytes).toBe(before);
  });

  it("tells the time of every node", async () => {
    const { graph } = diamond();
    const program = await Program.create(gpu, { label: "diamond", graph });
    const times = await profile(program);
    expect(times.map((t) => t.node)).toEqual(["a", "b", "c", "sum"]);
    for (const time of times) expect(time.ms).toBeGreaterThanOrEqual(0);
    expect(times.some((t) => t.ms > 0)).toBe(true);
    program.destroy();
  });
});
