import { expect, it } from "vitest";
import type { Gpu } from "../../src/gpu/device.js";
import { Graph, type Tensor } from "../../src/graph/graph.js";
import { Program } from "../../src/graph/program.js";
import { normalSource } from "../../src/graph/run-kernel.js";
import { WeightStore } from "../../src/layers/weights.js";
import { type Conv2dLayer, convolution } from "../../src/networks/features/layers.js";
import { productConvolutions, winogradConvolution } from "../../src/networks/features/products.js";
import { relativeError } from "../support/fixtures.js";
import { withTestGpu } from "../support/gpu.js";

const [BATCH, CHANNELS, HEIGHT, WIDTH] = [3, 19, 13, 11];

let gpu: Gpu;
withTestGpu((opened) => {
  gpu = opened;
});

/** Results of a graph on random images and weights, read back. */
async function run(
  build: (graph: Graph, x: Tensor) => Tensor[],
  depths: Readonly<Record<string, number>>,
  batch = BATCH,
) {
  const random = normalSource(3);
  const lengths = { w: 24, v: 9 };
  const tensors = new Map<string, Float32Array<ArrayBuffer>>();
  for (const name of ["w", "v"] as const) {
    tensors.set(
      `${name}.weight`,
      Float32Array.from({ length: lengths[name] * depths[name]! }, () => random() / Math.sqrt(depths[name]!)),
    );
    tensors.set(`${name}.bias`, Float32Array.from({ length: lengths[name] }, random));
  }
  const graph = new Graph();
  const x = graph.external("x", [batch, CHANNELS, HEIGHT, WIDTH]);
  const results = build(graph, x);
  for (const y of results) graph.kept.add(y);
  const store = new WeightStore(gpu, { readF32: async (name) => tensors.get(name)! });
  await store.load(graph);
  const program = await Program.create(gpu, { label: "layers", graph, constants: store.buffers });
  gpu.write(program.buffer(x), Float32Array.from({ length: x.length }, random));
  await program.run();
  const out = [];
  for (const y of results) out.push(await program.readTensor(y));
  program.destroy();
  store.destroy();
  return out;
}

const layer = (name: "w" | "v", window: Omit<Conv2dLayer, "name" | "outChannels">): Conv2dLayer => ({
  name,
  outChannels: name === "w" ? 24 : 9,
  activation: "relu",
  ...window,
});

it.each<[string, Omit<Conv2dLayer, "name" | "outChannels">, number, number]>([
  ["1x7", { kernel: [1, 7], padding: [0, 3] }, HEIGHT, WIDTH],
  ["3x3 of stride 2", { kernel: 3, stride: 2 }, 6, 5],
])("a convolution %s is the product over its patches", async (_, window, height, width) => {
  const of = 27;
  const size = CHANNELS * (window.kernel === 3 ? 9 : 7);
  const [whole, alone, sum] = await run(
    (graph, x) => {
      const [w, v] = [layer("w", { ...window, into: { first: 2, of } }), layer("v", window)];
      const [y, z] = productConvolutions(
        graph,
        [
          { layer: w, to: [BATCH, of, height, width] },
          { layer: v, to: [BATCH, 9, height, width] },
        ],
        x,
      );
      return [y!, z!, convolution(graph, layer("w", window), x), convolution(graph, layer("v", window), x)];
    },
    { w: size, v: size },
  ).then(([y, z, direct, other]) => [y!, z!, { direct: direct!, other: other! }] as const);
  const pixels = height * width;
  for (let n = 0; n < BATCH; n++) {
    const part = whole.subarray((n * of + 2) * pixels, (n * of + 26) * pixels);
    expect(relativeError(part, sum.direct.subarray(n * 24 * pixels, (n + 1) * 24 * pixels))).toBeLessThan(1e-6);
  }
  expect(relativeError(alone, sum.other)).toBeLessThan(1e-6);
});

it("more patches than fit at once are taken in pieces, which no bit of an image depends on", async () => {
  const window = { kernel: [13, 11], padding: [6, 5] } as const;
  const depths = { w: 13 * 11 * CHANNELS, v: 1 };
  const both = (batch: number) => (graph: Graph, x: Tensor) => {
    const y = productConvolutions(graph, [{ layer: layer("w", window), to: [batch, 24, HEIGHT, WIDTH] }], x)[0]!;
    expect(graph.nodes.filter(({ name }) => name.includes("product"))).toHaveLength(batch > 1 ? 2 : 1);
    return [y, convolution(graph, layer("w", window), x)];
  };
  const [y, direct] = await run(both(BATCH), depths);
  const [alone] = await run(both(1), depths, 1);
  expect(relativeError(y!, direct!)).toBeLessThan(2e-6);
  expect(y!.subarray(0, alone!.length)).toEqual(alone);
});

it.each([0, 1])("a 3x3 convolution padded by %s pixels is Winograd's", async (padding) => {
  const [y, direct] = await run(
    (graph, x) => {
      const one = layer("w", { kernel: 3, padding });
      const to = [BATCH, 24, HEIGHT - 2 + 2 * padding, WIDTH - 2 + 2 * padding];
      return [winogradConvolution(graph, { layer: one, to }, x), convolution(graph, one, x)];
    },
    { w: 9 * CHANNELS, v: 1 },
  );
  expect(relativeError(y!, direct!)).toBeLessThan(3e-6);
});
