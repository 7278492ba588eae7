import { describe, expect, it } from "vitest";
import type { ConvEpilogue } from "../../kernels/lib/conv-epilogue.js";
import { reference as convReference } from "../../kernels/network/conv/reference.js";
import { gemm } from "../../kernels/network/gemm/kernel.js";
import type { AnyKernel, Caps } from "../../src/gpu/contract.js";
import type { Gpu } from "../../src/gpu/device.js";
import { Graph, type Tensor } from "../../src/graph/graph.js";
import { Program } from "../../src/graph/program.js";
import { normalSource, prepareKernel, relativeError } from "../../src/graph/run-kernel.js";
import { convAlgorithm } from "../../src/layers/conv-algorithm.js";
import type { ConvContext } from "../../src/layers/convolution.js";
import { type MpConvSpec, mpConv } from "../../src/layers/folded.js";
import { foldWeight, WeightStore } from "../../src/layers/weights.js";
import { withTestGpu } from "../support/gpu.js";

let gpu: Gpu;
withTestGpu((own) => (gpu = own));

interface Layer {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly height: number;
  readonly width: number;
  readonly kernel: 1 | 3;
}

/** Runs mpConv on `batch` images and returns y; image n's values depend on n only. */
async function run(layer: Layer, batch: number, epilogue: ConvEpilogue = { kind: "none" }) {
  const { inChannels, outChannels, height, width, kernel } = layer;
  const pixels = height * width;
  const images = (channels: number, seed: number) =>
    Float32Array.from(
      Array.from({ length: batch }, (_, n) => {
        const random = normalSource(1000 * seed + n);
        return Array.from({ length: channels * pixels }, random);
      }).flat(),
    );
  const raw = Float32Array.from({ length: outChannels * inChannels * kernel * kernel }, normalSource(1));
  const x = images(inChannels, 2);
  const r = images(outChannels, 3);
  const c = Float32Array.from({ length: batch * outChannels }, (_, i) => 1 + ((i % outChannels) % 7) / 10);

  const graph = new Graph();
  const tensors: Record<string, Tensor> = { x: graph.external("x", [x.length], "act") };
  if (epilogue.kind === "sum_clip") tensors.r = graph.external("r", [r.length], "act");
  if (epilogue.kind === "scale_silu") tensors.c = graph.external("c", [c.length]);
  const build: ConvContext = { graph, batch };
  const spec: MpConvSpec = {
    ...layer,
    weight: "w",
    epilogue,
    ...(tensors.r ? { r: tensors.r } : {}),
    ...(tensors.c ? { c: tensors.c } : {}),
  };
  const y = mpConv(build, "conv", spec, tensors.x!);
  graph.kept.add(y);
  const store = new WeightStore(gpu, { readF32: async () => raw });
  await store.load(graph);
  const program = await Program.create(gpu, { label: "conv", graph, constants: store.buffers });
  for (const [name, values] of Object.entries({ x, r, c })) {
    if (tensors[name]) gpu.write(program.buffer(tensors[name]), values);
  }
  await program.run();
  const out = await program.readTensor(y);
  program.destroy();
  store.destroy();

  const w = foldWeight(raw, outChannels, 1);
  const fanIn = inChannels * kernel * kernel;
  const packed = new Float64Array(Math.ceil(outChannels / 8) * fanIn * 8);
  for (let o = 0; o < outChannels; o++) {
    for (let k = 0; k < fanIn; k++) packed[((o >> 3) * fanIn + k) * 8 + (o & 7)] = w[o * fanIn + k]!;
  }
  const reference = () => convReference({ ...layer, batch, epilogue }, { x, w: packed, c, r }).y;
  return { out, reference };
}

const LAYERS: Record<string, Layer> = {
  "3x3, one block": { inChannels: 12, outChannels: 40, height: 8, width: 8, kernel: 3 },
  "3x3, odd size": { inChannels: 5, outChannels: 9, height: 13, width: 7, kernel: 3 },
  "3x3, blocks not full": { inChannels: 33, outChannels: 8, height: 12, width: 20, kernel: 3 },
  "3x3 of 4x4": { inChannels: 64, outChannels: 64, height: 4, width: 4, kernel: 3 },
  "3x3 of 3x3": { inChannels: 9, outChannels: 12, height: 3, width: 3, kernel: 3 },
  "3x3 of 2x2": { inChannels: 6, outChannels: 10, height: 2, width: 2, kernel: 3 },
  "3x3 to one channel": { inChannels: 32, outChannels: 1, height: 16, width: 16, kernel: 3 },
  "3x3 from two channels": { inChannels: 2, outChannels: 32, height: 16, width: 16, kernel: 3 },
  "1x1": { inChannels: 48, outChannels: 36, height: 8, width: 8, kernel: 1 },
  "1x1, odd size": { inChannels: 7, outChannels: 5, height: 3, width: 5, kernel: 1 },
};

describe("mpConv against the direct sum in float64", () => {
  for (const [name, layer] of Object.entries(LAYERS)) {
    it(`${name} (${convAlgorithm(layer)})`, async () => {
      const { out, reference } = await run(layer, 3);
      expect(relativeError(out, reference())).toBeLessThanOrEqual(3e-6);
    });
  }

  it("3x3 with scale and silu, and with sum and clip", async () => {
    const layer = LAYERS["3x3, blocks not full"]!;
    const scaled = await run(layer, 2, { kind: "scale_silu", offset: 0, stride: layer.outChannels });
    expect(relativeError(scaled.out, scaled.reference())).toBeLessThanOrEqual(3e-6);
    const summed = await run(layer, 2, { kind: "sum_clip", residual: 0.6, clip: 1.5 });
    expect(relativeError(summed.out, summed.reference())).toBeLessThanOrEqual(3e-6);
  });

  it("many channels, where rounding adds up", async () => {
    const { out, reference } = await run({ inChannels: 384, outChannels: 8, height: 8, width: 8, kernel: 3 }, 1);
    expect(relativeError(out, reference())).toBeLessThanOrEqual(5e-6);
  });
});

describe("an image's bits do not depend on the batch", () => {
  for (const [name, layer] of Object.entries(LAYERS)) {
    it(`${name} (${convAlgorithm(layer)})`, async () => {
      const alone = (await run(layer, 1)).out;
      const among = (await run(layer, 11)).out;
      const bits = (v: Float32Array) => Buffer.from(v.slice(0, alone.length).buffer);
      expect(bits(among).equals(bits(alone))).toBe(true);
    });
  }
});

describe("every loop of gemm, whatever this adapter would choose", () => {
  const families: Record<string, Partial<Caps>> = {
    tiled: { software: false },
    plain: { software: true, subgroups: false },
  };
  for (const [family, forced] of Object.entries(families)) {
    const caps = (given: Caps): Caps => ({ ...given, ...forced });
    const kernel: AnyKernel = {
      ...gemm,
      variant: (p, given) => gemm.variant(p, caps(given)),
      grid: (p, variant, given) => gemm.grid(p, variant, caps(given)),
    };
    for (const test of gemm.cases) {
      it(`${family}: ${test.name}`, async () => {
        const prepared = await prepareKernel(gpu, kernel, test);
        expect(kernel.variant(test.params as never, gpu.caps).key).toContain(family);
        await prepared.program.run();
        const { y } = await prepared.outputs();
        expect(relativeError(y!, gemm.reference(test.params, prepared.inputs).y!)).toBeLessThanOrEqual(
          gemm.tolerance.f32,
        );
        prepared.program.destroy();
      });
    }
  }
});
