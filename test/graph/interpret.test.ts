import { describe, expect, it } from "vitest";
import { normals } from "../../kernels/lib/philox.js";
import { mpSilu } from "../../kernels/network/mp-silu/kernel.js";
import { ema } from "../../kernels/sampling/ema/kernel.js";
import { type Checkpoint, openCheckpoint } from "../../src/checkpoint/index.js";
import type { Gpu } from "../../src/gpu/device.js";
import { Graph } from "../../src/graph/graph.js";
import { interpret } from "../../src/graph/interpret.js";
import { relativeError } from "../../src/graph/run-kernel.js";
import { parseConfig } from "../../src/networks/edm2/config.js";
import { loadModel } from "../../src/networks/edm2/model.js";
import { buildNetwork } from "../../src/networks/edm2/network.js";
import { weightsPath } from "../support/fixtures.js";
import { withTestGpu } from "../support/gpu.js";

/** A graph's constants, from a checkpoint. */
async function constantsOf(graph: Graph, checkpoint: Checkpoint): Promise<Map<string, Float32Array>> {
  const found = new Map<string, Float32Array>();
  for (const [name, recipe] of graph.recipes) {
    const copies: Float32Array[] = [];
    for (const { sources: names } of recipe.copies ?? [recipe]) {
      const sources = [];
      for (const source of names) sources.push(await checkpoint.readF32(source));
      copies.push(recipe.make(sources));
    }
    found.set(name, Float32Array.from(copies.flatMap((values) => [...values])));
  }
  return found;
}

describe("a graph in float64", () => {
  let gpu: Gpu;
  withTestGpu((own) => (gpu = own));

  for (const name of ["ncvsd-fashion32", "edm2-fashion32"]) {
    it(`${name}: the whole bundled network is what the device computes`, async () => {
      const checkpoint = await openCheckpoint(weightsPath(`${name}.safetensors`));
      const { architecture, config } = parseConfig(checkpoint);
      const { graph, denoised } = buildNetwork(architecture, config, 1);
      expect(graph.nodes.length).toBeGreaterThan(90);
      const x = Float32Array.from(normals(1, 0, 1024));
      const condX = Float32Array.from(normals(1, 1, 1024));
      const sigma = 1.4;
      const labels = Float32Array.from({ length: 10 }, (_, i) => (i === 7 ? 1 : 0));
      const constants = await constantsOf(graph, checkpoint);
      const externals = graph.tensors.filter(({ kind }) => kind === "external").map((tensor) => tensor.name);
      const inputs = { x, sigma: [sigma], labels, cond_x: condX, cond_sigma: [1] } as Record<string, ArrayLike<number>>;
      expect([...Object.keys(inputs), denoised.name]).toEqual(expect.arrayContaining(externals));
      const values = interpret(graph, new Map([...constants, ...Object.entries(inputs)]));
      const model = await loadModel(gpu, weightsPath(`${name}.safetensors`));
      const conditions = architecture === "ncvsd" ? { condX, condSigma: 1 } : {};
      const d = await model.denoise({ x, sigma, labels: [7], ...conditions });
      const error = relativeError(d, values.get(denoised)!);
      console.info(`${name}: ${graph.nodes.length} nodes, ${error.toExponential(1)} from the device`);
      expect(error).toBeLessThan(2e-6);
      await model.close();
      await checkpoint.close();
    });
  }
});

describe("interpret", () => {
  it("runs nodes in order, in place where they update, and names an input that is missing", () => {
    const graph = new Graph();
    const x = graph.external("x", [4]);
    const decay = graph.external("decay", [1]);
    const average = graph.external("average", [4]);
    const { y } = graph.run("silu", mpSilu, { elements: 4, type: "f32" }, { x }, { y: [4] });
    graph.run("ema", ema, { elements: 4 }, { x: y, decay, average }, {});
    const given = new Map<string, ArrayLike<number>>([
      ["x", [0, 1, -1, 50]],
      ["decay", [0.5]],
      ["average", [1, 1, 1, 1]],
    ]);
    const silu = (v: number) => v / (1 + Math.exp(-v)) / 0.596;
    const result = interpret(graph, given).get(average)!;
    [0, 1, -1, 50].forEach((v, i) => {
      expect(result[i]).toBeCloseTo(0.5 + 0.5 * silu(v), 12);
    });
    given.delete("x");
    expect(() => interpret(graph, given)).toThrow("node silu reads x (x), which was not given");
  });
});
