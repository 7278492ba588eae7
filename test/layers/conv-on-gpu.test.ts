import { describe, expect, it } from "vitest";
import { gemm } from "../../kernels/network/gemm/kernel.js";
import type { GemmParams } from "../../kernels/network/gemm/reference.js";
import type { Gpu } from "../../src/gpu/device.js";
import { gpuProfile, profileCaps } from "../../src/gpu/profiles.js";
import { RATES_KEY, ratesOn, writtenRates } from "../../src/gpu/rates.js";
import type { Node } from "../../src/graph/graph.js";
import { type ConvShape, convAlgorithm, convChoices, convKey } from "../../src/layers/conv-algorithm.js";
import { LayerBench, layerGraph } from "../../src/measure/layer.js";
import { withTestGpu } from "../support/gpu.js";

const caps = profileCaps(gpuProfile("gpu"), "f32");
const { rates } = caps;
const layer = (kernel: 1 | 3, inChannels: number, outChannels: number, side: number): ConvShape => {
  return { inChannels, outChannels, height: side, width: side, kernel };
};
const nodes = (shape: ConvShape, batch: number): Node[] =>
  layerGraph({ shape, epilogue: "none", count: 1 }, batch, new Map(), rates).graph.nodes;

describe("how a GPU computes a convolution", () => {
  it("in one node where dispatches count, by Winograd where products do", () => {
    expect(nodes(layer(3, 64, 64, 32), 1).map(({ kernel }) => kernel.name)).toEqual(["implicit-gemm"]);
    expect(nodes(layer(3, 384, 384, 32), 1)).toHaveLength(3);
    expect(convChoices(layer(3, 64, 64, 32), rates)).toEqual(["implicit", "winograd", "direct"]);
    expect(convChoices(layer(3, 384, 384, 32), rates)).toEqual(["winograd", "implicit", "direct"]);
    const shape = layer(3, 64, 64, 32);
    expect(convAlgorithm(shape, new Map([[convKey(shape), "winograd"]]), rates)).toBe("winograd");
    // On software, as ever.
    expect(convChoices(shape)).toEqual(["winograd", "direct"]);
  });

  it("by the layer alone: the batch changes neither algorithm nor parts of sums", () => {
    for (const shape of [layer(3, 256, 256, 4), layer(3, 128, 128, 64), layer(1, 512, 512, 8), layer(1, 64, 64, 64)]) {
      const choices = [1, 4, 16].map((batch) =>
        nodes(shape, batch).map(({ kernel, params }) => [kernel.name, (params as { segments?: number }).segments]),
      );
      expect(choices[1]).toEqual(choices[0]);
      expect(choices[2]).toEqual(choices[0]);
    }
    expect(nodes(layer(3, 256, 256, 4), 1)[0]!.params).toMatchObject({ segments: 16 });
    expect(nodes(layer(1, 512, 512, 8), 1)[0]!.params).toMatchObject({ segments: 8 });
    expect(nodes(layer(3, 512, 512, 8), 1)[1]!.params).toMatchObject({ segments: 8 });
    expect(nodes(layer(1, 64, 64, 64), 1)[0]!.params).not.toHaveProperty("segments");
  });

  it("in tiles of the rows, columns and depth that there are", () => {
    const product = (rows: number, columns: number, depth: number, segments = 1): string => {
      const p: GemmParams = {
        groups: 1,
        images: 1,
        rows,
        columns,
        depth,
        type: "act",
        epilogue: { kind: "none" },
        segments,
      };
      return gemm.variant(p, caps).key;
    };
    expect(product(4096, 4096, 1024)).toContain("128x128");
    expect(product(64, 16, 64)).toMatch(/x16 /);
    expect(product(4, 1024, 64)).toContain("tiled 8x");
    expect(product(256, 16, 512, 8)).toContain("/8 ");
    expect(product(2048, 4096, 512, 8)).not.toContain("/8 ");
    expect(product(256, 16, 2048, 16)).toContain("/16 ");
    expect(product(256, 1024, 2048, 16)).toContain("/8 ");
  });

  it("with the peaks that a tuner measured, where there are any", () => {
    const info = { vendor: "NVIDIA", software: false };
    expect(ratesOn({ ...info, software: true }, undefined)).toBeUndefined();
    expect(ratesOn(info, undefined)).toEqual(rates);
    expect(ratesOn({ ...info, vendor: "arm" }, undefined)).toEqual(gpuProfile("mobile").rates);
    const of = (name: string, architecture = "") => ratesOn({ ...info, name, architecture }, undefined)!;
    expect(of("NVIDIA H100 80GB HBM3", "hopper")).toEqual(rates);
    expect(of("NVIDIA H100 PCIe").multiprocessors).toBe(114);
    // As Dawn tells names.
    expect(of("nvidia-h100-pcie").multiprocessors).toBe(114);
    expect(of("amd-radeon-rx-7900-xtx-radv-navi31-").multiprocessors).toBe(96);
    expect(of("NVIDIA GeForce RTX 4070 Ti SUPER").multiprocessors).toBe(60);
    expect(of("NVIDIA GeForce RTX 4070").multiprocessors).toBe(46);
    expect(of("NVIDIA A100-SXM4-80GB")).toMatchObject({ multiprocessors: 108, bandwidth: 1.555e12 });
    // A browser says no more than this.
    expect(of("nvidia", "ampere")).toMatchObject({ multiprocessors: 46, dispatch: rates!.dispatch });
    expect(of("something new", "something")).toEqual(rates);
    const tuning = (text: string) => ({ choices: new Map([[RATES_KEY, text]]), file: null });
    const measured = writtenRates({ flops: 51.25e12, bandwidth: 2.5e12 });
    expect(ratesOn(info, tuning(measured))).toEqual({ ...rates, flops: 51.25e12, bandwidth: 2.5e12 });
    expect(ratesOn(info, tuning("fast"))).toEqual(rates);
    expect(ratesOn(info, tuning("0 GFLOP/s, 1 GB/s"))).toEqual(rates);
  });
});

describe("the tiles of a GPU, on the adapter of the tests", () => {
  let gpu: Gpu;
  withTestGpu((own) => (gpu = own));

  it("give an image the same bits in every batch, near float64", async () => {
    const own = gpu.caps;
    const shape = layer(3, 130, 24, 4);
    // A GPU of two multiprocessors, so that the batches get different tiles.
    const few = { ...rates!, multiprocessors: 2 };
    Object.assign(gpu, { caps: { ...own, software: false, rates: few } });
    try {
      const firsts: Buffer[] = [];
      const tiles = new Set<string>();
      for (const batch of [1, 12]) {
        const bench = new LayerBench(gpu, { shape, epilogue: "scale_silu", count: 1 }, batch);
        const { program, output } = await bench.prepare(new Map([[convKey(shape), "implicit"]]));
        const { kernel, params } = program.graph.nodes[0]!;
        tiles.add(kernel.variant(params as never, gpu.caps).key);
        await program.run();
        const y = await output();
        expect(bench.sampledError(y)).toBeLessThanOrEqual(1e-6);
        // The inputs of image 0 are the same in every batch; the epilogue's, too.
        firsts.push(Buffer.from(y.slice(0, 24 * 16).buffer));
        program.destroy();
        bench.destroy();
      }
      expect(tiles.size).toBe(2);
      expect(firsts[1]!.equals(firsts[0]!)).toBe(true);
    } finally {
      Object.assign(gpu, { caps: own });
    }
  });
});

it("a graph without a GPU's rates is the software adapter's", () => {
  const shape = layer(3, 64, 64, 32);
  const { graph: plain } = layerGraph({ shape, epilogue: "none", count: 1 }, 1, new Map());
  expect(plain.nodes.map(({ kernel }) => kernel.name)).toEqual(["winograd-input", "gemm", "winograd-output"]);
});
