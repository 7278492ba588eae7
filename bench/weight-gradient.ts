/**
 * Weight gradients of convolution layers on GPU time with the parts of each, beside the adapter's own multiply-add peak of the
 * same run. `node bench/run.mjs weight-gradient [--all] [--adapter NAME] [--precision f16] [--rounds 15]`
 *
 * `--all`: every algorithm, not only the one that the layer chooses. The smallest of many short runs counts, as in bench/conv.ts.
 * CPU time, over two cores, is there for software adapters: other work on the machine disturbs it less. Every layer is
 * compared with float64 on some entries before it is timed.
 */

import { parseArgs } from "node:util";
import { narrowF16, widenF16 } from "../src/checkpoint/half.js";
import { openGpu } from "../src/gpu/device.js";
import { Graph } from "../src/graph/graph.js";
import { profile } from "../src/graph/profile.js";
import { Program } from "../src/graph/program.js";
import { normalSource, relativeError } from "../src/graph/run-kernel.js";
import { type ConvShape, convKey } from "../src/layers/conv-algorithm.js";
import { convWeightGradient } from "../src/layers/weight-gradient.js";
import { type GradientAlgorithm, gradientAlgorithm, gradientChoices } from "../src/layers/weight-gradient-algorithm.js";
import { parseInteger, parsePrecision } from "../src/runs/args.js";
import { fmaPeak } from "./peaks.js";
import { takeTurns } from "./turns.js";

const { values: flags } = parseArgs({
  options: {
    all: { type: "boolean", default: false },
    adapter: { type: "string" },
    precision: { type: "string", default: "f32" },
    rounds: { type: "string", default: "15" },
  },
});

const shape = (kernel: 1 | 3, inChannels: number, outChannels: number, side: number, batch: number) => ({
  layer: { kernel, inChannels, outChannels, height: side, width: side } satisfies ConvShape,
  batch,
});

const SHAPES = [
  shape(3, 192, 192, 32, 1),
  shape(3, 192, 192, 32, 4),
  shape(3, 192, 192, 64, 1),
  shape(3, 192, 192, 64, 4),
  shape(1, 192, 192, 32, 1),
  shape(1, 192, 192, 32, 4),
  shape(1, 192, 192, 64, 1),
  shape(1, 192, 192, 64, 4),
  shape(3, 768, 768, 8, 1),
  shape(3, 768, 768, 8, 8),
  shape(1, 768, 2304, 8, 1),
  shape(3, 32, 32, 32, 16),
  shape(3, 64, 64, 8, 16),
  shape(3, 64, 64, 4, 16),
  shape(3, 2, 32, 32, 16),
  shape(3, 32, 1, 32, 16),
  shape(3, 8, 8, 8, 4),
];

/** Of a large layer there is too much for float64 loops. */
const SAMPLES = 97;

const gpu = await openGpu({
  precision: parsePrecision(flags.precision),
  ...(flags.adapter === undefined ? {} : { adapter: flags.adapter }),
});

/** Entries of the gradient in float64: index and value. */
function samples(
  { inChannels, outChannels, height, width, kernel }: ConvShape,
  batch: number,
  x: Float32Array,
  g: Float32Array,
) {
  const entries = outChannels * inChannels * kernel ** 2;
  const pad = (kernel - 1) / 2;
  return Array.from({ length: Math.min(SAMPLES, entries) }, (_, s) => {
    const index = Math.floor((s * entries) / Math.min(SAMPLES, entries));
    const [o, c] = [Math.floor(index / kernel ** 2 / inChannels), Math.floor(index / kernel ** 2) % inChannels];
    const [i, j] = [(Math.floor(index / kernel) % kernel) - pad, (index % kernel) - pad];
    let sum = 0;
    for (let n = 0; n < batch; n++)
      for (let h = Math.max(0, -i); h < Math.min(height, height - i); h++)
        for (let w = Math.max(0, -j); w < Math.min(width, width - j); w++)
          sum +=
            g[((n * outChannels + o) * height + h) * width + w]! *
            x[((n * inChannels + c) * height + h + i) * width + w + j]!;
    return { index, sum };
  });
}

interface Row {
  readonly name: string;
  readonly flops: number;
  readonly error: number;
  readonly program: Program;
  parts: number[];
  cpu: number;
}

async function prepare(layer: ConvShape, batch: number, algorithm: GradientAlgorithm): Promise<Row> {
  const { inChannels, outChannels, height, width, kernel } = layer;
  const graph = new Graph();
  const images = batch * height * width;
  const [x, g] = [
    graph.external("x", [images * inChannels], "act"),
    graph.external("g", [images * outChannels], "act"),
  ];
  const dw = convWeightGradient({ graph, batch }, "dw", layer, x, g, algorithm);
  graph.kept.add(dw);
  const program = await Program.create(gpu, { label: "dw", graph });
  const normal = normalSource(3);
  const values = [x, g].map(({ length }) => Float32Array.from({ length }, normal));
  for (const [i, tensor] of [x, g].entries()) {
    const half = gpu.precision === "f16" ? narrowF16(values[i]!) : undefined;
    if (half) values[i] = widenF16(half);
    gpu.write(program.buffer(tensor), half ?? values[i]!);
  }
  await program.run();
  const out = await program.readTensor(dw);
  const expected = samples(layer, batch, values[0]!, values[1]!);
  const error = relativeError(
    expected.map(({ index }) => out[index]!),
    expected.map(({ sum }) => sum),
  );
  const flops = 2 * images * inChannels * outChannels * kernel ** 2;
  return { name: `${convKey(layer)} b${batch}: ${algorithm}`, flops, error, program, parts: [], cpu: Infinity };
}

const fma = await fmaPeak(gpu);
const rows: Row[] = [];
for (const { layer, batch } of SHAPES) {
  const own = gradientAlgorithm(layer, batch);
  for (const algorithm of flags.all ? gradientChoices(layer) : [own]) {
    // The loop per entry takes seconds where it is not for.
    const { height, width, inChannels, outChannels } = layer;
    if (algorithm === "plain" && own !== "plain" && batch * height * width * inChannels * outChannels > 2e6) continue;
    rows.push(await prepare(layer, batch, algorithm));
  }
}

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
await takeTurns(
  [
    { name: "peak", measure: () => fma.measure().then(() => 0) },
    ...rows.map((row) => ({
      name: row.name,
      async measure() {
        const before = process.cpuUsage();
        const parts = (await profile(row.program)).map((node) => node.ms);
        const { user, system } = process.cpuUsage(before);
        row.cpu = Math.min(row.cpu, (user + system) / 2000);
        if (row.parts.length === 0 || sum(parts) < sum(row.parts)) row.parts = parts;
        return sum(parts);
      },
    })),
  ],
  parseInteger(flags.rounds, "--rounds", { min: 1, max: 10_000 }),
);

const print = (line: string) => process.stdout.write(`${line}\n`);
print(`${gpu.info.name}, ${gpu.precision}: multiply-add peak ${fma.best.toFixed(0)} GFLOP/s`);
print("");
print("| layer | ms | nodes, ms | cpu, ms | GFLOP/s, of the direct sum | of the peak | error |");
print("| --- | --- | --- | --- | --- | --- | --- |");
for (const { name, flops, parts, cpu, error } of rows) {
  const rate = flops / sum(parts) / 1e6;
  const each = parts.map((ms) => ms.toFixed(2)).join(" + ");
  print(
    `| ${name} | ${sum(parts).toFixed(2)} | ${each} | ${cpu.toFixed(2)} | ${rate.toFixed(1)} | ${(rate / fma.best).toFixed(2)} | ${error.toExponential(1)} |`,
  );
}
gpu.close();
