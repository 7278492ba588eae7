/**
 * Feature networks of full size with random weights: GFLOP (as direct sums), milliseconds and GFLOP/s per picture.
 * `node bench/run.mjs features [--adapter NAME] [--only inception,vits,vitl] [--batch 4] [--rounds 5] [--kernels]`
 *
 * The networks take turns; the smallest of the rounds counts, by the host's clock and by CPU time over all cores. `--kernels`
 * adds the time of each kind of kernel from timestamps around every node.
 */

import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import type { Gpu } from "../src/gpu/device.js";
import { Graph, type Tensor } from "../src/graph/graph.js";
import { profile } from "../src/graph/profile.js";
import { Program } from "../src/graph/program.js";
import { normalSource } from "../src/graph/run-kernel.js";
import { WeightStore } from "../src/layers/weights.js";
import { type Dinov2Config, dinov2Graph, PATCH } from "../src/networks/features/dinov2.js";
import { INCEPTION_CONVS, inceptionGraph, inceptionInputs } from "../src/networks/features/inception.js";
import { parseInteger } from "../src/runs/args.js";
import { PAGE, table } from "../src/runs/table.js";
import { openBenchGpu } from "./open.js";
// @ts-expect-error: a script without types
import { INCEPTION_FLOPS, INCEPTION_WIDTHS } from "./peers/network/inception-widths.mjs";

const { values: flags } = parseArgs({
  options: {
    adapter: { type: "string" },
    precision: { type: "string", default: "f32" },
    only: { type: "string", default: "inception,vits,vitl" },
    batch: { type: "string", default: "4" },
    rounds: { type: "string", default: "5" },
    kernels: { type: "boolean", default: false },
  },
});
const batch = parseInteger(flags.batch, "--batch", { min: 1, max: 64 });
const rounds = parseInteger(flags.rounds, "--rounds", { min: 1, max: 1000 });

interface Network {
  readonly name: string;
  /** Per picture. */
  readonly gflop: number;
  build(gpu: Gpu, graph: Graph): { images: Tensor; y: Tensor };
  shapeOf(name: string): readonly number[];
}

function inception(): Network {
  const widths = new Map(INCEPTION_CONVS.map(({ name }, i) => [name, (INCEPTION_WIDTHS as number[])[i]!]));
  const { inputs } = inceptionInputs(widths);
  const convs = new Map(INCEPTION_CONVS.map((conv) => [conv.name, conv]));
  return {
    name: "Inception-v3",
    gflop: INCEPTION_FLOPS / 1e9,
    build: (gpu, graph) => inceptionGraph(graph, batch, widths, gpu.caps.software && gpu.precision === "f32"),
    shapeOf(name) {
      const conv = name.slice(0, name.lastIndexOf("."));
      const out = widths.get(conv)!;
      return name.endsWith(".bias") ? [out] : [out, inputs.get(conv)!, ...convs.get(conv)!.kernel];
    },
  };
}

function vit(name: string, width: number, blocks: number, gflop: number): Network {
  const config: Dinov2Config = {
    width,
    blocks,
    heads: width / 64,
    hidden: 4 * width,
    gated: false,
    registers: 0,
    grid: 37,
  };
  const sizes: Readonly<Record<string, readonly number[]>> = {
    cls_token: [1, 1, width],
    pos_embed: [1, 1 + 37 ** 2, width],
    "patch_embed.proj.weight": [width, 3, PATCH, PATCH],
    "attn.qkv.weight": [3 * width, width],
    "attn.qkv.bias": [3 * width],
    "attn.proj.weight": [width, width],
    "mlp.fc1.weight": [4 * width, width],
    "mlp.fc1.bias": [4 * width],
    "mlp.fc2.weight": [width, 4 * width],
  };
  const side = 16 * PATCH;
  return {
    name,
    gflop,
    build: (gpu, graph) =>
      dinov2Graph(graph, config, {
        batch,
        height: side,
        width: side,
        positions: "hub",
        products: gpu.precision === "f32",
      }),
    shapeOf: (tensor) => sizes[tensor.replace(/^blocks\.\d+\./, "")] ?? [width],
  };
}

const ALL: Readonly<Record<string, () => Network>> = {
  inception,
  vits: () => vit("DINOv2 ViT-S/14", 384, 12, 12.2),
  vitb: () => vit("DINOv2 ViT-B/14", 768, 12, 46.3),
  vitl: () => vit("DINOv2 ViT-L/14", 1024, 24, 162.0),
};

/** Weights that keep activations of one size: variance 2 over the inputs. */
function randomTensor(name: string, shape: readonly number[]): Float32Array<ArrayBuffer> {
  const random = normalSource([...name].reduce((sum, c) => (31 * sum + c.charCodeAt(0)) >>> 0, 7));
  const length = shape.reduce((a, b) => a * b, 1);
  const scale = shape.length > 1 ? Math.sqrt(2 / (length / shape[0]!)) : 0.1;
  // Few numbers drawn, many times repeated at odd places: drawing 300 million would take a minute.
  const drawn = Float32Array.from({ length: Math.min(length, 10_007) }, () => scale * random());
  const one = /norm\d?\.weight$/.test(name) ? 1 : 0;
  return Float32Array.from({ length }, (_, i) => one + drawn[i % drawn.length]!);
}

const gpu = await openBenchGpu(flags);
const runs = [];
for (const key of flags.only.split(",")) {
  const make = ALL[key];
  if (!make) throw new Error(`--only knows ${Object.keys(ALL).join(", ")}, not ${JSON.stringify(key)}`);
  const network = make();
  const graph = new Graph();
  const { images, y } = network.build(gpu, graph);
  const store = new WeightStore(gpu, { readF32: async (name) => randomTensor(name, network.shapeOf(name)) });
  const begin = performance.now();
  await store.load(graph);
  const program = await Program.create(gpu, { label: network.name, graph, constants: store.buffers });
  const random = normalSource(3);
  gpu.write(
    program.buffer(images),
    Float32Array.from({ length: images.length }, () => 0.5 * random()),
  );
  await program.run();
  const features = await gpu.readF32(program.buffer(y), y.length);
  if (features.some((v) => !Number.isFinite(v))) throw new Error(`${network.name} is not finite`);
  runs.push({ network, program, y, ready: performance.now() - begin, ms: Infinity, cpuMs: Infinity });
}
const cpuMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000 / availableParallelism();
};
for (let round = 0; round < rounds; round++) {
  for (const run of runs) {
    const [begin, cpu] = [performance.now(), cpuMs()];
    await run.program.run();
    await gpu.readF32(run.program.buffer(run.y), 1);
    run.ms = Math.min(run.ms, (performance.now() - begin) / batch);
    run.cpuMs = Math.min(run.cpuMs, (cpuMs() - cpu) / batch);
  }
}
const lines = [
  `${gpu.info.name}, ${gpu.precision}, batch ${batch}; per picture, the best of ${rounds}`,
  "",
  ...table(
    ["network", "GFLOP", "ms", "GFLOP/s", "cpu ms", "GFLOP/s of cpu", "ready s", "MiB"],
    runs.map(({ network: { name, gflop }, program, ready, ...run }) => [
      name,
      gflop.toFixed(1),
      run.ms.toFixed(1),
      ((1000 * gflop) / run.ms).toFixed(1),
      run.cpuMs.toFixed(1),
      ((1000 * gflop) / run.cpuMs).toFixed(1),
      (ready / 1000).toFixed(1),
      (program.bytes / 2 ** 20).toFixed(0),
    ]),
    PAGE,
  ),
];
if (flags.kernels) {
  for (const { network, program } of runs) {
    const nodes = await profile(program);
    const kinds = new Map<string, number>();
    for (const [i, { ms }] of nodes.entries()) {
      const { kernel } = program.graph.nodes[i]!;
      kinds.set(kernel.name, (kinds.get(kernel.name) ?? 0) + ms / batch);
    }
    lines.push("", `${network.name}, ms of each kernel:`);
    for (const [kernel, ms] of [...kinds].sort((a, b) => b[1] - a[1])) lines.push(`  ${kernel}  ${ms.toFixed(2)}`);
  }
}
process.stdout.write(`${lines.join("\n")}\n`);
gpu.close();
