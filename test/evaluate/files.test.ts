import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { evaluateRows, statisticsOfKept } from "../../src/evaluate/evaluation.js";
import { combineShards, encodeFeatures, readFeatures } from "../../src/evaluate/feature-file.js";
import type { FeatureRows } from "../../src/evaluate/feature-rows.js";
import type { FeatureRun } from "../../src/evaluate/feature-run.js";
import { FrechetReference } from "../../src/evaluate/frechet.js";
import { selection } from "../../src/evaluate/selection.js";
import { momentsOf, RunningMoments, statisticsOf } from "../../src/evaluate/statistics.js";
import { normalSource } from "../../src/graph/run-kernel.js";
import { FeatureLog } from "../../src/runs/feature-log.js";
import { chooseShard, shardRange } from "../../src/runs/shard.js";
import { scratch } from "../support/cli.js";
import { relativeError, weightsPath } from "../support/fixtures.js";

const place = scratch();
mkdirSync(place("."), { recursive: true });
const network = { name: "fashion32-features", sha256: "a".repeat(64), dim: 4 };

const run: FeatureRun = {
  key: "k",
  n: 50,
  firstSeed: 100,
  checkpoint: { name: "net.safetensors", sha256: "c", architecture: "ncvsd" },
  options: { ts: [10] },
  evaluationsPerImage: 1,
  networks: [network],
  classes: 5,
  adapter: "a",
  version: "1",
};
const all = Float32Array.from({ length: 50 * 4 }, normalSource(2));

function rows(start: number, end: number): FeatureRows {
  const labels = Int32Array.from({ length: end - start }, (_, i) => (start + i) % 5);
  const predictions = labels.map((label, i) => ((start + i) % 7 === 0 ? (label + 1) % 5 : label));
  return { start, end, kept: [{ features: all.slice(start * 4, end * 4) }], labels, predictions, seconds: end - start };
}

const file = (
  name: string,
  start: number,
  end: number,
  index: number,
  count: number,
  change: Partial<FeatureRun> = {},
) => ({
  file: name,
  run: { ...run, ...change },
  shard: { index, count },
  rows: rows(start, end),
});

describe("shards", () => {
  const three = [file("1", 0, 16, 1, 3), file("2", 16, 33, 2, 3), file("3", 33, 50, 3, 3)];

  it("make up the run bit for bit, in whatever order and however cut", () => {
    const whole = combineShards([file("w", 0, 50, 1, 1)]).rows;
    for (const shards of [three, three.toReversed(), [file("a", 49, 50, 2, 2), file("b", 0, 49, 1, 2)]]) {
      const { rows: merged } = combineShards(shards);
      expect(merged).toEqual(whole);
    }
    const reference = new FrechetReference(
      statisticsOf(momentsOf(Float32Array.from({ length: 400 }, normalSource(3)), 4)),
    );
    const evaluation = evaluateRows(whole, run, [reference]);
    const [distance] = evaluation.distances;
    expect(distance!.fd).toBeGreaterThan(0);
    expect(evaluation.labels!.agreement).toBeCloseTo(1 - 8 / 50, 12);
    expect(evaluation.labels!.perClass.map((c) => c.n)).toEqual([10, 10, 10, 10, 10]);
    // Of few images it is a number, too, and a high one.
    expect(evaluateRows(rows(0, 4), run, [reference]).distances[0]!.fd).toBeGreaterThan(distance!.fd);
  });

  it("that overlap are named with their seeds", () => {
    const twice = file("2b", 20, 40, 2, 3);
    expect(() => combineShards([...three, twice])).toThrow(
      "2 and 2b both have seeds 120 to 132: they would be counted twice",
    );
    expect(() => combineShards([three[0]!, three[0]!, three[1]!, three[2]!])).toThrow("both have seeds 100 to 115");
  });

  it("that are missing are named", () => {
    expect(() => combineShards([three[1]!])).toThrow(
      "shards 1/3, 3/3 are missing (seeds 100 to 115, seeds 133 to 149)",
    );
    expect(() => combineShards([three[0]!, three[1]!])).toThrow("shard 3/3 is missing (seeds 133 to 149)");
    expect(() => combineShards([])).toThrow("no shard was named");
  });

  it("of different runs are refused, saying what differs", () => {
    const other = (change: Partial<FeatureRun>) => () => combineShards([three[0]!, file("x", 16, 50, 2, 2, change)]);
    expect(other({ n: 60 })).toThrow("1 and x are of different runs (--n: 50 and 60)");
    expect(other({ firstSeed: 0 })).toThrow("--seed: 100 and 0");
    expect(other({ key: "other", options: { ts: [12] } })).toThrow('options: {"ts":[10]} and {"ts":[12]}');
    expect(other({ networks: [{ ...network, name: "inception" }] })).toThrow(
      "feature networks: fashion32-features and inception",
    );
    expect(other({ networks: [{ ...network, dim: 8 }] })).toThrow("features: 4 and 8");
    expect(other({ networks: [{ ...network, sha256: "f".repeat(64) }] })).toThrow("weights of fashion32-features");
    expect(other({ checkpoint: { ...run.checkpoint, sha256: "d" } })).toThrow("checkpoint");
  });

  it("are cut without gaps", () => {
    for (const [n, count] of [
      [50, 3],
      [7, 7],
      [5000, 64],
      [3, 8],
    ] as const) {
      let at = 0;
      for (let index = 1; index <= count; index++) {
        const { start, end } = shardRange(n, { index, count });
        expect(start).toBe(at);
        expect(end - start).toBeLessThanOrEqual(Math.ceil(n / count));
        at = end;
      }
      expect(at).toBe(n);
    }
  });
});

describe("feature files", () => {
  it("with a feature that is not finite are refused, naming the seed", async () => {
    const broken = rows(0, 10);
    (broken.kept[0] as { features: Float32Array }).features[4 * 3 + 1] = Number.NaN;
    writeFileSync(place("nan.safetensors"), encodeFeatures(broken, run, { index: 1, count: 1 }));
    await expect(readFeatures(place("nan.safetensors"))).rejects.toThrow(
      /feature 1 of seed 103 in .*nan.safetensors is NaN/,
    );
    await expect(readFeatures(weightsPath("fashion32-features.safetensors"))).rejects.toThrow(
      "was not written by `evaluate fd`",
    );
  });

  const batch = (start: number, end: number) => ({ ...rows(start, end), features: [all.slice(start * 4, end * 4)] });
  const shard = { index: 1, count: 1 };
  const open = (out: string, every = 10, change: object = {}, range = { start: 0, end: 50 }) =>
    FeatureLog.open({ ...run, ...change }, shard, range, { out, every });
  const same = (a: FeatureRows, b: FeatureRows) => {
    for (const key of ["start", "end", "kept", "labels", "predictions"] as const) expect(a[key]).toEqual(b[key]);
  };

  it("go on after a kill from the last piece that is whole, to the same bits", async () => {
    const out = place("killed.json");
    const first = await open(out);
    for (const [start, end] of [
      [0, 7],
      [7, 14],
      [14, 21],
      [21, 25],
    ] as const)
      first.append(batch(start, end));
    // Killed here: pieces 0-13, 14-24 were written (10 images or more each).
    const folder = place("killed.features.parts");
    expect(readdirSync(folder)).toEqual(["000000000.safetensors", "000000014.safetensors"]);
    const second = await open(out);
    expect(second.next).toBe(25);
    second.append(batch(25, 31));
    second.flush();
    const third = await open(out, 3);
    expect(third.next).toBe(31);
    third.append(batch(31, 50));
    same(await third.finish(), rows(0, 50));
    expect(() => readdirSync(folder)).toThrow();
    same((await readFeatures(place("killed.features.safetensors"))).rows, rows(0, 50));
    // All there: nothing left to do. And a longer run begins with what is there.
    expect((await open(out)).next).toBe(50);
    const longer = await open(out, 10, { n: 60 }, { start: 0, end: 60 });
    expect(longer.next).toBe(50);
    const shorter = await open(out, 10, { n: 20 }, { start: 0, end: 20 });
    same(await shorter.finish(), { ...rows(0, 20), seconds: 0 });
  });

  it("of other options are not overwritten without --force", async () => {
    const out = place("other.json");
    const log = await open(out);
    log.append(batch(0, 50));
    await log.finish();
    await expect(open(out, 10, { key: "different" })).rejects.toThrow("has features of another run");
    await expect(open(out, 10, { firstSeed: 7 })).rejects.toThrow("choose another --out, or begin anew with --force");
    const anew = await FeatureLog.open(
      { ...run, key: "different" },
      shard,
      { start: 0, end: 50 },
      { out, every: 10, force: true },
    );
    expect(anew.next).toBe(0);
  });

  it("are kept in memory only without a name", async () => {
    const log = await FeatureLog.open(run, shard, { start: 0, end: 50 }, { every: 8 });
    for (let at = 0; at < 50; at += 5) log.append(batch(at, at + 5));
    same(await log.finish(), rows(0, 50));
  });
});

describe("of many features the moments are kept", () => {
  const [dim, n] = [520, 600];
  const wide: FeatureRun = { ...run, n, networks: [network, { name: "wide", sha256: "b", dim }] };
  const values = Float32Array.from({ length: n * dim }, normalSource(4));
  const narrow = Float32Array.from({ length: n * 4 }, normalSource(5));
  const batch = (start: number, end: number) => ({
    features: [narrow.slice(start * 4, end * 4), values.slice(start * dim, end * dim)],
    labels: new Int32Array(end - start).fill(-1),
    predictions: new Int32Array(end - start).fill(-1),
  });
  const open = (out: string, index = 1, count = 1, total = n) =>
    FeatureLog.open({ ...wide, n: total }, { index, count }, shardRange(total, { index, count }), { out, every: 100 });

  it("a killed run goes on to the same bits, and cannot be cut short", async () => {
    const first = await open(place("wide.json"));
    for (const [start, end] of [
      [0, 90],
      [90, 220],
      [220, 300],
    ] as const)
      first.append(batch(start, end));
    // One piece, of everything so far.
    expect(readdirSync(place("wide.features.parts"))).toEqual(["000000000.safetensors"]);
    const second = await open(place("wide.json"));
    expect(second.next).toBe(220);
    second.append(batch(220, n));
    const found = await second.finish();
    const whole = new RunningMoments(dim);
    whole.push(values);
    expect(statisticsOfKept(found, wide, 1)).toEqual(statisticsOf(whole.moments()));
    expect((found.kept[0] as { features: Float32Array }).features).toEqual(narrow);
    expect((await readFeatures(place("wide.features.safetensors"))).rows.kept).toEqual(found.kept);
    await expect(open(place("wide.json"), 1, 1, 500)).rejects.toThrow(
      "moments of 600 images, which cannot be cut to 500",
    );
  });

  it("shards make up the run to rounding, whatever the order", async () => {
    const files = [];
    for (const index of [3, 1, 2]) {
      const log = await open(place(`part-${index}.json`), index, 3);
      const { start, end } = shardRange(n, { index, count: 3 });
      log.append(batch(start, end));
      await log.finish();
      files.push(await readFeatures(place(`part-${index}.features.safetensors`)));
    }
    const { cov } = statisticsOfKept(combineShards(files).rows, wide, 1);
    const exact = statisticsOf(momentsOf(values, dim));
    expect(relativeError(cov, exact.cov)).toBeLessThan(1e-14);
    const rows = combineShards(files).rows;
    const [a, b] = [0, 1].map((k) => new FrechetReference(statisticsOfKept(rows, wide, k)));
    const { distances } = evaluateRows(rows, wide, [undefined, b!]);
    expect(distances[0]).toBeUndefined();
    expect(distances[1]).toEqual({ fd: 0, curve: [{ n, fd: 0 }] });
    expect(evaluateRows(rows, wide, [a!, undefined]).distances[0]!.interval).toBeDefined();
  });
});

describe("which pictures are chosen", () => {
  it("are those that the reference's scripts choose", () => {
    expect([...selection(20, 7, 0)]).toEqual([1, 6, 8, 10, 17, 18, 19]);
    expect([...selection(20, 7, 1)]).toEqual([2, 3, 4, 6, 10, 14, 16]);
    expect([...selection(60, 10, 123456789)]).toEqual([0, 1, 4, 5, 13, 17, 22, 30, 33, 43]);
    expect([...selection(60, 10, 2 ** 31)]).toEqual([...selection(60, 10, 0)]);
    const most = selection(50500, 50000, 0);
    expect(most.reduce((a, b) => a + b, 0)).toBe(1262791263);
    expect([...selection(5, 5, 3)]).toEqual([0, 1, 2, 3, 4]);
    expect(() => selection(5, 6, 0)).toThrow("6 pictures are wanted of 5");
  });
});

describe("--shard", () => {
  const auto = (env: Record<string, string>, option: string | true = true) => chooseShard(option, env);

  it("is written as a part of a number", () => {
    expect(chooseShard(undefined, {})).toBeUndefined();
    expect(chooseShard("2/4", {})).toEqual({ index: 2, count: 4 });
    for (const text of ["0/4", "5/4"]) expect(() => chooseShard(text, {})).toThrow("from 1/4 to 4/4");
    for (const text of ["4", "a/b", "1/0", "-1/4", "1.5/4"]) expect(() => chooseShard(text, {})).toThrow("--shard");
  });

  it("comes from the scheduler's variables in an array job", () => {
    const slurm = {
      SLURM_ARRAY_TASK_ID: "5",
      SLURM_ARRAY_TASK_MIN: "4",
      SLURM_ARRAY_TASK_MAX: "7",
      SLURM_ARRAY_TASK_COUNT: "4",
    };
    expect(auto(slurm)).toEqual({ index: 2, count: 4 });
    const stepped = {
      ...slurm,
      SLURM_ARRAY_TASK_ID: "20",
      SLURM_ARRAY_TASK_MIN: "0",
      SLURM_ARRAY_TASK_MAX: "30",
      SLURM_ARRAY_TASK_STEP: "10",
    };
    expect(auto(stepped)).toEqual({ index: 3, count: 4 });
    expect(auto({ JOB_COMPLETION_INDEX: "0", JOB_COMPLETIONS: "8" })).toEqual({ index: 1, count: 8 });
    expect(auto({ JOB_COMPLETION_INDEX: "7" }, "auto/8")).toEqual({ index: 8, count: 8 });
    expect(auto({ AWS_BATCH_JOB_ARRAY_INDEX: "1", AWS_BATCH_JOB_ARRAY_SIZE: "2" })).toEqual({ index: 2, count: 2 });
    expect(auto({ SGE_TASK_ID: "3", SGE_TASK_FIRST: "1", SGE_TASK_LAST: "4", SGE_TASK_STEPSIZE: "1" })).toEqual({
      index: 3,
      count: 4,
    });
    expect(auto({ CLOUD_RUN_TASK_INDEX: "1", CLOUD_RUN_TASK_COUNT: "3" })).toEqual({ index: 2, count: 3 });
    expect(auto({ PARALLEL_SEQ: "2" }, "auto/3")).toEqual({ index: 2, count: 3 });
  });

  it("says what is wrong with them", () => {
    expect(() => auto({})).toThrow("no task of an array job that is known (Slurm (SLURM_ARRAY_TASK_ID)");
    expect(() => auto({ PARALLEL_SEQ: "2" })).toThrow(
      "GNU parallel does not tell how many tasks there are: write --shard auto/8",
    );
    expect(() => auto({ JOB_COMPLETION_INDEX: "2" })).toThrow("or set JOB_COMPLETIONS");
    expect(() => auto({ SLURM_ARRAY_TASK_ID: "3" })).toThrow("SLURM_ARRAY_TASK_MIN of Slurm is not set");
    const list = {
      SLURM_ARRAY_TASK_ID: "3",
      SLURM_ARRAY_TASK_MIN: "1",
      SLURM_ARRAY_TASK_MAX: "7",
      SLURM_ARRAY_TASK_COUNT: "3",
    };
    expect(() => auto(list)).toThrow("no plain range of numbers");
    expect(() => auto({ PARALLEL_SEQ: "4" }, "auto/3")).toThrow("from 1/3 to 3/3");
  });
});
