import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LAYERS } from "../../bench/layers.js";
import { measureRows } from "../../bench/measure.js";
import { NETWORKS, startSmallUnet } from "../../bench/networks.js";
import { goalsOf, type Results, resultLines } from "../../bench/results.js";
import { rooflineSvg } from "../../bench/roofline.js";
import { takeTurns } from "../../bench/turns.js";
import type { Gpu } from "../../src/gpu/device.js";
import { adapter, scratch } from "../support/cli.js";
import { openTestGpu, TEST_ADAPTER } from "../support/gpu.js";

const ROUNDS = 3;
const pick = <T extends { readonly name: string }>(rows: readonly T[], start: string) =>
  rows.find(({ name }) => name.startsWith(start))!;
const pixelNorm = pick(LAYERS, "pixel norm");
const pointwise = pick(LAYERS, "conv 1x1");
const bundled = pick(NETWORKS, "bundled");

let gpu: Gpu;
let results: Results;
let precisions: string[];
beforeAll(async () => {
  gpu = await openTestGpu();
  precisions = gpu.features.includes("shader-f16") ? ["f32", "f16"] : ["f32"];
  const wrong = {
    name: "a wrong one",
    prepare: async (device: Gpu) => ({ ...(await pixelNorm.prepare(device)), name: "a wrong one", ok: false }),
  };
  const measured = await measureRows({
    ...(TEST_ADAPTER ? { adapter: TEST_ADAPTER } : {}),
    rounds: ROUNDS,
    layers: [pixelNorm, pointwise, wrong],
    networks: [bundled],
  });
  const starts = [{ name: bundled.name, caches: "cold" as const, parts: { Node: 0.2, adapter: 5.3 }, seconds: 5.5 }];
  const goals = goalsOf({ ...measured, starts });
  results = { version: "0.0.0", date: "2026-01-02T03:04Z", ...measured, rounds: ROUNDS, starts, goals };
});
afterAll(() => gpu.close());

describe("the rows of npm run bench", () => {
  it("layers: time, rates and shares agree with each other and with the peaks of the run", () => {
    const { layers, peaks, adapter } = results;
    expect(adapter.name).toBe(gpu.info.name);
    for (const peak of Object.values(peaks)) expect(peak).toBeGreaterThan(0.1);
    expect(layers.map((layer) => layer.name)).toEqual([pixelNorm.name, pointwise.name, "a wrong one"]);
    for (const { name, flops, runs } of layers.slice(0, 2)) {
      expect(Object.keys(runs)).toEqual(precisions);
      for (const run of Object.values(runs)) {
        expect(run.ms!.samples, name).toBe(ROUNDS);
        expect(run.ms!.min).toBeGreaterThan(0);
        expect(run.ms!.median).toBeGreaterThanOrEqual(run.ms!.min);
        expect(run.gflopsPerSecond).toBeCloseTo(flops / run.ms!.min / 1e6, 9);
        expect(run.gbPerSecond).toBeCloseTo(run.bytes / run.ms!.min / 1e6, 9);
        expect(run.shareOfPeak).toBeCloseTo(run.gflopsPerSecond! / peaks.gflopsPerSecond, 9);
      }
      expect(runs.f32!.error).toBeLessThan(1e-5);
      expect(runs.f32!.error).toBeGreaterThan(0);
      if (runs.f16) expect(runs.f16.bytes).toBe(runs.f32!.bytes / 2);
    }
    expect(layers[1]!.flops).toBe(2 * 768 * 2304 * 64);
    expect(layers[1]!.runs.f32!.bytes).toBe(4 * (768 * 64 + 768 * 2304 + 2304 * 64));
  });

  it("a layer that computes wrongly is not timed", () => {
    const { ms, gflopsPerSecond } = results.layers[2]!.runs.f32!;
    expect({ ms, gflopsPerSecond }).toEqual({ ms: null, gflopsPerSecond: null });
    expect(resultLines(results).join("\n")).toMatch(/^a wrong one .* WRONG/m);
  });

  it("the bundled network: evaluations after the first create no GPU buffer; its parts agree", () => {
    const [{ runs, flops, batch }] = results.networks as [Results["networks"][number]];
    expect(batch).toBe(16);
    expect(Object.keys(runs)).toEqual(precisions);
    for (const run of Object.values(runs)) {
      expect(run.allocations).toBe(0);
      for (const spread of [run.wallMs, run.gpuMs, run.hostMs, run.kernelSumMs]) {
        expect(spread.min).toBeGreaterThan(0);
        expect(spread.median).toBeGreaterThanOrEqual(spread.min);
      }
      // What the host waits for includes what the GPU does.
      expect(run.gpuMs.median).toBeLessThanOrEqual(run.wallMs.median);
      expect(run.wallOverSum).toBeGreaterThanOrEqual(run.wallMs.min / run.kernelSumMs.max);
      expect(run.wallOverSum).toBeLessThanOrEqual(run.wallMs.max / run.kernelSumMs.min);
      expect(run.msPerImage).toBeCloseTo(run.wallMs.median / 16, 9);
      expect(run.gflopsPerSecond).toBeCloseTo(flops / run.wallMs.min / 1e6, 9);
    }
  });

  it("the JSON holds all of it, in numbers and null", () => {
    expect(JSON.parse(JSON.stringify(results))).toEqual(results);
    expect(JSON.stringify(results)).not.toMatch(/NaN|Infinity/);
  });

  it("the table says the same in 80 columns", () => {
    const lines = resultLines(results);
    for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(80);
    const text = lines.join("\n");
    for (const { name } of [...results.layers, ...results.starts]) expect(text).toContain(name);
    for (const precision of precisions) expect(text).toContain(`${bundled.name}, ${precision}`);
    expect(text).toMatch(/^bundled, batch 16 \(cold\) +5\.50 s\n {2}Node 0\.20, adapter 5\.30$/m);
    expect(text).toMatch(/first evaluation, cold caches, s +5\.50 +at most 5 +no$/m);
    expect(text).toMatch(/buffers created later on +0\.00 +at most 0 +yes$/m);
  });

  it("the roofline has both roofs, a point for every timed row and a label for each pair", () => {
    const svg = rooflineSvg(results);
    const points = 3 * precisions.length;
    const legend = precisions.length > 1 ? precisions.length : 0;
    expect([...svg.matchAll(/<circle /g)]).toHaveLength(points + legend);
    for (const name of [pixelNorm.name, bundled.name]) expect(svg).toContain(`class="label">${name}</text>`);
    expect(svg).toContain(`class="label">${pointwise.name.replace(">", "&gt;")}</text>`);
    expect(svg).not.toContain("a wrong one");
    expect(svg).toContain(`multiply-adds, ${results.peaks.gflopsPerSecond.toFixed(0)} GFLOP/s`);
    expect(svg).toContain(`copy, ${results.peaks.gbPerSecond.toFixed(1)} GB/s`);
    expect(svg).toContain(gpu.info.name);
    expect(svg).toContain("2026-01-02");
  });

  it("a goal is met at its limit, and not beyond", () => {
    const run = {
      ...results.networks[0]!.runs.f32!,
      wallOverSum: 1.3,
      hostMs: { median: 1.01, min: 1, max: 2 },
      allocations: 1,
    };
    const networks = [{ ...results.networks[0]!, runs: { f32: run } }];
    const share = { ...results.layers[1]!.runs.f32!, shareOfPeak: 0.34 };
    const goals = goalsOf({ networks, starts: [], layers: [{ name: "conv 1x1 x", flops: 1, runs: { f32: share } }] });
    expect(goals.map(({ what, met }) => [what, met])).toEqual([
      ["conv 1x1 x: share of the peak", false],
      ["bundled, batch 16: wall over sum of kernels", true],
      ["bundled, batch 16: host time of an evaluation, ms", false],
      ["bundled, batch 16: buffers created later on", false],
    ]);
  });
});

it("the small U-Net agrees with its float64 recording", async () => {
  const network = await startSmallUnet(gpu);
  expect(network.flops).toBe(2 * 2_360_705_024);
  expect(network.error).toBeLessThan(2e-5);
  expect(network.error).toBeGreaterThan(1e-8);
  network.program.destroy();
});

describe("taking turns", () => {
  it("hands the turn round in one order, never to two at once; a round goes before that is not counted", async () => {
    const order: string[] = [];
    let running = 0;
    const contender = (name: string, pause: number) => ({
      name,
      async measure() {
        expect(++running).toBe(1);
        order.push(name);
        await new Promise((resolve) => setTimeout(resolve, pause));
        running--;
        // 1000 in the round before, then 1, 2, 3, ...
        const turn = order.filter((other) => other === name).length - 1;
        return turn === 0 ? 1000 : turn;
      },
    });
    const times = await takeTurns([contender("a", 5), contender("b", 0), contender("c", 2)], 5);
    expect(order.join("")).toBe("abc".repeat(6));
    for (const name of ["a", "b", "c"]) expect(times.get(name)).toMatchObject({ median: 3, min: 1, samples: 5 });
  });

  it("a contender that fails ends the run with its error", async () => {
    const fails = async () => Promise.reject(new Error("the adapter is gone"));
    await expect(takeTurns([{ name: "a", measure: fails }], 2)).rejects.toThrow("the adapter is gone");
  });
});

describe("the scripts of bench/", () => {
  const place = scratch();
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [fileURLToPath(new URL("../../bench/run.mjs", import.meta.url)), ...args, ...adapter], {
      encoding: "utf8",
    });
  const json = (file: string) => JSON.parse(readFileSync(place(file), "utf8"));

  it("all: writes the JSON and the plot of the rows asked for, and prints their table", () => {
    const outputs = ["--json", place("new/all.json"), "--svg", place("new/roofline.svg")];
    const { status, stdout } = run("all", "--rounds", "2", "--only", "pixel norm", "--no-start", ...outputs);
    expect(status).toBe(0);
    const written: Results = json("new/all.json");
    expect(written).toMatchObject({ rounds: 2, adapter: { name: gpu.info.name }, networks: [], starts: [] });
    expect(written.layers.map((layer) => layer.name)).toEqual([pixelNorm.name]);
    expect(stdout.split("\n").slice(0, -3)).toEqual(resultLines(written));
    expect(readFileSync(place("new/roofline.svg"), "utf8")).toBe(rooflineSvg(written));
  });

  it("kernels: every kernel of that name with its statistics", () => {
    const { status, stdout } = run("kernels", "--rounds", "3", "--only", "fft-p", "--json", place("kernels.json"));
    expect(status).toBe(0);
    const { kernels } = json("kernels.json");
    expect(kernels.map((row: { kernel: string }) => row.kernel)).toEqual(["fft-pack", "fft-pass"]);
    for (const row of kernels) {
      expect(row).toMatchObject({ ok: true, ms: { samples: 3 } });
      expect(row.ms.min).toBeGreaterThan(0);
      expect(stdout).toMatch(new RegExp(`^${row.kernel} .* ±\\d+%$`, "m"));
    }
  });

  it("scaling: the smallest networks, their law and their plot", () => {
    const outputs = ["--json", place("scaling.json"), "--svg", place("scaling.svg")];
    const { status, stdout } = run("scaling", "--most", "0.65", ...outputs);
    expect(status).toBe(0);
    const { points, law, dispatchUs } = json("scaling.json");
    const shapes = points.map(({ channels, resolution, batch }: Record<string, number>) => [
      channels,
      resolution,
      batch,
    ]);
    expect(shapes).toEqual([
      [32, 16, 1],
      [32, 16, 4],
    ]);
    expect(points[1].flops).toBe(4 * points[0].flops);
    expect(law.slope).toBeCloseTo(Math.log(points[1].ms / points[0].ms) / Math.log(4), 6);
    for (const { nodes, floors } of points) expect(floors.dispatch).toBeCloseTo((nodes * dispatchUs) / 1000, 6);
    expect(stdout).toContain(`all points: ms ~ GFLOP^${law.slope.toFixed(3)}`);
    expect(existsSync(place("scaling.svg"))).toBe(true);
  });

  it("a name that is none: says so, exit 2", () => {
    expect(run("nothing")).toMatchObject({ status: 2, stdout: "", stderr: "bench: there is no bench/nothing.ts\n" });
  });
});
