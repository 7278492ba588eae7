/**
 * Every kernel of kernels/index.ts on its largest test case, on GPU time, in turns: compared with its float64 reference first.
 * `node bench/run.mjs kernels [--rounds 30] [--only NAME] [--precision f32] [--adapter NAME] [--json FILE]`
 *
 * The same cases as `ncvsd-gpu bench --kernels`, with statistics: the last column is the margin of error of the mean at 95%.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { kernels } from "../kernels/index.js";
import { checkKernel } from "../src/measure/check.js";
import { copyPeak, fmaPeak } from "../src/measure/peaks.js";
import { parseInteger } from "../src/runs/args.js";
import { PAGE, table } from "../src/runs/table.js";
import { openBenchGpu } from "./open.js";
import { takeTurns } from "./turns.js";

const { values: flags } = parseArgs({
  options: {
    adapter: { type: "string" },
    precision: { type: "string", default: "f32" },
    rounds: { type: "string", default: "30" },
    only: { type: "string", default: "" },
    json: { type: "string", default: "out/bench-kernels.json" },
  },
});
const gpu = await openBenchGpu(flags);
const { precision } = gpu;
const peaks = [await fmaPeak(gpu), await copyPeak(gpu)] as const;
const checked = [];
for (const kernel of kernels.filter(({ name }) => name.includes(flags.only)))
  checked.push(await checkKernel(gpu, kernel));

const contenders = [
  ...peaks.map((peak, i) => ({ name: `peak ${i}`, measure: () => peak.measure().then(() => 0) })),
  ...checked.filter(({ ok }) => ok).map(({ kernel, measure }) => ({ name: kernel, measure })),
];
const times = await takeTurns(contenders, parseInteger(flags.rounds, "--rounds", { min: 1, max: 10_000 }));
const [fma, copy] = peaks.map(({ best }) => best) as [number, number];
const rows = checked.map(({ measure, release, ...about }) => {
  const ms = times.get(about.kernel) ?? null;
  const least = Math.max(about.flops / fma, about.bytes / copy) / 1e6;
  return { ...about, ms, roofline: ms && ms.median > 0 ? least / ms.median : null };
});

const lines = [
  `${gpu.info.name}, ${precision}: ${fma.toFixed(1)} GFLOP/s, ${copy.toFixed(1)} GB/s at best`,
  "",
  ...table(
    ["kernel", "case", "us", "min", "GF/s", "GB/s", "roof", "rme"],
    rows.map(({ kernel, case: name, ms, flops, bytes, roofline }) => {
      if (!ms) return [kernel, name, "WRONG"];
      const rates = [(flops / ms.median / 1e6).toFixed(1), (bytes / ms.median / 1e6).toFixed(1)];
      const us = [(1000 * ms.median).toFixed(0), (1000 * ms.min).toFixed(0)];
      return [kernel, name, ...us, ...rates, (roofline ?? 0).toFixed(2), `±${ms.rme.toFixed(0)}%`];
    }),
    { ...PAGE, cut: ["kernel", "case"] },
  ),
  "roof: time at the adapter's peaks / time taken; small cases are bound by their dispatch.",
];
process.stdout.write(`${lines.join("\n")}\n${flags.json}\n`);
mkdirSync(dirname(flags.json), { recursive: true });
const report = {
  adapter: gpu.info.name,
  precision,
  date: new Date().toISOString(),
  gflopsPerSecond: fma,
  gbPerSecond: copy,
};
writeFileSync(flags.json, `${JSON.stringify({ ...report, kernels: rows }, null, 1)}\n`);
if (rows.some(({ ok }) => !ok)) process.exitCode = 1;
gpu.close();
