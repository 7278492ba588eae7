import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { openCheckpoint } from "../../src/checkpoint/index.js";
import { bootstrapInterval, sampleCurve } from "../../src/evaluate/bootstrap.js";
import { FrechetReference, fewSamples } from "../../src/evaluate/frechet.js";
import { frechetDistance } from "../../src/evaluate/same-features.js";
import {
  mergeMoments,
  momentsFrom,
  momentsOf,
  RunningMoments,
  type Statistics,
  statisticsOf,
} from "../../src/evaluate/statistics.js";
import { normalSource } from "../../src/graph/run-kernel.js";
import { fixturePath, relativeError } from "../support/fixtures.js";

const recording = await openCheckpoint(new Uint8Array(readFileSync(fixturePath("metrics/frechet.safetensors"))));
const f64 = async (name: string) => new Float64Array((await recording.readBytes(name)).slice().buffer);
const DIM = 64;
const features = { A: await recording.readF32("A.features"), B: await recording.readF32("B.features") };
const recorded = { distance: (await f64("distance"))[0]!, self: (await f64("distance_self"))[0]! };

function statistics(rows: ArrayLike<number>, dim = DIM): Statistics {
  return statisticsOf(momentsOf(rows, dim));
}

function gaussian(n: number, dim: number, seed: number, map: (v: number, i: number) => number = (v) => v) {
  const random = normalSource(seed);
  return Float32Array.from({ length: n * dim }, (_, k) => map(random(), k % dim));
}

describe("mean and covariance", () => {
  it("are those recorded from the reference implementation, streamed in batches of any size", async () => {
    for (const name of ["A", "B"] as const) {
      const rows = features[name];
      const results = [1, 7, 64, 1000].map((batch) => {
        const running = new RunningMoments(DIM);
        for (let at = 0; at < rows.length; at += batch * DIM) running.push(rows.subarray(at, at + batch * DIM));
        return statisticsOf(running.moments());
      });
      expect(relativeError(results[0]!.mean, await f64(`${name}.mu`))).toBeLessThan(1e-13);
      expect(relativeError(results[0]!.cov, await f64(`${name}.sigma`))).toBeLessThan(1e-12);
      for (const other of results.slice(1)) expect(other).toEqual(results[0]);
    }
  });

  it("keep their digits far from 0, where E[x^2] - E[x]^2 has none", () => {
    const rows = Float64Array.from(gaussian(1000, 3, 5));
    const far = rows.map((v) => v + 1e8);
    const running = new RunningMoments(3);
    running.push(far);
    const near = statistics(
      far.map((v) => v - 1e8),
      3,
    );
    expect(relativeError(statisticsOf(running.moments()).cov, near.cov)).toBeLessThan(1e-7);
  });

  it("merge exactly, in any order and from uneven parts", () => {
    const whole = momentsOf(features.A, DIM);
    const parts = [
      momentsOf(features.A, DIM, 0, 13),
      momentsOf(features.A, DIM, 13, 200),
      momentsOf(features.A, DIM, 200),
    ];
    for (const order of [parts, parts.toReversed()]) {
      const merged = mergeMoments(order, DIM);
      expect(merged.count).toBe(whole.count);
      expect(relativeError(merged.products, whole.products)).toBeLessThan(1e-13);
    }
    const again = momentsFrom(statisticsOf(whole), "it");
    expect(relativeError(again.products, whole.products)).toBeLessThan(1e-14);
    expect(() => momentsFrom({ ...statisticsOf(whole), count: undefined }, "x.npz")).toThrow(
      "x.npz does not say how many",
    );
  });

  it("refuse features that are not finite, and name the image", () => {
    const rows = gaussian(10, 4, 1);
    rows[4 * 7 + 2] = Number.NaN;
    const running = new RunningMoments(4);
    expect(() => running.push(rows, (i) => `seed ${100 + i}`)).toThrow(/feature 2 of seed 107 is NaN/);
  });
});

describe("Frechet distance", () => {
  it("is the recorded one", () => {
    const [a, b] = [statistics(features.A), statistics(features.B)];
    expect(recorded.distance).toBeGreaterThan(29);
    expect(Math.abs(frechetDistance(a, b) / recorded.distance - 1)).toBeLessThan(1e-9);
    expect(Math.abs(frechetDistance(b, a) / recorded.distance - 1)).toBeLessThan(1e-9);
    expect(frechetDistance(a, a)).toBeLessThan(1e-9);
    expect(Math.abs(recorded.self)).toBeLessThan(1e-5);
  });

  it("is the closed form where covariances commute, of singular ones too", () => {
    const diagonal = (mean: number[], deviations: number[]): Statistics => ({
      count: 100,
      mean: Float64Array.from(mean),
      cov: Float64Array.from({ length: 9 }, (_, k) => (k % 4 === 0 ? deviations[k / 4]! ** 2 : 0)),
    });
    const [a, b] = [diagonal([1, 2, 3], [1, 2, 0]), diagonal([0, 2, 5], [3, 0, 0])];
    expect(frechetDistance(a, b)).toBeCloseTo(1 + 4 + 4 + 4, 10);
  });

  it("of a rank-deficient covariance agrees with the other order of the two", () => {
    const [few, many] = [statistics(gaussian(40, 64, 3)), statistics(gaussian(500, 64, 4, (v, i) => v * (1 + i / 64)))];
    expect(Math.abs(frechetDistance(few, many) / frechetDistance(many, few) - 1)).toBeLessThan(1e-6);
  });

  it("of few samples is a number with a remark", () => {
    expect(fewSamples(64, { dim: 64 }, "x.npz")).toContain(
      "x.npz: 64 images do not determine the covariance of 64 features",
    );
    expect(fewSamples(65, { dim: 64 }, "x.npz")).toBeUndefined();
    expect(fewSamples(undefined, { dim: 64 }, "x.npz")).toBeUndefined();
  });

  it("refuses what is no covariance", () => {
    const good = statistics(features.A);
    const change = (at: number, value: number) => {
      const cov = good.cov.slice();
      cov[at] = value;
      return new FrechetReference({ ...good, cov }, "ref.npz");
    };
    expect(() => change(1, 1e9)).toThrow("ref.npz: the covariance is not symmetric");
    expect(() => change(0, -1e4)).toThrow("negative variance");
    const none = { count: 9, mean: new Float64Array(2), cov: Float64Array.of(1, 2, 2, 1) };
    expect(() => new FrechetReference(none)).toThrow("a covariance above what their variances allow");
    const turned = [1, -0.9, -0.9, -0.9, 1, -0.9, -0.9, -0.9, 1];
    const third = { count: 9, mean: new Float64Array(3), cov: Float64Array.from(turned) };
    expect(() => new FrechetReference(third)).toThrow("clearly negative eigenvalues");
    expect(() => change(5, Number.NaN)).toThrow("features 0 and 5 is NaN");
    expect(() => new FrechetReference({ ...good, cov: good.cov.slice(1) }, "ref.npz")).toThrow("64x64");
  });
});

describe("bootstrap", () => {
  const dim = 8;
  const reference = new FrechetReference(statistics(gaussian(20_000, dim, 99), dim));
  const shifted = (seed: number) => gaussian(600, dim, seed, (v, i) => 1.3 * v + (i === 0 ? 0.5 : 0));

  it("covers what other runs of the same size give", () => {
    const others = Array.from({ length: 40 }, (_, k) => reference.distance(statistics(shifted(1000 + k), dim)));
    const intervals = Array.from({ length: 20 }, (_, k) => bootstrapInterval(shifted(k), reference)!);
    const mean = others.reduce((a, b) => a + b, 0) / others.length;
    // 19 of 20 are expected; below 16 would happen once in 400 times.
    expect(intervals.filter(({ low, high }) => low <= mean && mean <= high).length).toBeGreaterThanOrEqual(16);
    const widths = intervals.map(({ low, high }) => high - low);
    const sorted = others.toSorted((a, b) => a - b);
    const spread = sorted[38]! - sorted[1]!;
    const width = widths.reduce((a, b) => a + b, 0) / widths.length;
    // 95% intervals: as wide as the spread of the middle 95% of other runs, within a third.
    expect(width / spread).toBeGreaterThan(0.66);
    expect(width / spread).toBeLessThan(1.5);
  });

  it("is the same every time and lies about the distance", () => {
    const rows = shifted(7);
    const first = bootstrapInterval(rows, reference, { unit: 10 })!;
    expect(bootstrapInterval(rows, reference, { unit: 10 })).toEqual(first);
    const fd = reference.distance(statistics(rows, dim));
    expect(first.low).toBeLessThan(fd);
    expect(first.high).toBeGreaterThan(fd);
    expect(first.groups).toBe(60);
  });

  it("is left out where there are too few groups", () => {
    expect(bootstrapInterval(shifted(1).subarray(0, 50 * dim), reference, { unit: 10 })).toBeUndefined();
  });

  it("the curve over samples falls towards the whole run's distance", () => {
    const rows = shifted(3);
    const curve = sampleCurve(rows, reference, 10);
    expect(curve.at(-1)!.n).toBe(600);
    expect(curve.at(-1)!.fd).toBeCloseTo(reference.distance(statistics(rows, dim)), 10);
    expect(curve.length).toBeGreaterThan(3);
    expect(curve[0]!.fd).toBeGreaterThan(curve.at(-1)!.fd);
  });
});
