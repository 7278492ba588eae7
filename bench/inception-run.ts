/**
 * FID from end to end at full size: pictures of the bundled checkpoint through an Inception-v3 of random weights (87 MB), moments of its
 * 2048 features, and the distance between the two halves. Tells where the time goes (on the clock and of processors) and what memory it
 * takes: `node bench/run.mjs inception-run [--n 5000] [--batch 16] [--adapter NAME]`
 */
import { parseArgs } from "node:util";
import { writeSafetensors } from "../src/checkpoint/index.js";
import { metricDetector } from "../src/evaluate/detector.js";
import { FrechetReference } from "../src/evaluate/frechet.js";
import { RunningMoments, statisticsOf } from "../src/evaluate/statistics.js";
import { toByte } from "../src/image/pixels.js";
import { loadModel } from "../src/networks/edm2/model.js";
import { uniforms } from "../src/random/uniforms.js";
import { parseInteger } from "../src/runs/args.js";
import { bundledCheckpoint } from "../src/runs/package.js";
import { withProgress } from "../src/runs/progress.js";
import { table } from "../src/runs/table.js";
import { sampleMultiStep } from "../src/sample/multi-step.js";
import { drawInception } from "../test/support/reference-features.js";
import { openBenchGpu } from "./open.js";

const { values: flags } = parseArgs({
  options: {
    n: { type: "string", default: "5000" },
    batch: { type: "string", default: "16" },
    adapter: { type: "string" },
  },
});
const n = parseInteger(flags.n, "--n", { min: 4, max: 1_000_000 });
const batch = parseInteger(flags.batch, "--batch", { min: 1, max: 4096 });

/** The narrow network's shapes with all channels, and weights that keep activations of one size. */
function wideInception(): Uint8Array<ArrayBuffer> {
  const random = uniforms(1, 0);
  const tensors = [...drawInception(1)].map(([name, { shape }]) => {
    const wide = shape.map((size, axis) => (axis > 1 || size === 3 ? size : 16 * size));
    const range = wide.length === 4 ? Math.sqrt(6 / (wide[1]! * wide[2]! * wide[3]!)) : 0.3;
    const middle = /bn\.(weight|running_var)$/.test(name) ? 1 : 0;
    const data = Float32Array.from(
      { length: wide.reduce((a, b) => a * b, 1) },
      () => middle + range * (2 * random() - 1),
    );
    return { name, dtype: "F32", shape: wide, data };
  });
  return writeSafetensors(tensors, {}) as Uint8Array<ArrayBuffer>;
}

const spent = new Map<string, { wall: number; cpu: number }>();
async function timed<T>(stage: string, task: () => T | Promise<T>): Promise<T> {
  const [wall, cpu] = [performance.now(), process.cpuUsage()];
  const result = await task();
  const { user, system } = process.cpuUsage(cpu);
  const before = spent.get(stage) ?? { wall: 0, cpu: 0 };
  spent.set(stage, {
    wall: before.wall + (performance.now() - wall) / 1000,
    cpu: before.cpu + (user + system) / 1e6,
  });
  return result;
}

const gpu = await openBenchGpu({ adapter: flags.adapter, precision: "f32" });
const memory: string[][] = [];
const remember = (when: string) => {
  const { rss, arrayBuffers } = process.memoryUsage();
  memory.push([when, ...[rss, arrayBuffers, gpu.allocatedBytes].map((bytes) => `${Math.round(bytes / 2 ** 20)} MiB`)]);
};
const detector = await timed("reading the network", () => metricDetector(gpu, "fid", new Blob([wideInception()])));
const model = await loadModel(gpu, bundledCheckpoint);
const halves = [new RunningMoments(detector.source.dim), new RunningMoments(detector.source.dim)];
remember("networks read");
await withProgress({ total: n, label: "measuring" }, async (progress) => {
  for (let at = 0; at < n; at += batch) {
    const seeds = Array.from({ length: Math.min(batch, n - at) }, (_, i) => at + i);
    const labels = seeds.map((seed) => seed % model.config.label_dim);
    const { images, shape } = await timed("pictures", () => sampleMultiStep(model, { seeds, labels, ts: [10] }));
    const bytes = Uint8Array.from(images, toByte);
    const { features } = await timed("features", () => detector.measure({ images: bytes, shape }));
    await timed("moments", () => halves[at < n / 2 ? 0 : 1]!.push(features));
    progress.update(at + seeds.length);
    if (at <= n / 2 && at + batch > n / 2) remember("half of it");
  }
});
remember("all pictures");
const [a, b] = halves.map((half) => statisticsOf(half.moments()));
const fid = await timed("distance", () => new FrechetReference(b!).distance(a!));
remember("distance");
const rows = [...spent].map(([stage, { wall, cpu }]) => {
  const each = /network|distance/.test(stage) ? "" : `${((1000 * wall) / n).toFixed(1)} ms`;
  return [stage, wall.toFixed(1), cpu.toFixed(1), each];
});
const lines = [
  `${gpu.info.name}: ${n} pictures by ${detector.source.dim} features, distance of the halves ${fid.toPrecision(6)}`,
  ...table(["stage", "seconds", "CPU seconds", "a picture"], rows),
  ...table(["memory after", "resident", "buffers", "GPU buffers"], memory),
];
process.stdout.write(`${lines.join("\n")}\n`);
gpu.close();
