/**
 * Convolution layers on GPU time with the parts of each, beside the adapter's own multiply-add and copy peaks of the same run.
 * `node bench/run.mjs conv [--adapter NAME] [--precision f16] [--rounds 15]`
 *
 * The smallest of many short runs counts here: on a shared machine everything else is other people's work. Every layer is
 * checked against float64 on some outputs before it is timed.
 */

import { parseArgs } from "node:util";
import { profile } from "../src/graph/profile.js";
import { parseInteger } from "../src/runs/args.js";
import { type ConvLayer, convLayer, type Layer } from "./layers.js";
import { openBenchGpu } from "./open.js";
import { copyPeak, fmaPeak } from "./peaks.js";
import { takeTurns } from "./turns.js";

const { values: flags } = parseArgs({
  options: {
    adapter: { type: "string" },
    precision: { type: "string", default: "f32" },
    rounds: { type: "string", default: "15" },
  },
});

const shape = (kernel: 1 | 3, inChannels: number, outChannels: number, side: number, batch: number): ConvLayer => ({
  kernel,
  inChannels,
  outChannels,
  side,
  batch,
});

/** The layers of the comparison with other runtimes, then those of the bundled model. */
const SHAPES = [
  shape(3, 192, 192, 64, 1),
  shape(3, 384, 384, 32, 1),
  shape(3, 768, 768, 8, 1),
  shape(1, 768, 2304, 8, 1),
  shape(3, 32, 32, 32, 16),
  shape(3, 32, 32, 16, 16),
  shape(3, 64, 64, 8, 16),
  shape(3, 2, 32, 32, 16),
  shape(3, 32, 1, 32, 16),
  shape(1, 64, 32, 32, 16),
];

const gpu = await openBenchGpu(flags);
const { precision } = gpu;
const [fma, copy] = [await fmaPeak(gpu), await copyPeak(gpu)];
const layers: (Layer & { parts: number[] })[] = [];
for (const spec of SHAPES) layers.push({ ...(await convLayer(spec).prepare(gpu)), parts: [] });

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
await takeTurns(
  [
    ...[fma, copy].map((peak, i) => ({ name: `peak ${i}`, measure: () => peak.measure().then(() => 0) })),
    ...layers.map((layer) => ({
      name: layer.name,
      async measure() {
        const parts = (await profile(layer.program)).map((node) => node.ms);
        if (layer.parts.length === 0 || sum(parts) < sum(layer.parts)) layer.parts = parts;
        return sum(parts);
      },
    })),
  ],
  parseInteger(flags.rounds, "--rounds", { min: 1, max: 10_000 }),
);

const print = (line: string) => process.stdout.write(`${line}\n`);
print(
  `${gpu.info.name}, ${precision}: multiply-add peak ${fma.best.toFixed(0)} GFLOP/s, copy ${copy.best.toFixed(1)} GB/s (read + write)`,
);
print("");
print("| layer | kernels | ms | nodes, ms | GFLOP/s, direct-equivalent | of the peak | error |");
print("| --- | --- | --- | --- | --- | --- | --- |");
for (const { name, flops, nodes, error, ok, parts } of layers) {
  const rate = flops / sum(parts) / 1e6;
  const each = parts.map((ms) => ms.toFixed(2)).join(" + ");
  const verdict = ok ? error.toExponential(1) : `${error.toExponential(1)}, WRONG`;
  print(
    `| ${name} | ${nodes.join("; ")} | ${sum(parts).toFixed(2)} | ${each} | ${rate.toFixed(1)} | ${(rate / fma.best).toFixed(2)} | ${verdict} |`,
  );
}
gpu.close();
