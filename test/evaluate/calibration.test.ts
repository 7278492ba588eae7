import { describe, expect, it } from "vitest";
import {
  calibrationFactor,
  coverage,
  densityRanks,
  mmseGap,
  rankHistogram,
  ranks,
} from "../../src/evaluate/calibration.js";
import { slicedWasserstein } from "../../src/evaluate/wasserstein.js";
import { RawTensors } from "../support/raw-tensors.js";

describe("measures, against recordings in float64", () => {
  for (const name of ["calibrated", "narrow", "ties"]) {
    it(name, () => {
      const file = new RawTensors(`priors/measures_${name}.safetensors`);
      const of = (key: string) => file.values(key);
      const { samples: count, coordinates, levels, bins } = JSON.parse(file.metadata.config!);
      const [samples, truths] = [of("samples"), of("truths")];
      const own = ranks({ samples, truths, count, coordinates, uniforms: of("uniforms") });
      expect(Array.from(own)).toEqual(Array.from(of("ranks")));
      const above = densityRanks({ truths: of("log_density.truths"), samples: of("log_density.samples"), count });
      expect(Array.from(above)).toEqual(Array.from(of("hpd.ranks")));
      levels.forEach((level: number, at: number) => {
        for (const [kind, list] of [
          ["central", own],
          ["hpd", above],
        ] as const) {
          const found = coverage({ ranks: list, count, level, kind });
          expect(found.observed).toBeCloseTo(of(`coverage.${kind}`)[at]!, 14);
          expect(found.expected).toBeCloseTo(of(`coverage.${kind}.expected`)[at]!, 14);
        }
      });
      expect(Array.from(rankHistogram({ ranks: own, count, bins: count + 1 }).counts)).toEqual(
        Array.from(of("rank_histogram")),
      );
      const histogram = rankHistogram({ ranks: own, count });
      expect(histogram.bins).toBe(bins);
      expect(Array.from(histogram.counts)).toEqual(Array.from(of("rank_histogram.binned")));
      expect(histogram.chi2).toBeCloseTo(of("chi2")[0]!, 10);
      const set = { samples, count, coordinates };
      const { gap, corrected } = mmseGap({ ...set, mean: of("posterior.mean"), variance: of("posterior.variance") });
      expect(gap).toBeCloseTo(of("mmse_gap")[0]!, 12);
      expect(corrected).toBeCloseTo(of("mmse_gap.corrected")[0]!, 12);
      expect(calibrationFactor({ ...set, truths })).toBeCloseTo(of("calibration_factor")[0]!, 12);

      // The samples of the first case beside another number of points.
      const first = samples.subarray(0, count * coordinates);
      const directions = of("directions");
      expect(slicedWasserstein(first, of("other"), { coordinates, directions })).toBeCloseTo(of("sliced_w1")[0]!, 12);
      of("sliced_w1.per_direction").forEach((expected, d) => {
        const one = directions.subarray(d * coordinates, (d + 1) * coordinates);
        expect(slicedWasserstein(first, of("other"), { coordinates, directions: one })).toBeCloseTo(expected, 12);
      });
    });
  }
});

describe("measures by hand", () => {
  it("decide ties by the uniform, in the middle without one", () => {
    const tied = { samples: [1, 2, 2, 3], truths: [2], count: 4, coordinates: 1 };
    expect(Array.from(ranks(tied))).toEqual([2]);
    expect(Array.from(ranks({ ...tied, uniforms: [0] }))).toEqual([1]);
    expect(Array.from(ranks({ ...tied, uniforms: [0.99] }))).toEqual([3]);
  });

  it("expect of four samples the levels that four samples know", () => {
    const list = [0, 1, 2, 3, 4];
    expect(coverage({ ranks: list, count: 4, level: 0.5, kind: "central" })).toMatchObject({
      observed: 0.6,
      expected: 0.6,
    });
    expect(coverage({ ranks: list, count: 4, level: 0.9, kind: "central" }).expected).toBe(0.6);
    expect(coverage({ ranks: list, count: 4, level: 0.5, kind: "hpd" })).toMatchObject({
      observed: 0.6,
      expected: 0.6,
    });
  });

  it("have a band of cases, not of coordinates", () => {
    const list = Array<number>(80).fill(2);
    const width = (coordinates: number) => {
      const { band } = coverage({ ranks: list, count: 4, level: 0.5, kind: "central", coordinates });
      return band[1] - band[0];
    };
    expect(width(1)).toBeCloseTo(2 * 1.96 * Math.sqrt((0.6 * 0.4) / 80), 12);
    expect(width(4)).toBeCloseTo(2 * width(1), 12);
  });

  it("project on directions of length 1, the same for the same seed", () => {
    const a = Float64Array.from({ length: 300 }, (_, i) => Math.sin(i));
    const moved = a.map((v) => v + 2);
    const options = { coordinates: 3, projections: 200 };
    const found = slicedWasserstein(a, moved, options);
    expect(slicedWasserstein(a, moved, options)).toBe(found);
    expect(slicedWasserstein(a, moved, { ...options, seed: 1 })).not.toBe(found);
    // A shift by v is met as the mean of |v . direction| = |v|/2 in three dimensions.
    expect(found / Math.hypot(2, 2, 2)).toBeCloseTo(0.5, 1);
  });

  it("say what is wrong", () => {
    const set = { samples: [1, 2, 3, 4], truths: [1, 2], count: 2, coordinates: 1 };
    expect(() => ranks({ ...set, truths: [1] })).toThrow(/truths holds 1 values where 2 cases have 2/);
    expect(() => ranks({ ...set, count: 3 })).toThrow(/no positive multiple of 3 x 1/);
    expect(() => ranks({ ...set, samples: [1, 2, 3, Number.NaN] })).toThrow(/samples holds NaN at index 3/);
    expect(() => ranks({ ...set, uniform: [0] } as never)).toThrow(/did you mean uniforms/);
    expect(() => coverage({ ranks: [5], count: 4, level: 0.5, kind: "hpd" })).toThrow(/holds 5 at index 0/);
    expect(() => coverage({ ranks: [1], count: 4, level: 50, kind: "hpd" })).toThrow(/level must be between 0 and 1/);
    expect(() => rankHistogram({ ranks: [1], count: 4, bins: 3 })).toThrow(/bins must divide 5/);
    expect(() => calibrationFactor({ ...set, truths: [1, 2, 3, 4], count: 1 })).toThrow(/at least 2 samples/);
    expect(() => slicedWasserstein([1, 2, 3], [1, 2], { coordinates: 2 })).toThrow(/a holds 3 values/);
  });
});
