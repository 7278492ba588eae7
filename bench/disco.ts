/**
 * A training step of DISCO beside a matrix product of the same adapter, in turns, on the host's clock: the step's floating point operations
 * of the network's passes (four of them, and two products for the weights) over its time, as a share of the product's rate.
 * `node bench/run.mjs disco [--rounds 20] [--dims 2] [--width 128] [--batch 1024] [--posterior subset:4096] [--adapter NAME]`
 */
import { parseArgs } from "node:util";
import { gemm } from "../kernels/network/gemm/kernel.js";
import { Graph } from "../src/graph/graph.js";
import { Program } from "../src/graph/program.js";
import { parseInteger } from "../src/runs/args.js";
import { PAGE, table } from "../src/runs/table.js";
import { openDisco } from "../src/train/disco.js";
import type { DiscoTrainingOptions } from "../src/train/disco-settings.js";
import { openBenchGpu } from "./open.js";
import { takeTurns } from "./turns.js";

const { values: flags } = parseArgs({
  options: {
    adapter: { type: "string" },
    rounds: { type: "string", default: "20" },
    dims: { type: "string", default: "2" },
    width: { type: "string", default: "128" },
    batch: { type: "string", default: "1024" },
    posterior: { type: "string", default: "subset:4096" },
  },
});
const count = (name: "rounds" | "dims" | "width" | "batch") =>
  parseInteger(flags[name], `--${name}`, { min: 1, max: 2 ** 20 });
const [dims, width, batch] = [count("dims"), count("width"), count("batch")];
const gpu = await openBenchGpu({ adapter: flags.adapter, precision: "f32" });

/** Steps of a turn, so that submissions are not what is measured. */
const STEPS = 4;
const data = Float32Array.from({ length: 20_000 * dims }, (_, i) => Math.sin(i * i));
const posterior = flags.posterior as NonNullable<DiscoTrainingOptions["posterior"]>;
const run = await openDisco(gpu, { data, dims, width, batch, posterior });
const features = dims * run.config.embed;
const stepFlops = 6 * 2 * batch * (8 * width * width + (width / 2) * features + width * dims);

// A 1x1 convolution of 256 channels, of which a product fills the caches as benchmarks' layers do.
const [rows, columns] = [256, 4096];
const graph = new Graph();
const shape = {
  groups: 1,
  images: 1,
  rows,
  depth: rows,
  columns,
  type: "f32" as const,
  epilogue: { kind: "none" as const },
};
const [w, x, y] = gemm
  .buffers(shape)
  .flatMap(({ name, length, type }) => (length ? [graph.external(name, [length], type)] : []));
const named = new Map([x!, w!, y!].map((tensor) => [tensor.name, tensor]));
graph.run("product", gemm, shape, { x: named.get("x"), w: named.get("w") }, { y: named.get("y")! });
const product = await Program.create(gpu, { label: "product", graph });
const productFlops = 2 * rows * rows * columns;

const timed = async (work: () => Promise<unknown>) => {
  await gpu.idle();
  const start = performance.now();
  await work();
  await gpu.idle();
  return performance.now() - start;
};
const times = await takeTurns(
  [
    { name: "step", measure: async () => (await timed(() => run.train(STEPS))) / STEPS },
    {
      name: "product",
      measure: async () =>
        (await timed(async () => {
          for (let i = 0; i < STEPS; i++) product.submit();
        })) / STEPS,
    },
  ],
  count("rounds"),
);
const rate = (name: string, flops: number, by: "median" | "min") => flops / times.get(name)![by] / 1e6;
const lines = (["median", "min"] as const).map((by) => {
  const [step, whole] = [rate("step", stepFlops, by), rate("product", productFlops, by)];
  return [by, times.get("step")![by].toFixed(1), step.toFixed(1), whole.toFixed(1), (step / whole).toFixed(2)];
});
const what = `D = ${dims}, K = ${width}, batch ${batch}, ${posterior}, ${(stepFlops / 1e9).toFixed(2)} GFLOP a step`;
const titles = ["of the rounds", "step, ms", "GFLOP/s", "product, GFLOP/s", "share"];
process.stdout.write(`${[`${gpu.info.name}: ${what}`, ...table(titles, lines, PAGE)].join("\n")}\n`);
run.close();
product.destroy();
gpu.close();
