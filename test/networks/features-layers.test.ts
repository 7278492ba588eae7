import { describe, expect, it } from "vitest";
import { openCheckpoint, type TensorToWrite, writeSafetensors } from "../../src/checkpoint/index.js";
import type { Gpu } from "../../src/gpu/device.js";
import { Graph } from "../../src/graph/graph.js";
import { Program } from "../../src/graph/program.js";
import { normalSource } from "../../src/graph/run-kernel.js";
import { WeightStore } from "../../src/layers/weights.js";
import { convolution, dense, layerNormalisation, pooling, selfAttention } from "../../src/networks/features/layers.js";
import { relativeError } from "../support/fixtures.js";
import { withTestGpu } from "../support/gpu.js";

const [BATCH, SIDE, PATCH, DIM, HEADS, OUT] = [3, 20, 4, 24, 3, 10];
const GRID = SIDE / PATCH;
const TOKENS = GRID * GRID;

const random = normalSource(5);
const normal = (length: number, scale: number, about = 0) =>
  Float32Array.from({ length }, () => about + scale * random());
const shapes: Record<string, readonly number[]> = {
  "patch.weight": [DIM, 1, PATCH, PATCH],
  "patch.bias": [DIM],
  "norm1.weight": [DIM],
  "norm1.bias": [DIM],
  "attn.qkv.weight": [3 * DIM, DIM],
  "attn.qkv.bias": [3 * DIM],
  "attn.proj.weight": [DIM, DIM],
  "attn.proj.bias": [DIM],
  "head.weight": [OUT, 9 * DIM],
  "head.bias": [OUT],
};
const weights = Object.fromEntries(
  Object.entries(shapes).map(([name, shape]) => {
    const length = shape.reduce((a, b) => a * b, 1);
    return [name, name === "norm1.weight" ? normal(length, 0.3, 1) : normal(length, 2 / Math.sqrt(shape[1] ?? 4))];
  }),
);
const images = normal(BATCH * SIDE * SIDE, 1);

/** One image by plain loops over its tokens, in float64. */
function reference(image: Float32Array): Float64Array {
  const w = (name: string) => weights[name]!;
  const linear = (x: ArrayLike<number>, name: string) =>
    Float64Array.from(w(`${name}.bias`), (bias, o) => {
      let sum = bias;
      for (let i = 0; i < x.length; i++) sum += w(`${name}.weight`)[o * x.length + i]! * x[i]!;
      return sum;
    });
  const tokens = Array.from({ length: TOKENS }, (_, t) => {
    const [top, left] = [PATCH * Math.floor(t / GRID), PATCH * (t % GRID)];
    const patch = Array.from(
      { length: PATCH * PATCH },
      (_, k) => image[(top + Math.floor(k / PATCH)) * SIDE + left + (k % PATCH)]!,
    );
    return linear(patch, "patch");
  });
  const normed = tokens.map((x) => {
    const mean = x.reduce((a, b) => a + b, 0) / DIM;
    const variance = x.reduce((a, b) => a + (b - mean) ** 2, 0) / DIM;
    return x.map((v, c) => ((v - mean) / Math.sqrt(variance + 1e-6)) * w("norm1.weight")[c]! + w("norm1.bias")[c]!);
  });
  const qkv = normed.map((x) => linear(x, "attn.qkv"));
  const size = DIM / HEADS;
  const attended = qkv.map((own) => {
    const y = new Float64Array(DIM);
    for (let h = 0; h < HEADS; h++) {
      const logits = qkv.map((other) => {
        let sum = 0;
        for (let c = h * size; c < (h + 1) * size; c++) sum += own[c]! * other[DIM + c]!;
        return Math.exp(sum / Math.sqrt(size));
      });
      const total = logits.reduce((a, b) => a + b, 0);
      for (let c = h * size; c < (h + 1) * size; c++)
        qkv.forEach((other, t) => {
          y[c]! += (logits[t]! / total) * other[2 * DIM + c]!;
        });
    }
    return linear(y, "attn.proj");
  });
  // Means over windows of 3x3 at every second token, padded by one; what is outside takes no part.
  const pooled: number[] = [];
  for (let c = 0; c < DIM; c++) {
    for (let row = 0; row < GRID; row += 2) {
      for (let col = 0; col < GRID; col += 2) {
        const inside: number[] = [];
        for (let r = Math.max(0, row - 1); r < Math.min(GRID, row + 2); r++)
          for (let s = Math.max(0, col - 1); s < Math.min(GRID, col + 2); s++) inside.push(attended[r * GRID + s]![c]!);
        pooled.push(inside.reduce((a, b) => a + b, 0) / inside.length);
      }
    }
  }
  return linear(pooled, "head");
}

/** The layers that feature networks to come are made of: a small vision transformer's first block. */
describe("layers of feature networks", () => {
  let gpu: Gpu;
  withTestGpu((own) => (gpu = own));

  it("patches, layer normalisation, attention over tokens, padded pooling and a linear layer are as in float64", async () => {
    const file: TensorToWrite[] = Object.entries(shapes).map(([name, shape]) => ({
      name,
      dtype: "F32",
      shape,
      data: weights[name]!,
    }));
    const checkpoint = await openCheckpoint(writeSafetensors(file, {}));
    const store = new WeightStore(gpu, checkpoint);
    const graph = new Graph();
    const x = graph.external("images", [BATCH, 1, SIDE, SIDE]);
    const tokens = convolution(graph, { name: "patch", outChannels: DIM, kernel: PATCH, stride: PATCH }, x);
    expect(tokens.shape).toEqual([BATCH, DIM, GRID, GRID]);
    const attended = selfAttention(
      graph,
      { name: "attn", heads: HEADS },
      layerNormalisation(graph, { name: "norm1" }, tokens),
    );
    const pooled = pooling(graph, "pool", { mode: "mean", kernel: 3, stride: 2, padding: 1 }, attended);
    const features = graph.external("features", [BATCH, OUT]);
    dense(graph, { name: "head", outFeatures: OUT }, pooled, features);
    await store.load(graph);
    const program = await Program.create(gpu, { label: "transformer", graph, constants: store.buffers });
    gpu.write(program.buffer(x), images);
    await program.run();
    const found = await gpu.readF32(program.buffer(features), BATCH * OUT);
    for (let n = 0; n < BATCH; n++) {
      const expected = reference(images.subarray(n * SIDE * SIDE, (n + 1) * SIDE * SIDE));
      expect(relativeError(found.subarray(n * OUT, (n + 1) * OUT), expected)).toBeLessThan(2e-6);
    }
    program.destroy();
    store.destroy();
    await checkpoint.close();
  });
});
