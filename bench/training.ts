/**
 * Training: convolution layers and their gradients as shares of the adapter's multiply-add peak, and where an update of a network goes,
 * beside the inference of the same network. Everything in turns within one process.
 * `node bench/run.mjs training [--network small-unet|fashion32] [--batch 4] [--rounds 5] [--only layers|update] [--precision f16]
 *   [--channels 192] [--sides 32,64]`: of the layers
 *
 * The smallest of the rounds counts. CPU time, over two cores, is there for software adapters: other work on the machine disturbs it
 * less. Layers and input gradients include the packing of their weights, which every update does anew.
 */
import { parseArgs } from "node:util";
import type { Gpu } from "../src/gpu/device.js";
import { Graph } from "../src/graph/graph.js";
import type { NodeTime } from "../src/graph/profile.js";
import { Program } from "../src/graph/program.js";
import { normalSource } from "../src/graph/run-kernel.js";
import { type ConvShape, convKey } from "../src/layers/conv-algorithm.js";
import { trained } from "../src/layers/trained.js";
import { WeightStore } from "../src/layers/weights.js";
import { replayOf } from "../src/measure/network.js";
import type { NetworkConfig } from "../src/networks/edm2/arguments.js";
import { expectedTensors } from "../src/networks/edm2/names.js";
import { buildNetwork } from "../src/networks/edm2/network.js";
import { multiplyAdds, SMALL_UNET } from "../src/networks/edm2/presets.js";
import { parseInteger } from "../src/runs/args.js";
import { table } from "../src/runs/table.js";
import { trainingPreset } from "../src/train/presets.js";
import { openTraining } from "../src/train/training.js";
import { openBenchGpu } from "./open.js";
import { fmaPeak } from "./peaks.js";
import { randomTensor, randomWeights } from "./random-network.js";
import { takeTurns } from "./turns.js";

const { values: flags } = parseArgs({
  options: {
    network: { type: "string", default: "small-unet" },
    batch: { type: "string", default: "4" },
    rounds: { type: "string", default: "5" },
    only: { type: "string" },
    channels: { type: "string", default: "192" },
    sides: { type: "string", default: "32,64" },
    precision: { type: "string", default: "f32" },
    adapter: { type: "string" },
  },
});
const batch = parseInteger(flags.batch, "--batch", { min: 1, max: 4096 });
const rounds = parseInteger(flags.rounds, "--rounds", { min: 1, max: 1000 });
const print = (line: string) => process.stdout.write(`${line}\n`);

/** Smallest times of something that is measured in turns, in milliseconds. */
interface Row {
  readonly name: string;
  readonly flops: number;
  run(): Promise<number>;
  ms: number;
  cpu: number;
}

const row = (name: string, flops: number, run: Row["run"]): Row => ({ name, flops, run, ms: Infinity, cpu: Infinity });

async function measured(rows: readonly Row[], gpu: Gpu): Promise<number> {
  const peak = await fmaPeak(gpu);
  const turn = (one: Row) => async () => {
    const before = process.cpuUsage();
    const ms = await one.run();
    const { user, system } = process.cpuUsage(before);
    one.cpu = Math.min(one.cpu, (user + system) / 2000);
    one.ms = Math.min(one.ms, ms);
    return ms;
  };
  const peaks = { name: "peak", measure: () => peak.measure().then(() => 0) };
  await takeTurns([peaks, ...rows.map((one) => ({ name: one.name, measure: turn(one) }))], rounds);
  return peak.best;
}

const channels = parseInteger(flags.channels, "--channels", { min: 1, max: 4096 });
const sides = flags.sides.split(",").map((side) => parseInteger(side, "--sides", { min: 1, max: 1024 }));
const SHAPES = ([1, 3] as const).flatMap((kernel) =>
  sides.map((side): ConvShape => ({ kernel, inChannels: channels, outChannels: channels, height: side, width: side })),
);

const PASSES = ["forward", "weight", "input"] as const;

/** A layer, or the gradient of its input or weight, and nothing else. */
async function layerRow(gpu: Gpu, shape: ConvShape, of: (typeof PASSES)[number]): Promise<Row> {
  const graph = new Graph();
  const { layers, rules, stored, weights } = trained();
  const { kernel, inChannels, outChannels, height, width } = shape;
  const build = { graph, batch, layers, wants: () => false, tap() {} };
  const x = graph.external("x", [batch, inChannels, height, width], "act");
  const y = layers.conv(build, "conv", { ...shape, weight: "w" }, x);
  const g = graph.external("g", y.shape, "act");
  const { scale } = weights.get("w")!;
  // What comes before runs once.
  const from = of === "forward" ? 0 : graph.nodes.length;
  const asked = of === "input" ? x : scale;
  if (of === "forward") graph.kept.add(y);
  else for (const [, made] of rules.get(y)!.pull(g, (tensor) => tensor === asked)) graph.kept.add(made);
  const program = await Program.create(gpu, { label: of, graph });
  gpu.write(program.buffer(stored.get("w")!), randomTensor("w", stored.get("w")!.shape));
  gpu.write(program.buffer(scale), new Float32Array(scale.length).fill(1 / Math.sqrt(inChannels * kernel ** 2)));
  await program.run();
  const flops = 2 * batch * height * width * inChannels * outChannels * kernel ** 2;
  return row(`${convKey(shape)} b${batch}, ${of}`, flops, async () => {
    const start = performance.now();
    const encoder = gpu.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    program.encode(pass, from);
    pass.end();
    gpu.device.queue.submit([encoder.finish()]);
    await gpu.idle();
    return performance.now() - start;
  });
}

async function layers(gpu: Gpu): Promise<void> {
  const rows: Row[] = [];
  for (const shape of SHAPES) for (const of of PASSES) rows.push(await layerRow(gpu, shape, of));
  const best = await measured(rows, gpu);
  print(`Convolutions and their gradients; multiply-add peak ${best.toFixed(0)} GFLOP/s`);
  const cells = rows.map(({ name, flops, ms, cpu }) => {
    const [rate, cpuRate] = [flops / ms / 1e6, flops / cpu / 1e6];
    return [name, ms.toFixed(2), cpu.toFixed(2), rate.toFixed(1), (rate / best).toFixed(2), cpuRate.toFixed(1)];
  });
  for (const line of table(["layer", "ms", "cpu, ms", "GF/s", "of the peak", "GF/s of cpu"], cells)) print(line);
}

/** Nodes by kernel, the most expensive first. */
function byKernel(nodes: readonly NodeTime[]): string[][] {
  const all = nodes.reduce((sum, { ms }) => sum + ms, 0);
  const rows = [...new Set(nodes.map(({ kernel }) => kernel))].map((kernel) => {
    const own = nodes.filter((node) => node.kernel === kernel);
    const sum = (key: "ms" | "flops" | "bytes") => own.reduce((total, node) => total + node[key], 0);
    return { kernel, count: own.length, ms: sum("ms"), flops: sum("flops"), bytes: sum("bytes") };
  });
  return rows
    .sort((a, b) => b.ms - a.ms)
    .map(({ kernel, count, ms, flops, bytes }) => {
      const work = [(flops / 1e9).toFixed(2), (bytes / 1e6).toFixed(0)];
      return [kernel, String(count), ms.toFixed(2), `${((100 * ms) / all).toFixed(1)}%`, ...work];
    });
}

async function update(gpu: Gpu): Promise<void> {
  const own = { img_channels: 1, label_dim: 10 };
  const config: NetworkConfig =
    flags.network === "small-unet" ? SMALL_UNET : { ...SMALL_UNET, ...own, ...trainingPreset(flags.network).config };
  const { tuning, rates } = gpu.caps;
  const inference = buildNetwork("edm2", config, batch, { tuning, rates });
  const store = new WeightStore(gpu, randomWeights("edm2", config));
  await store.load(inference.graph);
  const options = { label: "inference", graph: inference.graph, constants: store.buffers };
  const forward = await Program.create(gpu, options);
  const normal = normalSource(1);
  gpu.write(forward.buffer(inference.x), Float32Array.from({ length: inference.x.length }, normal));
  gpu.write(forward.buffer(inference.sigma), new Float32Array(batch).fill(1));
  const shapes = expectedTensors("edm2", config);
  const network = new Map([...shapes].map(([name, shape]) => [name, randomTensor(name, shape)]));
  const precision = flags.precision === "f16" ? "f16" : "f32";
  const training = await openTraining(gpu, { network, config, batch, precision, lr: { refLr: 0.01 } });
  const images = Float32Array.from({ length: inference.x.length }, normal);
  const labels = Array.from({ length: batch }, (_, i) => (config.label_dim > 0 ? i % config.label_dim : -1));
  const step = { rounds: [{ images, labels }] };
  await training.step(step);
  const replay = replayOf(forward);
  const flops = 2 * batch * multiplyAdds("edm2", config);
  const rows = [
    row("inference", flops, async () => (await replay()).wall),
    row("update", 3 * flops, async () => {
      const start = performance.now();
      await training.step(step);
      return performance.now() - start;
    }),
  ];
  await measured(rows, gpu);
  print(`An update of ${flags.network}, ${batch} images, ${(flops / 1e9).toFixed(2)} GFLOP forward`);
  for (const { name, ms, cpu } of rows) print(`${name.padEnd(12)} ${ms.toFixed(1)} ms, ${cpu.toFixed(1)} ms of cpu`);
  const ratio = (key: "ms" | "cpu") => (rows[1]![key] / rows[0]![key]).toFixed(2);
  print(`update / inference: ${ratio("ms")} by the clock, ${ratio("cpu")} by cpu time`);
  print("");
  for (const line of table(["kernel", "nodes", "ms", "share", "GFLOP", "MB"], byKernel(await training.profile())))
    print(line);
  training.close();
}

const gpu = await openBenchGpu(flags);
print(`${gpu.info.name}, ${flags.precision}`);
if (flags.only !== "update") await layers(gpu);
if (flags.only !== "layers") await update(gpu);
gpu.close();
