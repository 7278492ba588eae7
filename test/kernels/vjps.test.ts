import { describe, expect, it } from "vitest";
import { kernels } from "../../kernels/index.js";
import { NOT_DIFFERENTIABLE, vjps } from "../../kernels/vjps.js";
import { type AnyKernel, elementBytes } from "../../src/gpu/contract.js";
import { gradient } from "../../src/graph/gradient.js";
import { Graph, type Tensor } from "../../src/graph/graph.js";
import { normalSource } from "../../src/graph/run-kernel.js";
import type { ConvLayer, Layers } from "../../src/layers/layers.js";
import { trained } from "../../src/layers/trained.js";
import { differences } from "../support/differences.js";

/** Inputs that no gradient ever reaches. */
const CONSTANTS = new Set(["sigma", "z", "keys"]);
const LARGEST = 2500;

const fileOf = (kernel: AnyKernel) => kernel.source.at(-1)!.file;

describe("every kernel", () => {
  it("has a derivative, is one, or is said to have none", () => {
    for (const kernel of kernels) {
      const said = Object.keys(NOT_DIFFERENTIABLE).filter((path) => fileOf(kernel).startsWith(path));
      // Passes that are written out have backward kernels of their own, and no derivative uses them.
      const backward = kernel.name.includes("-backward") && said.length === 0;
      expect([vjps.has(kernel), backward, said.length > 0].filter(Boolean), kernel.name).toHaveLength(1);
    }
  });
  it("that is said to have none is there", () => {
    for (const path of Object.keys(NOT_DIFFERENTIABLE))
      expect(
        kernels.some((kernel) => fileOf(kernel).startsWith(path)),
        path,
      ).toBe(true);
  });
});

describe("derivatives against differences in float64", () => {
  for (const [kernel] of vjps) {
    for (const test of kernel.cases) {
      const uses = kernel.buffers(test.params).filter(({ length }) => length > 0);
      const size = uses.reduce((sum, { length, type }) => sum + length * (elementBytes(type, "f32") / 4), 0);
      const random = normalSource(3);
      const given = new Map<string, Float64Array>();
      for (const { name, length, access } of uses)
        if (access === "read")
          given.set(name, Float64Array.from(test.inputs?.(name, length, random) ?? Array.from({ length }, random)));
      const values = [...given.values()];
      if (size > LARGEST || values.some((input) => input.some((v) => !(Math.abs(v) < 1e4)))) continue;
      it(`${kernel.name}: ${test.name}`, () => {
        const graph = new Graph();
        const externals = Object.fromEntries(
          uses.flatMap(({ name, length, type, access }) =>
            access === "read" ? [[name, graph.external(name, [length], type)]] : [],
          ),
        );
        const shapes = Object.fromEntries(
          uses.flatMap(({ name, length, access }) => (access === "read" ? [] : [[name, [length]]])),
        );
        const written: Record<string, Tensor> = graph.run("node", kernel, test.params as never, externals, shapes);
        const names = new Map<Tensor, string>();
        const seeds = new Map<Tensor, Tensor>();
        for (const [name, tensor] of Object.entries(written)) {
          names.set(tensor, `seed ${name}`);
          seeds.set(tensor, graph.external(`seed ${name}`, tensor.shape, tensor.type));
          given.set(`seed ${name}`, Float64Array.from({ length: tensor.length }, random));
        }
        const wrt = Object.values(externals).filter(({ name }) => !CONSTANTS.has(name));
        // Half a size has no adjoint among the kernels.
        const { mode, height, width } = test.params as { mode?: string; height: number; width: number };
        if (mode === "down" && (height % 2 || width % 2)) {
          expect(() => gradient(graph, seeds, wrt, { vjps })).toThrow("an odd size, has no derivative");
          return;
        }
        const { clip, t } = test.params as { clip?: number | null; t?: number | null };
        if (t === null && clip !== null) {
          expect(() => gradient(graph, seeds, wrt, { vjps })).toThrow("a learned weight with a clip has no derivative");
          return;
        }
        const { raw, silu } = test.params as { raw?: boolean; silu?: boolean };
        if (raw === false && silu) {
          expect(() => gradient(graph, seeds, wrt, { vjps })).toThrow("y is not connected");
          return;
        }
        const gradients = gradient(graph, seeds, wrt, { vjps });
        expect([...gradients.keys()]).toEqual(wrt);
        // A norm has a kink at 0, and is as good as straight only within much less than its 1e-4.
        const tiny = test.name.includes("tiny");
        const errors = differences(graph, given, names, gradients, tiny ? { h: 1e-10 } : {});
        for (const [input, error] of errors) expect(error, input).toBeLessThan(tiny ? 1e-5 : 1e-6);
      });
    }
  }
});

describe("rules of layers against differences in float64", () => {
  const layer = (kernel: 1 | 3, inChannels: number, outChannels: number, height: number, width: number, gain = true) =>
    ({
      inChannels,
      outChannels,
      height,
      width,
      kernel,
      weight: "w",
      ...(gain && { gain: "gain" }),
    }) satisfies ConvLayer;
  const layers: Record<string, ConvLayer> = {
    "winograd F2": layer(3, 5, 3, 4, 4),
    "winograd F4": layer(3, 3, 5, 8, 8),
    "direct 3x3": layer(3, 3, 4, 1, 1),
    "direct 1x1": layer(1, 6, 5, 3, 5, false),
    gemm: layer(1, 5, 9, 4, 3),
  };
  const check = (
    make: (build: Parameters<Layers["conv"]>[0], x: Tensor) => Tensor,
    shape: number[],
    kernel?: string,
  ) => {
    const graph = new Graph();
    const { layers: made, rules, weights } = trained();
    const build = { graph, batch: 2, layers: made, wants: () => false, tap() {} };
    const x = graph.external("x", [2, ...shape], shape.length > 1 ? "act" : "f32");
    const y = make(build, x);
    if (kernel) expect(graph.nodes.map((node) => node.kernel.name)).toContain(kernel);
    // Scales stand for effective weights, which with scales of 1 are the stored ones: those are moved.
    const scales = new Map(Array.from(weights.values(), ({ w, scale }) => [scale, w]));
    const stored = new Set(scales.values());
    const wrt = graph.tensors.filter((tensor) => tensor.kind === "external" && !stored.has(tensor));
    const seed = graph.external("seed", y.shape, y.type);
    const random = normalSource(4);
    const given = new Map(
      [...wrt, ...stored, seed].map((tensor) => [
        tensor.name,
        Float64Array.from({ length: tensor.length }, () => (scales.has(tensor) ? 1 : random())),
      ]),
    );
    const gradients = gradient(graph, new Map([[y, seed]]), wrt, { vjps, rules });
    expect([...gradients.keys()]).toEqual(wrt);
    const moved = new Map(Array.from(gradients, ([tensor, g]) => [scales.get(tensor) ?? tensor, g]));
    const errors = differences(graph, given, new Map([[y, "seed"]]), moved);
    for (const [input, error] of errors) expect(error, input).toBeLessThan(1e-8);
  };
  for (const [name, spec] of Object.entries(layers)) {
    const { inChannels, height, width } = spec;
    it(`convolution, ${name}`, () => {
      check(
        (build, x) => build.layers.conv(build, "conv", spec, x),
        [inChannels, height, width],
        { winograd: "winograd-input", direct: "conv" }[name.split(" ")[0]!] ?? name,
      );
    });
  }
  it("linear", () => {
    check(
      (build, x) => build.layers.linear(build, "linear", { inFeatures: 7, outFeatures: 5, weight: "w", factor: 2 }, x),
      [7],
    );
  });
  it("the scales of blocks, whose gradients meet in the embedding", () => {
    check(
      (build, x) => {
        const blocks = [3, 4].map((outFeatures, i) => ({ key: `b${i}`, outFeatures }));
        const [a, b] = build.layers.scales(build, "scales", blocks, x);
        const u = build.graph.external("u", [2, 3, 2, 2], "act");
        const first = build.layers.convScaled(build, "first", { ...layer(1, 3, 3, 2, 2), weight: "v" }, a!, u);
        return build.layers.convScaled(build, "second", layer(1, 3, 4, 2, 2), b!, first);
      },
      [6],
    );
  });
});
