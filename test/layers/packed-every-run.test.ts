import { beforeAll, describe, expect, it } from "vitest";
import { vjps } from "../../kernels/vjps.js";
import type { Gpu } from "../../src/gpu/device.js";
import { gpuProfile } from "../../src/gpu/profiles.js";
import { gradient } from "../../src/graph/gradient.js";
import { Graph, type Target, type Tensor } from "../../src/graph/graph.js";
import { interpret } from "../../src/graph/interpret.js";
import { Program } from "../../src/graph/program.js";
import { normalSource, relativeError } from "../../src/graph/run-kernel.js";
import { type ConvShape, convAlgorithm } from "../../src/layers/conv-algorithm.js";
import { BINDING_BYTES } from "../../src/layers/convolution.js";
import { folded } from "../../src/layers/folded.js";
import type { Layers } from "../../src/layers/layers.js";
import { packedTile, packedWinogradPays } from "../../src/layers/packed-choices.js";
import { trained } from "../../src/layers/trained.js";
import { withTestGpu } from "../support/gpu.js";

const square = (channels: number, side: number): ConvShape => {
  return { inChannels: channels, outChannels: channels, height: side, width: side, kernel: 3 };
};
const [inChannels, outChannels, side] = [12, 16, 8];
const layer = { inChannels, outChannels, height: side, width: side, kernel: 3 as const, weight: "w" };

function build(layers: Layers, batch: number, target: Target = {}) {
  const graph = new Graph(target);
  const x = graph.external("x", [batch, inChannels, side, side], "act");
  const context = { graph, batch, layers, wants: () => false, tap() {} };
  return { graph, x, conv: (name: string) => layers.conv(context, name, layer, x) };
}

const tileOf = (shape: ConvShape, batch: number) => packedTile(shape, batch, BINDING_BYTES);

const tiles = (graph: Graph, kernel: string) =>
  graph.nodes.filter((node) => node.kernel.name === kernel).map(({ params }) => (params as { tile: number }).tile);

/** Whether a tensor has a value for every pixel of every image. */
const ofImages = (name: string) => name === "x" || name === "g";

/** A layer and the gradients of its input and weight. */
function whole(batch: number) {
  const { layers, rules, weights } = trained();
  const { graph, x, conv } = build(layers, batch);
  const y = conv("y");
  const g = graph.external("g", y.shape, "act");
  const { scale } = weights.get("w")!;
  const found = gradient(graph, new Map([[y, g]]), [x, scale], { vjps, rules });
  // The effective weight's.
  const results = { y, dx: found.get(x)!, dw: found.get(scale)! };
  for (const tensor of Object.values(results)) graph.kept.add(tensor);
  return { graph, results };
}

describe("filters transformed in every run, on a software adapter", () => {
  let gpu: Gpu;
  withTestGpu((own) => (gpu = own));
  const values = new Map<string, Float32Array>();
  beforeAll(() => {
    const image = (length: number, seed: number) => Float32Array.from({ length }, normalSource(seed));
    values.set("w", image(outChannels * inChannels * 9, 1));
    values.set("scale of w", image(outChannels, 4));
    values.set("x", image(8 * inChannels * side ** 2, 2));
    values.set("g", image(8 * outChannels * side ** 2, 3));
  });

  it("are those of small tiles where there are few of them, those of large tiles where there are many", () => {
    expect([1, 2, 4].map((batch) => tileOf(square(192, 8), batch))).toEqual([2, 2, 2]);
    expect([8, 16].map((batch) => tileOf(square(192, 8), batch))).toEqual([4, 4]);
    expect([1, 2].map((batch) => tileOf(square(128, 16), batch))).toEqual([2, 4]);
    expect([1, 16].map((batch) => tileOf(square(256, 4), batch))).toEqual([2, 2]);
    expect(tileOf(square(64, 64), 1)).toBe(4);
    // The layer, the gradient of its input.
    expect(tiles(whole(1).graph, "winograd-weight")).toEqual([2, 2]);
    expect(tiles(whole(8).graph, "winograd-weight")).toEqual([4, 4]);
  });

  it("leave layers whose filters are packed at load as they were", () => {
    const { graph, conv } = build(folded, 1);
    conv("y");
    expect(tiles(graph, "winograd-input")).toEqual([4]);
  });

  for (const batch of [1, 8])
    it(`give the layer and its gradients at batch ${batch}`, async () => {
      const { graph, results } = whole(batch);
      const given = new Map(
        [...values].map(([name, all]) => [name, ofImages(name) ? all.subarray(0, (all.length / 8) * batch) : all]),
      );
      const expected = interpret(graph, given);
      const program = await Program.create(gpu, { label: "layer", graph });
      for (const tensor of graph.tensors)
        if (tensor.kind === "external" && given.has(tensor.name))
          gpu.write(program.buffer(tensor), given.get(tensor.name)!);
      await program.run();
      for (const [name, tensor] of Object.entries(results))
        expect(relativeError(await program.readTensor(tensor), expected.get(tensor)!), name).toBeLessThan(2e-6);
      program.destroy();
    });

  it("make no difference in float64 between tiles", () => {
    const first = (batch: number): Record<string, ArrayLike<number>> => {
      const { graph, results } = whole(batch);
      // Images behind the first are zero, and so is what they add to the weight's gradient.
      const given = new Map(
        [...values].map(([name, all]) => {
          const length = ofImages(name) ? (all.length / 8) * batch : all.length;
          return [name, all.map((v, i) => (!ofImages(name) || i < all.length / 8 ? v : 0)).subarray(0, length)];
        }),
      );
      const made = interpret(graph, given);
      const some = ({ length }: Tensor, name: string) => (name === "dw" ? length : length / batch);
      return Object.fromEntries(
        Object.entries(results).map(([name, tensor]) => [
          name,
          Array.from(made.get(tensor)!).slice(0, some(tensor, name)),
        ]),
      );
    };
    const [small, large] = [first(1), first(8)];
    for (const name of ["y", "dx", "dw"]) expect(relativeError(small[name]!, large[name]!), name).toBeLessThan(1e-12);
  });
});

it("a GPU weighs the packing and the batch of that run", () => {
  const { rates } = gpuProfile("gpu");
  const [few, many] = [square(576, 8), square(192, 8)];
  const packedFor = (shape: ConvShape, batch: number) =>
    convAlgorithm(shape, undefined, rates, (layer, rates) =>
      packedWinogradPays(layer, batch, { rates, bindingBytes: BINDING_BYTES }),
    );
  expect([convAlgorithm(few, undefined, rates), packedFor(few, 1)]).toEqual(["winograd", "implicit"]);
  expect([convAlgorithm(many, undefined, rates), packedFor(many, 16)]).toEqual(["implicit", "winograd"]);
});

describe("what a binding holds", () => {
  /** 1,792 to 768 channels at 16x16, of EDM2's M: F(4x4) is 198 MB of filters, F(2x2) 88, filters as they are 50. */
  const large = { inChannels: 1792, outChannels: 768, height: 16, width: 16, kernel: 3 as const, weight: "w" };
  const planned = (target: Target, batch: number) => {
    const graph = new Graph(target);
    const { layers, rules } = trained();
    const x = graph.external("x", [batch, large.inChannels, large.height, large.width], "act");
    const y = layers.conv({ graph, batch, layers, wants: () => false, tap() {} }, "y", large, x);
    const g = graph.external("g", y.shape, "act");
    gradient(graph, new Map([[y, g]]), [x], { vjps, rules });
    return graph;
  };
  const kernels = (graph: Graph) => graph.nodes.map((node) => node.kernel.name);

  it.each([1, 32])("decides where filters are too large for it, at batch %i", (batch) => {
    const software = planned({}, batch);
    expect(tiles(software, "winograd-weight")).toEqual([2, 2]);
    const { rates } = gpuProfile("mobile");
    const small = kernels(planned({ rates, bindingBytes: 2 ** 27 }, batch));
    expect(small.filter((name) => name !== "pack-weight")).toEqual(["implicit-gemm", "implicit-gemm"]);
    expect(kernels(planned({ rates, bindingBytes: 2 ** 28 }, batch)).includes("winograd-weight")).toBe(batch === 32);
  });

  it("makes parts of images, of which all use filters packed once", () => {
    const { graph, conv } = build(trained().layers, 32, { bindingBytes: 100_000 });
    conv("y");
    const count = (kernel: string) => kernels(graph).filter((name) => name === kernel).length;
    expect(count("winograd-input")).toBeGreaterThan(1);
    expect(count("winograd-weight")).toBe(1);
  });
});

it("a layer that is used twice has one scale a row, and its gradients meet before the normalisation", () => {
  const { layers, rules, weights } = trained();
  const { graph, conv } = build(layers, 1);
  const [a, b] = [conv("a"), conv("b")];
  const seeds = new Map([a, b].map((y) => [y, graph.external(`g ${y.name}`, y.shape, "act")]));
  expect(graph.tensors.filter(({ name }) => name === "scale of w").length).toBe(1);
  gradient(graph, seeds, [weights.get("w")!.scale], { vjps, rules });
  const count = (kernel: string) => graph.nodes.filter((node) => node.kernel.name === kernel).length;
  expect(count("axpby")).toBe(1);
});
