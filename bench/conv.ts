/**
 * Convolution layers on GPU time, beside the adapter's own multiply-add and copy peaks of the same run.
 * `node bench/run.mjs conv [--adapter NAME] [--precision f16] [--rounds 15]`
 *
 * Contenders take turns, round by round, and the smallest of their times counts: on a shared machine everything else is
 * other people's work. Every layer is checked against float64 on some outputs before it is timed.
 */
import { parseArgs } from "node:util";
import type { ConvEpilogue } from "../kernels/lib/conv-epilogue.js";
import { type Gpu, openGpu } from "../src/gpu/device.js";
import { Graph, type Tensor } from "../src/graph/graph.js";
import { Program } from "../src/graph/program.js";
import { normalSource } from "../src/graph/run-kernel.js";
import { type ConvShape, convAlgorithm } from "../src/model/conv-algorithm.js";
import { type Build, mpConv } from "../src/model/layers.js";
import { foldWeight, WeightStore } from "../src/model/weights.js";
import { copyPeak, fmaPeak } from "./peaks.js";

const { values: flags } = parseArgs({
  options: {
    adapter: { type: "string" },
    precision: { type: "string", default: "f32" },
    rounds: { type: "string", default: "15" },
  },
});

interface Layer extends ConvShape {
  readonly batch: number;
}

const layer = (kernel: 1 | 3, inChannels: number, outChannels: number, side: number, batch: number): Layer => ({
  kernel,
  inChannels,
  outChannels,
  height: side,
  width: side,
  batch,
});

/** The layers of the comparison with other runtimes, then those of the bundled model. */
const LAYERS = [
  layer(3, 192, 192, 64, 1),
  layer(3, 384, 384, 32, 1),
  layer(3, 768, 768, 8, 1),
  layer(1, 768, 2304, 8, 1),
  layer(3, 32, 32, 32, 16),
  layer(3, 32, 32, 16, 16),
  layer(3, 64, 64, 8, 16),
  layer(3, 2, 32, 32, 16),
  layer(3, 32, 1, 32, 16),
  layer(1, 64, 32, 32, 16),
];

interface Contender {
  readonly name: string;
  /** Of the direct sum, whatever the algorithm makes. */
  readonly flops: number;
  readonly algorithm: string;
  readonly program: Program;
  readonly error: number;
  best: number;
  parts: number[];
}

async function prepare(gpu: Gpu, shape: Layer): Promise<Contender> {
  const { inChannels, outChannels, height, width, kernel, batch } = shape;
  const graph = new Graph();
  const build: Build = { graph, batch, wants: () => false, tap() {} };
  const x: Tensor = graph.external("x", [batch, inChannels, height, width], "act");
  const raw = Float32Array.from({ length: outChannels * inChannels * kernel * kernel }, normalSource(1));
  const epilogue: ConvEpilogue = { kind: "none" };
  const y = mpConv(build, "conv", { ...shape, weight: "w", epilogue }, x);
  graph.kept.add(y);
  const store = new WeightStore(gpu, { readF32: async () => raw });
  await store.load(graph);
  const name = `${kernel}x${kernel} ${inChannels}->${outChannels} @${height}x${width} b${batch}`;
  const program = await Program.create(gpu, { label: name, graph, constants: store.buffers });
  const values = Float32Array.from({ length: x.length }, normalSource(2));
  if (gpu.precision === "f32") gpu.write(program.buffer(x), values);
  await program.run();
  const out = await program.readTensor(y);
  const error =
    gpu.precision === "f32" ? sampledError(shape, values, foldWeight(raw, outChannels, 1), out) : Number.NaN;
  const flops = 2 * y.length * inChannels * kernel * kernel;
  return { name, flops, algorithm: convAlgorithm(shape), program, error, best: Number.POSITIVE_INFINITY, parts: [] };
}

/** ||out - ref|| / ||ref|| over some outputs, in float64. */
function sampledError(shape: Layer, x: Float32Array, w: Float32Array, out: Float32Array): number {
  const { inChannels, outChannels, height, width, kernel } = shape;
  const half = kernel >> 1;
  let [difference, norm] = [0, 0];
  for (let index = 0; index < out.length; index += Math.max(1, Math.floor(out.length / 997))) {
    const col = index % width;
    const row = Math.floor(index / width) % height;
    const o = Math.floor(index / (width * height)) % outChannels;
    const n = Math.floor(index / (width * height * outChannels));
    let sum = 0;
    for (let i = 0; i < inChannels; i++) {
      for (let ky = 0; ky < kernel; ky++) {
        for (let kx = 0; kx < kernel; kx++) {
          const [sy, sx] = [row + ky - half, col + kx - half];
          if (sy < 0 || sy >= height || sx < 0 || sx >= width) continue;
          const weight = w[((o * inChannels + i) * kernel + ky) * kernel + kx]!;
          sum += weight * x[((n * inChannels + i) * height + sy) * width + sx]!;
        }
      }
    }
    difference += (out[index]! - sum) ** 2;
    norm += sum * sum;
  }
  return Math.sqrt(difference / norm);
}

const precision = flags.precision === "f16" ? "f16" : "f32";
const gpu = await openGpu({ precision, ...(flags.adapter === undefined ? {} : { adapter: flags.adapter }) });
const fma = await fmaPeak(gpu);
const copy = await copyPeak(gpu);
const contenders: Contender[] = [];
for (const shape of LAYERS) contenders.push(await prepare(gpu, shape));

for (let round = 0; round < Number(flags.rounds); round++) {
  await fma.measure();
  await copy.measure();
  for (const contender of contenders) {
    const parts = (await contender.program.profile()).map((node) => node.ms);
    const ms = parts.reduce((a, b) => a + b, 0);
    if (ms < contender.best) Object.assign(contender, { best: ms, parts });
  }
}

const print = (line: string) => process.stdout.write(`${line}\n`);
print(
  `${gpu.info.name}, ${precision}: multiply-add peak ${fma.best.toFixed(0)} GFLOP/s, copy ${copy.best.toFixed(1)} GB/s (read + write)`,
);
print("");
print("| layer | algorithm | ms | nodes, ms | GFLOP/s, direct-equivalent | of the peak | error |");
print("| --- | --- | --- | --- | --- | --- | --- |");
for (const { name, flops, algorithm, error, best, parts } of contenders) {
  const rate = flops / best / 1e6;
  const nodes = parts.map((ms) => ms.toFixed(2)).join(" + ");
  const ratio = (rate / fma.best).toFixed(2);
  print(
    `| ${name} | ${algorithm} | ${best.toFixed(2)} | ${nodes} | ${rate.toFixed(1)} | ${ratio} | ${error.toExponential(1)} |`,
  );
}
gpu.close();
