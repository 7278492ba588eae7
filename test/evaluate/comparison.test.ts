import { describe, expect, it } from "vitest";
import { randomMixture } from "../../src/data/mixtures.js";
import {
  compareMethods,
  exactMethod,
  gridMethod,
  type Method,
  seedSummaries,
  summary,
} from "../../src/evaluate/comparison.js";
import { comparisonPage } from "../../src/evaluate/comparison-page.js";
import { kernelDensity } from "../../src/evaluate/density-plot.js";
import type { Gpu } from "../../src/gpu/device.js";
import { gaussianMixture } from "../../src/priors/mixture.js";
import { mixtureDensity } from "../../src/sample/particles/density.js";
import { withTestGpu } from "../support/gpu.js";

let gpu: Gpu;
withTestGpu((opened) => {
  gpu = opened;
});

describe("comparison of methods", () => {
  it("an estimate of a density has the area 1, and keeps a narrow mode beside a wide one", () => {
    const normal = gaussianMixture({ means: [0], covs: [1], weights: [1] }).sample(2000, 1);
    const samples = Float64Array.from(normal, (v, i) => (i % 2 === 0 ? 2 + 0.05 * v : -2 + 0.6 * v));
    const points = kernelDensity(samples, [-5, 5], 400);
    const area = points.reduce((sum, [, y]) => sum + (y * 10) / 399, 0);
    expect(area).toBeCloseTo(1, 2);
    // Half of the samples within 0.05 of 2: at most 0.5 / (0.05 sqrt(2 pi)) = 4.
    expect(Math.max(...points.map(([, y]) => y))).toBeGreaterThan(2);
  });

  it("tells good from bad, point by point, and draws all of it", async () => {
    const mixture = randomMixture(2, 1);
    const drawn = mixture.sample(3, 2);
    const points = Array.from({ length: 3 }, (_, i) => drawn.slice(2 * i, 2 * i + 2));
    const nonsense: Method = {
      name: "nonsense",
      sample: async (values, particles) => ({
        samples: new Float32Array(values.length * particles).fill(5),
        cost: "none",
      }),
    };
    const results = await compareMethods([exactMethod(gpu, mixture, 0.1), nonsense], {
      mixture,
      sigma: 0.1,
      points,
      seeds: 2,
      particles: 256,
      show: 1,
      rows: 512,
    });
    const [exact, none] = results as [(typeof results)[0], (typeof results)[0]];
    expect([exact.clean.length, exact.smoothed.length, exact.shown.length]).toEqual([6, 6, 256]);
    expect(exact.cost).toMatch(/^\d+ gradients$/);
    expect(summary(exact.smoothed).mean).toBeLessThan(0.15);
    expect(Math.min(...none.smoothed)).toBeGreaterThan(2);
    expect(summary(Float64Array.of(3, 1, 2, 6))).toEqual({ mean: 3, median: 2.5, max: 6 });
    const given = { indices: [0], values: [points[1]![0]!] };
    const page = {
      title: "<test>",
      about: "about",
      results,
      points: 3,
      seeds: 2,
      particles: 256,
      shown: {
        given: "column 0",
        clean: mixture.conditional(given),
        smoothed: mixture.smoothed(0.1).conditional(given),
      },
      fields: {
        size: 5,
        range: [-1, 1] as const,
        all: [{ title: "truth", norms: Float64Array.from({ length: 25 }, (_, i) => i) }],
      },
    };
    const html = comparisonPage(page);
    expect(html).toContain(">seed 1<");
    expect(html).toContain("&lt;test&gt;");
    // Two densities, one field, two box plots, and nothing that is no number.
    expect(html.match(/<svg /g)?.length).toBe(5);
    expect(html).not.toMatch(/NaN|undefined/);
    // A few strays do not stretch the axis.
    const strayed = { ...exact, shown: exact.shown.map((v, i) => (i < 3 ? -1000 : v)) };
    expect(comparisonPage({ ...page, results: [strayed] })).not.toMatch(/>−[\d,]{3,}</);
  });
  it("networks take the seeds in turn", async () => {
    const [mixture, other] = [randomMixture(2, 1), randomMixture(2, 5)];
    const points = [Float64Array.of(0.3, 0), Float64Array.of(-0.8, 0)];
    const models = [mixture, other].map((own) => mixtureDensity(gpu, own));
    const settings = { mixture, sigma: 0.1, points, seeds: 3, particles: 200, show: 0, rows: 400 };
    const [result] = await compareMethods([gridMethod("grid", models)], settings);
    const [right, wrong, again] = seedSummaries(result!.smoothed, 3);
    expect(right!.max).toBeLessThan(0.3);
    expect(again!.max).toBeLessThan(0.3);
    expect(wrong!.mean).toBeGreaterThan(2 * right!.mean);
  });
});
