/**
 * Time of an evaluation against its operations: EDM2 networks of two levels with random weights over resolutions, channels and
 * batches. `node bench/run.mjs scaling [--most 100] [--precision f32] [--adapter NAME] [--json FILE] [--svg FILE]`
 * `--most` leaves out what has more GFLOP. Three minutes on a quiet machine of two cores.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { mpSilu } from "../kernels/network/mp-silu/kernel.js";
import type { Gpu } from "../src/gpu/device.js";
import { Graph, nodeCost, type Tensor } from "../src/graph/graph.js";
import { Program } from "../src/graph/program.js";
import { WeightStore } from "../src/layers/weights.js";
import { median, replayOf } from "../src/measure/network.js";
import { copyPeak, fmaPeak } from "../src/measure/peaks.js";
import { multiplyAdds } from "../src/networks/edm2/presets.js";
import { version } from "../src/runs/package.js";
import { table } from "../src/runs/table.js";
import { startNetwork } from "./networks.js";
import { openBenchGpu } from "./open.js";
import { edm2Config, randomWeights } from "./random-network.js";
import { bendsOf, fitPowerLaw, isDispatchBound, pointName, type ScalingPoint, scalingSvg } from "./scaling-fit.js";

const { values: flags } = parseArgs({
  options: {
    adapter: { type: "string" },
    precision: { type: "string", default: "f32" },
    most: { type: "string", default: "100" },
    json: { type: "string", default: "out/bench-scaling.json" },
    svg: { type: "string", default: "out/bench-scaling.svg" },
  },
});
const RESOLUTIONS = [16, 32, 64];
const CHANNELS = [32, 64, 128, 192];
const BATCHES = [1, 4, 32];
/** Runs of a point: at most so many, and no more after this time. */
const [RUNS, SECONDS] = [9, 1.5];

/** Milliseconds of one evaluation, the best of several: as the peaks are measured. */
async function timed(program: Program): Promise<number> {
  const replay = replayOf(program);
  await replay();
  const times: number[] = [];
  const start = performance.now();
  while (times.length < 2 || (times.length < RUNS && performance.now() - start < 1000 * SECONDS)) {
    times.push((await replay()).wall);
  }
  return Math.min(...times);
}

/** Milliseconds that a node of no work takes, in a chain. */
async function dispatchTime(gpu: Gpu): Promise<number> {
  const nodes = 200;
  const graph = new Graph();
  let x: Tensor = graph.external("x", [4]);
  for (let i = 0; i < nodes; i++) {
    x = graph.run(`node ${i}`, mpSilu, { elements: 4, type: "f32" as const }, { x }, { y: x.shape }).y;
  }
  const program = await Program.create(gpu, { label: "a chain of nothing", graph });
  const ms = await timed(program);
  program.destroy();
  return ms / nodes;
}

interface Measured extends Omit<ScalingPoint, "floors"> {
  readonly made: number;
  readonly bytes: number;
}

async function measure(gpu: Gpu, resolution: number, channels: number, onPoint: () => Promise<void>) {
  const config = edm2Config({
    img_resolution: resolution,
    model_channels: channels,
    channel_mult: [1, 2],
    num_blocks: 1,
  });
  const store = new WeightStore(gpu, randomWeights("edm2", config));
  const found: Measured[] = [];
  for (const batch of BATCHES) {
    const flops = 2 * batch * multiplyAdds("edm2", config);
    if (flops > 1e9 * Number(flags.most)) continue;
    const { program } = await startNetwork(gpu, { architecture: "edm2", config, batch }, store);
    const costs = program.graph.nodes.map((node) => nodeCost(node, gpu.precision));
    const sum = (key: "flops" | "bytes") => costs.reduce((total, cost) => total + cost[key], 0);
    const ms = await timed(program);
    program.destroy();
    const work = { flops, made: sum("flops"), bytes: sum("bytes") };
    found.push({ resolution, channels, batch, nodes: costs.length, ms, ...work });
    await onPoint();
  }
  store.destroy();
  return found;
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

const gpu = await openBenchGpu(flags);
const { precision } = gpu;
const [fma, copy] = [await fmaPeak(gpu), await copyPeak(gpu)];
const dispatch: number[] = [];
const measured: Measured[] = [];
for (const channels of CHANNELS) {
  for (const resolution of RESOLUTIONS) {
    const onPoint = async () => {
      for (const peak of [fma, copy]) await peak.measure();
    };
    measured.push(...(await measure(gpu, resolution, channels, onPoint)));
    dispatch.push(await dispatchTime(gpu));
  }
}
const nodeMs = median(dispatch);
const points = measured.map(({ made, bytes, ...point }): ScalingPoint => {
  const floors = { dispatch: point.nodes * nodeMs, copy: bytes / copy.best / 1e6, arithmetic: made / fma.best / 1e6 };
  return { ...point, floors };
});
const law = fitPowerLaw(points);
if (!law) throw new Error(`--most ${flags.most} leaves fewer than two networks to compare`);
const lawAbove = fitPowerLaw(points.filter((point) => !isDispatchBound(point)));
const results = {
  version,
  date: `${new Date().toISOString().slice(0, 16)}Z`,
  adapter: gpu.info.name,
  precision,
  peaks: { gflopsPerSecond: fma.best, gbPerSecond: copy.best },
  dispatchUs: 1000 * nodeMs,
  points,
  law,
  lawAbove,
  bends: bendsOf(points, law),
};
const share = (floor: number, ms: number) => `${((100 * floor) / ms).toFixed(0)}%`;
const { dispatchUs, bends } = results;
const lines = [
  `${gpu.info.name}, ${precision}: ${fma.best.toFixed(1)} GFLOP/s, ${copy.best.toFixed(1)} GB/s, ${dispatchUs.toFixed(1)} us a node`,
  "",
  ...table(
    ["network", "GFLOP", "ms", "GF/s", "dispatch", "copy", "arithmetic"],
    points
      .toSorted((a, b) => a.flops - b.flops)
      .map((point) => {
        const { flops, ms, floors } = point;
        const shares = [floors.dispatch, floors.copy, floors.arithmetic].map((floor) => share(floor, ms));
        return [pointName(point), (flops / 1e9).toFixed(3), ms.toFixed(2), (flops / ms / 1e6).toFixed(1), ...shares];
      }),
    { width: 80 },
  ),
  "",
  `all points: ms ~ GFLOP^${law.slope.toFixed(3)}, none off by more than ${law.worst.toFixed(2)} times`,
  ...(lawAbove
    ? [`not bound by dispatches: GFLOP^${lawAbove.slope.toFixed(3)}, ${lawAbove.worst.toFixed(2)} times`]
    : []),
  "shares: the time at the adapter's peaks and dispatch rate over the time taken",
  ...bends.map(({ point, factor, why }) => `bend  ${pointName(point)}: ${factor.toFixed(2)} times the line; ${why}`),
  flags.json,
  flags.svg,
];
process.stdout.write(`${lines.join("\n")}\n`);
write(flags.json, `${JSON.stringify(results, null, 1)}\n`);
write(flags.svg, scalingSvg(results));
gpu.close();
