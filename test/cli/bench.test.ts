import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { kernels } from "../../kernels/index.js";
import { scale } from "../../kernels/sampling/scale/kernel.js";
import { openCheckpoint } from "../../src/checkpoint/index.js";
import { headerLines, networkLines, profileLines } from "../../src/cli/bench/report.js";
import { Gpu } from "../../src/gpu/device.js";
import { loadNativeGpu } from "../../src/gpu/native.js";
import { measureKernels } from "../../src/measure/kernels.js";
import { measureNetwork, planNetwork, startNetwork } from "../../src/measure/network.js";
import { copyPeak, fmaPeak } from "../../src/measure/peaks.js";
import { parseConfig } from "../../src/networks/edm2/config.js";
import { multiplyAdds } from "../../src/networks/edm2/presets.js";
import { Stopwatch } from "../../src/runs/stopwatch.js";
import { adapter, cli, cliOk, cliRefused, filesIn, scratch, sentence } from "../support/cli.js";
import { openTestGpu, TEST_ADAPTER } from "../support/gpu.js";
import { fixturePath } from "../support/safetensors-fixture.js";

const TINY = fixturePath("ncvsd-tiny.safetensors");
const place = scratch();

let gpu: Gpu;
/** `--profile --json` and `--trace` of one run. */
// biome-ignore lint/suspicious/noExplicitAny: JSON
let facts: any;
beforeAll(async () => {
  gpu = await openTestGpu();
  mkdirSync(place("out"));
  writeFileSync(place("out/trace.json"), `{"tool":"ncvsd-gpu","traceEvents":[]}`);
  const args = ["bench", "--net", TINY, "--batch", "2", "--runs", "3", "--profile", "--trace", place("out/trace.json")];
  const { stdout, stderr } = await cliOk([...args, "--json", ...adapter]);
  expect(stderr).toBe("");
  expect(stdout.trimEnd()).not.toContain("\n");
  facts = JSON.parse(stdout);
});
afterAll(() => gpu.close());

describe("bench of a network", () => {
  it("figures of one evaluation agree with each other, with the adapter and with the count of the papers", async () => {
    const checkpoint = await openCheckpoint(TINY);
    const { architecture, config } = parseConfig(checkpoint);
    await checkpoint.close();
    const flops = 2 * 2 * multiplyAdds(architecture, config);
    expect(facts).toMatchObject({
      adapter: gpu.info.name,
      precision: "f32",
      net: TINY,
      batch: 2,
      runs: 3,
      timestamps: true,
    });
    expect(facts.gflop).toBeCloseTo(flops / 1e9, 9);
    for (const spread of [facts.wallMs, facts.gpuMs]) {
      expect(spread.min).toBeGreaterThan(0);
      expect(spread.median).toBeGreaterThanOrEqual(spread.min);
    }
    // The clock starts before the GPU's and stops after it.
    expect(facts.gpuMs.median).toBeLessThanOrEqual(facts.wallMs.median);
    expect(facts.hostMs).toBeGreaterThan(0);
    expect(facts.hostMs).toBeLessThan(facts.wallMs.median);
    expect(facts.msPerImage).toBeCloseTo(facts.wallMs.median / 2, 9);
    expect(facts.gflopsPerSecond).toBeCloseTo(flops / facts.wallMs.median / 1e6, 9);
    expect(facts.shareOfPeak).toBeCloseTo(facts.gflopsPerSecond / facts.peaks.gflopsPerSecond, 9);
    expect(facts.wallOverSum).toBeCloseTo(facts.wallMs.median / facts.kernelSumMs, 9);
    for (const peak of Object.values(facts.peaks)) expect(peak).toBeGreaterThan(0.1);
  });

  it("evaluations after the first allocate nothing on the GPU; the start-up is told in parts", () => {
    expect(facts.allocations).toBe(0);
    const parts = ["start of Node", "plan", "adapter", "weights", "pipelines", "first evaluation"];
    expect(Object.keys(facts.startup)).toEqual(parts);
    for (const seconds of Object.values(facts.startup)) expect(seconds).toBeGreaterThan(0);
  });

  it("--profile lists every node of the plan with rates, shares and the roofline, and sums them up by kernel", async () => {
    const plan = JSON.parse((await cliOk(["inspect", TINY, "--plan", "--batch", "2", "--json"])).stdout).plan;
    const { nodes, kernels: summary } = facts.profile;
    const sorted = (names: string[]) => [...names].sort();
    expect(sorted(nodes.map((n: { node: string }) => n.node))).toEqual(
      sorted(plan.map((n: { name: string }) => n.name)),
    );
    let [share, ms, before] = [0, 0, Number.POSITIVE_INFINITY];
    for (const node of nodes) {
      expect(node.ms).toBeGreaterThan(0);
      expect(node.ms).toBeLessThanOrEqual(before);
      expect(node.gflopsPerSecond).toBeCloseTo(node.flops / node.ms / 1e6, 6);
      expect(node.gbPerSecond).toBeCloseTo(node.bytes / node.ms / 1e6, 6);
      const { gflopsPerSecond, gbPerSecond } = facts.peaks;
      const roof = Math.max(node.gflopsPerSecond / gflopsPerSecond, node.gbPerSecond / gbPerSecond);
      expect(node.roofline).toBeCloseTo(roof, 6);
      before = node.ms;
      share += node.share;
      ms += node.ms;
    }
    expect(share).toBeCloseTo(1, 9);
    expect(nodes[0].share).toBeCloseTo(nodes[0].ms / ms, 9);
    const total = (key: string) => summary.reduce((sum: number, row: Record<string, number>) => sum + row[key]!, 0);
    expect(total("nodes")).toBe(nodes.length);
    expect(total("ms")).toBeCloseTo(ms, 9);
    expect(total("flops")).toBe(plan.reduce((sum: number, node: { flops: number }) => sum + node.flops, 0));
  });

  it("--trace writes when each node really ran and what the host did, whole or not at all", async () => {
    expect(filesIn(place("out"))).toEqual(["trace.json"]);
    const { traceEvents, otherData } = JSON.parse(readFileSync(place("out/trace.json"), "utf8"));
    // biome-ignore lint/suspicious/noExplicitAny: JSON
    const lane = (tid: number) => traceEvents.filter((event: any) => event.ph === "X" && event.tid === tid);
    const [events, host] = [lane(1), lane(2)];
    expect(host.map((event: { name: string }) => event.name)).toEqual(["encode", "submit", "wait"]);
    expect(host[0].ts).toBe(0);
    for (const i of [1, 2]) expect(host[i].ts).toBeCloseTo(host[i - 1].ts + host[i - 1].dur, 6);
    expect(events).toHaveLength(facts.profile.nodes.length);
    expect(events[0].ts).toBe(host[1].ts);
    let [end, idle] = [events[0].ts, 0];
    for (const { name, cat, ts, dur, args } of events) {
      const node = facts.profile.nodes.find((row: { node: string }) => row.node === name);
      expect(ts, name).toBeGreaterThanOrEqual(end - 1e-3);
      expect(dur, name).toBeGreaterThan(0);
      expect(cat).toBe(node.kernel);
      expect(args).toMatchObject({ kernel: node.kernel, variant: node.variant });
      expect(args.gflopsPerSecond).toBeCloseTo(args.flops / dur / 1e3, 6);
      idle += ts - end;
      end = ts + dur;
    }
    // Laid end to end there would be no gaps.
    expect(idle).toBeGreaterThan(0);
    expect(end).toBeLessThanOrEqual(host[2].ts + host[2].dur);
    expect(events.at(-1).name).toBe("precond_out");
    expect(otherData).toMatchObject({ adapter: gpu.info.name, batch: 2 });
  });

  it("the text says the same in 80 columns, in f16 where the adapter has it", async () => {
    const precision = gpu.features.includes("shader-f16") ? "f16" : "f32";
    const args = ["bench", "--net", TINY, "--batch", "1", "--runs", "1", "--profile", "--precision", precision];
    const { stdout, stderr } = await cliOk([...args, ...adapter]);
    expect(stderr).toBe("");
    const lines = stdout.trimEnd().split("\n");
    expect(lines[0]).toBe(`adapter      ${gpu.info.name}, ${precision}`);
    for (const line of lines) if (!line.startsWith("network ")) expect(line.length, line).toBeLessThanOrEqual(80);
    expect(stdout).toMatch(/^peaks +[\d.]+ GFLOP\/s \(f32 multiply-adds\), [\d.]+ GB\/s \(copy\)$/m);
    expect(stdout).toMatch(/^ {2}wall +[\d.]+ ms median, [\d.]+ ms minimum$/m);
    expect(stdout).toMatch(/^ {2}allocated +0 GPU buffers after the first evaluation$/m);
    const rest = facts.profile.nodes.length - 30;
    expect(
      lines.filter((line) => /^ *[\d.]+% .* (gemm|conv|attention|linear|mp-\w+|winograd-\w+) \S/.test(line)).length,
    ).toBeGreaterThan(5);
    expect(stdout).toMatch(new RegExp(`^and ${rest} nodes more: [\\d.]+ ms \\(all with --json\\)$`, "m"));
    for (const { kernel } of facts.profile.kernels) expect(stdout).toMatch(new RegExp(`^.*\\d+ ${kernel}$`, "m"));
  });

  it("an adapter without timestamp queries gets the clock's times, and is told so", async () => {
    const native = await (await loadNativeGpu(TEST_ADAPTER ? { adapter: TEST_ADAPTER } : {})).requestAdapter();
    const features = ["shader-f16", "subgroups"].filter((f) => native!.features.has(f)) as GPUFeatureName[];
    const device = await native!.requestDevice({ requiredFeatures: features });
    const plain = new Gpu(native!, device, "f32", undefined);
    try {
      const { network, flops } = await planNetwork(TINY, 1);
      const program = await startNetwork(plain, TINY, network, new Stopwatch());
      const peaks = [await fmaPeak(plain), await copyPeak(plain)];
      for (const peak of peaks) expect(peak.best).toBeGreaterThan(0);
      const times = await measureNetwork(program, { net: TINY, batch: 1, flops, runs: 2 }, peaks);
      expect(times).toMatchObject({ gpuMs: null, kernelSumMs: null, wallOverSum: null, allocations: 0 });
      expect(times.wallMs.min).toBeGreaterThan(0);
      expect(times.nodes.map((node) => node.node)).toEqual(network.graph.nodes.map((node) => node.name));
      for (const { ms } of times.nodes) expect(ms).toBeGreaterThan(0);
      const best = { gflopsPerSecond: peaks[0]!.best, gbPerSecond: peaks[1]!.best };
      const header = headerLines({ adapter: plain.info.name, precision: "f32", timestamps: false, peaks: best });
      expect(header.join("\n")).toMatch(/^note +no timestamp queries: times and peaks include the wait for the GPU$/m);
      const text = [...header, ...networkLines(times, best, {}), ...profileLines(times.nodes, best)];
      expect(text.join("\n")).not.toMatch(/^ {2}GPU|^ {2}kernels|NaN|null/m);
    } finally {
      plain.close();
    }
  });
});

it("memory that does not suffice for the batch: says what to do", async () => {
  const small = await openTestGpu({ memoryLimit: 32 * 2 ** 20 });
  try {
    const { network } = await planNetwork(TINY, 256);
    const refused = startNetwork(small, TINY, network, new Stopwatch());
    await expect(refused).rejects.toThrow(
      /^The network at batch 256 .*of GPU memory are left: give a smaller --batch\.$/,
    );
  } finally {
    small.close();
  }
});

describe("bench --kernels", () => {
  it("checks and times every kernel on its largest case", async () => {
    const result = JSON.parse((await cliOk(["bench", "--kernels", "--runs", "1", "--json", ...adapter])).stdout);
    expect(result.kernels.map((row: { kernel: string }) => row.kernel)).toEqual(kernels.map((kernel) => kernel.name));
    for (const [i, row] of result.kernels.entries()) {
      const kernel = kernels[i]!;
      expect(row).toMatchObject({ kernel: kernel.name, ok: true });
      expect(row.error).toBeLessThanOrEqual(kernel.tolerance.f32);
      expect(row.ms).toBeGreaterThan(0);
      const work = kernel.cases.map(({ params }) => kernel.cost(params, 4, 4)).map(({ flops, bytes }) => flops + bytes);
      expect(row.flops + row.bytes).toBe(Math.max(...work));
    }
  });

  it("does not time a kernel that computes wrongly", async () => {
    const wrong: typeof scale = {
      ...scale,
      reference(params, inputs) {
        const right = scale.reference(params, inputs);
        return Object.fromEntries(Object.entries(right).map(([name, values]) => [name, values.map((v) => v + 0.01)]));
      },
    };
    const [good, bad] = await measureKernels(gpu, 1, [], [scale, wrong]);
    expect(good).toMatchObject({ kernel: "scale", ok: true, ms: expect.any(Number) });
    expect(bad).toMatchObject({ kernel: "scale", ok: false, ms: null });
  });
});

describe.concurrent("bench refuses in one sentence, with exit 2", () => {
  const cases: [what: string, args: string[], says: RegExp][] = [
    ["no runs", ["--runs", "0"], /^--runs "0": must be a whole number from 1 to 10000$/],
    [
      "a batch that no kernel can index",
      ["--batch", "65536"],
      /^--batch 65536 is too large for this network \(.*\): give a smaller one\.$/,
    ],
    ["a trace over a folder", ["--trace", fixturePath("heun")], /heun cannot be written: it is a folder$/],
    ["an unknown precision", ["--precision", "f8"], /^--precision "f8": must be f32, f16, f16-weights or auto$/],
  ];
  for (const [what, args, says] of cases) {
    it(what, async () => {
      const result = await cliRefused(["bench", ...args, ...adapter]);
      expect(sentence(result)).toMatch(says);
    });
  }

  it("--kernels with a network's options; a checkpoint that is not there leaves no trace (exit 1)", async () => {
    const both = await cliRefused(["bench", "--kernels", "--profile"]);
    expect(both.stderr).toMatch(/^ncvsd-gpu: option '--kernels' cannot be used with option '--profile'$/m);
    const missing = await cli(["bench", "--net", place("nowhere.safetensors"), "--trace", place("never/trace.json")]);
    expect({ code: missing.code, stdout: missing.stdout }).toEqual({ code: 1, stdout: "" });
    expect(sentence(missing)).toMatch(/nowhere\.safetensors' does not exist/);
    expect(filesIn(place("never"))).toEqual([]);
  });
});
