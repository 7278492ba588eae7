/** What `npm run bench` finds: its JSON, and its table in 80 columns. */

import type { Precision } from "../src/gpu/contract.js";
import { PAGE, table } from "../src/runs/table.js";
import type { Times } from "./turns.js";

/** One row at one precision. */
export interface LayerRun {
  readonly nodes: readonly string[];
  readonly bytes: number;
  readonly error: number;
  /** Null: the result was wrong, and nothing was timed. */
  readonly ms: Times | null;
  /** Rates and shares are of the best round, as the peaks are. */
  readonly gflopsPerSecond: number | null;
  readonly gbPerSecond: number | null;
  readonly shareOfPeak: number | null;
}

export interface LayerResult {
  readonly name: string;
  readonly flops: number;
  readonly runs: Partial<Record<Precision, LayerRun>>;
}

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export interface NetworkRun {
  readonly wallMs: Spread;
  readonly gpuMs: Spread;
  readonly hostMs: Spread;
  /** Sum over its nodes, each in a pass of its own. */
  readonly kernelSumMs: Spread;
  /** Median over the rounds. */
  readonly wallOverSum: number;
  /** GPU buffers created by all evaluations after the first. */
  readonly allocations: number;
  /** Median. */
  readonly msPerImage: number;
  /** Of the best round's wall time. */
  readonly gflopsPerSecond: number;
  readonly shareOfPeak: number;
  readonly error: number | null;
  readonly nodes: number;
  /** Weights as stored in a checkpoint, inputs and outputs, each once. */
  readonly bytes: number;
}

export interface NetworkResult {
  readonly name: string;
  readonly batch: number;
  readonly flops: number;
  readonly runs: Partial<Record<Precision, NetworkRun>>;
}

/** A process from its start to the first evaluation's result on the host, in seconds. */
export interface StartResult {
  readonly name: string;
  readonly caches: "cold" | "warm";
  readonly parts: Readonly<Record<string, number>>;
  readonly seconds: number;
}

export interface Results {
  readonly version: string;
  /** ISO 8601, to the minute. */
  readonly date: string;
  readonly adapter: { readonly name: string; readonly driver: string; readonly software: boolean };
  /** Choices of `bench --tune` in use; 0: the cost models choose. */
  readonly tuned: number;
  readonly rounds: number;
  /** Of this very run, in turns with everything else. */
  readonly peaks: { readonly gflopsPerSecond: number; readonly gbPerSecond: number };
  readonly layers: readonly LayerResult[];
  readonly networks: readonly NetworkResult[];
  readonly starts: readonly StartResult[];
  readonly goals: readonly Goal[];
}

/** What was asked for, and whether it is so. */
export interface Goal {
  readonly what: string;
  readonly value: number;
  readonly limit: number;
  readonly sense: "at least" | "at most";
  readonly met: boolean;
}

const LEAST_SHARE = { conv3x3: 0.9, gemm: 0.35, network: 0.45 };
/** A tie that noise may tip. */
const NOISE = 1.05;

/** The goals that these results can tell of. */
export function goalsOf({ layers, networks, starts }: Pick<Results, "layers" | "networks" | "starts">): Goal[] {
  const goals: Goal[] = [];
  const goal = (what: string, value: number | null | undefined, sense: Goal["sense"], limit: number) => {
    if (value === null || value === undefined || Number.isNaN(value)) return;
    goals.push({ what, value, limit, sense, met: sense === "at least" ? value >= limit : value <= limit });
  };
  for (const { name, runs } of layers) {
    const least = /3x3/.test(name) ? LEAST_SHARE.conv3x3 : /1x1|matmul/.test(name) ? LEAST_SHARE.gemm : undefined;
    if (least) goal(`${name}: share of the peak`, runs.f32?.shareOfPeak, "at least", least);
  }
  for (const { name, batch, runs } of networks) {
    const { f32 } = runs;
    if (batch === 1) {
      goal(`${name}: share of the peak`, f32?.shareOfPeak, "at least", LEAST_SHARE.network);
      goal(`${name}: error`, f32?.error, "at most", 2e-5);
    } else {
      goal(`${name}: wall over sum of kernels`, f32?.wallOverSum, "at most", 1.3);
      goal(`${name}: host time of an evaluation, ms`, f32?.hostMs.median, "at most", 1);
    }
    goal(`${name}: buffers created later on`, f32?.allocations, "at most", 0);
  }
  const ratios = [...layers, ...networks].map((row) => f16OverF32(row)).filter((ratio) => ratio !== null);
  if (ratios.length > 0) goal("f16 over f32, the worst row (5% for noise)", Math.max(...ratios), "at most", NOISE);
  for (const { name, caches, seconds } of starts) {
    const most = caches === "warm" ? 3 : /U-Net/.test(name) ? 15 : 5;
    if (caches === "warm" && /U-Net/.test(name)) continue;
    goal(`${name}: first evaluation, ${caches} caches, s`, seconds, "at most", most);
  }
  return goals;
}

/** Best round of f16 over the best of f32; null where one is missing. */
export function f16OverF32({ runs }: LayerResult | NetworkResult): number | null {
  const ms = (run: LayerRun | NetworkRun | undefined) =>
    run && ("wallMs" in run ? run.wallMs.min : (run.ms?.min ?? null));
  const [half, full] = [ms(runs.f16), ms(runs.f32)];
  return half && full ? half / full : null;
}

const figure = (value: number | null | undefined, digits: number) =>
  value === null || value === undefined || Number.isNaN(value) ? "-" : value.toFixed(digits);
const exponent = (value: number | null | undefined) =>
  value === null || value === undefined ? "-" : value.toExponential(1);

/** The table, no line longer than 80 characters. */
export function resultLines(results: Results): string[] {
  const { adapter, peaks, layers, networks, starts, goals, rounds, date, version, tuned } = results;
  const lines = [
    `${adapter.name.slice(0, 44)}, ncvsd-gpu ${version}, ${date}`,
    `peaks: ${peaks.gflopsPerSecond.toFixed(1)} GFLOP/s (f32 multiply-adds), ${peaks.gbPerSecond.toFixed(1)} GB/s (copy, read + write)`,
    `medians of ${rounds} rounds, every row and the peaks in turns; ${tuned || "no"} tuned choices`,
  ];
  if (layers.length > 0) {
    const rows = layers.map((row) => layerCells(row));
    const head = ["layer, f32", "ms", "best", "GF/s", "of peak", "error", "f16/f32"];
    lines.push("", ...table(head, rows, { ...PAGE, cut: [head[0]!] }));
  }
  if (networks.length > 0) {
    const rows = networks.flatMap(({ name, runs }) =>
      Object.entries(runs).map(([precision, run]) => [
        `${name}, ${precision}`,
        figure(run.wallMs.median, 1),
        figure(run.wallMs.min, 1),
        figure(run.gflopsPerSecond, 1),
        figure(run.shareOfPeak, 2),
        figure(run.msPerImage, 2),
        figure(run.wallOverSum, 2),
        figure(run.hostMs.median, 2),
        exponent(run.error),
      ]),
    );
    const head = ["network", "ms", "best", "GF/s", "of peak", "/image", "/sum", "host", "error"];
    lines.push("", ...table(head, rows, { ...PAGE, cut: [head[0]!] }));
  }
  if (starts.length > 0) lines.push("", "first evaluation, from the start of the process (driver caches)");
  for (const { name, caches, seconds, parts } of starts) {
    lines.push(`${`${name} (${caches})`.padEnd(34)} ${seconds.toFixed(2)} s`);
    const each = Object.entries(parts).map(([part, time]) => `${part} ${time.toFixed(2)}`);
    lines.push(`  ${each.join(", ")}`);
  }
  if (goals.length > 0) {
    const rows = goals.map(({ what, value, limit, sense, met }) => [
      what,
      value !== 0 && Math.abs(value) < 1e-3 ? exponent(value) : figure(value, 2),
      `${sense} ${limit !== 0 && limit < 1e-3 ? limit.toExponential(0) : limit}`,
      met ? "yes" : "no",
    ]);
    lines.push("", ...table(["goal", "here", "asked", "met"], rows, { ...PAGE, cut: ["goal"] }));
  }
  lines.push(
    "",
    "ms: median; GF/s, shares and f16/f32: best rounds, as the peaks are.",
    "GF/s count the operations of the direct sum. /image: ms; host: ms to submit;",
    "/sum: wall time over the sum of the kernels' own.",
  );
  return lines;
}

function layerCells(row: LayerResult): string[] {
  const run = row.runs.f32 ?? Object.values(row.runs)[0];
  if (!run?.ms) return [row.name, "WRONG", "", "", "", exponent(run?.error), ""];
  const { ms, gflopsPerSecond, shareOfPeak, error } = run;
  return [
    row.name,
    figure(ms.median, ms.median < 10 ? 3 : 2),
    figure(ms.min, ms.min < 10 ? 3 : 2),
    figure(gflopsPerSecond, 1),
    figure(shareOfPeak, 2),
    exponent(error),
    figure(f16OverF32(row), 2),
  ];
}
