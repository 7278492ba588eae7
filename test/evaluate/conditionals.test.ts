import { describe, expect, it } from "vitest";
import {
  fisherError,
  gridQuantiles,
  gridWasserstein1,
  mixtureCdf,
  phiOnGrid,
} from "../../src/evaluate/conditionals.js";
import { normalCdf } from "../../src/evaluate/normal.js";
import type { Gpu } from "../../src/gpu/device.js";
import { gaussianMixture } from "../../src/priors/mixture.js";
import { mixtureDensity } from "../../src/sample/particles/density.js";
import { withTestGpu } from "../support/gpu.js";
import { RawTensors } from "../support/raw-tensors.js";

let gpu: Gpu;
withTestGpu((opened) => {
  gpu = opened;
});

const recorded = new RawTensors("priors/disco-d2.safetensors");
const d2 = gaussianMixture({
  means: recorded.values("d2.means"),
  covs: recorded.values("d2.covs"),
  weights: recorded.values("d2.weights"),
});
const points = recorded.values("d2.test_points");

describe("conditionals by integration", () => {
  it("the normal distribution function, to the last digits of tables", () => {
    expect(normalCdf(0)).toBe(0.5);
    for (const [x, value] of [
      [1, 0.8413447460685429],
      [-2.5, 0.006209665325776132],
      [4, 0.9999683287581669],
      [-4.5, 3.397673124730053e-6],
      [-10, 7.619853024160527e-24],
    ] as const)
      expect(Math.abs(normalCdf(x) / value - 1)).toBeLessThan(1e-12);
    expect([normalCdf(50), normalCdf(-50)]).toEqual([1, 0]);
  });

  it("the recorded distances, from the recorded phi", () => {
    const file = new RawTensors("disco/evaluation.safetensors");
    const grid = Float64Array.from({ length: 1201 }, (_, i) => -3.5 + i / 200);
    for (const [name, sigma] of [
      ["s10", 0.1],
      ["s07", 0.07],
    ] as const) {
      for (const [kind, mix] of [
        ["clean", d2],
        ["smoothed", d2.smoothed(0.1)],
      ] as const) {
        for (const n of [0, 1]) {
          const truth = mix.conditional({ indices: [0], values: [points[2 * n]!] });
          const phi = file.values("phi.f64").slice(1201 * n, 1201 * (n + 1));
          const expected = file.values(`${name}.${kind}.w1.f64`)[n]!;
          expect(Math.abs(gridWasserstein1(grid, phi, sigma, truth) - expected)).toBeLessThan(1e-7);
        }
      }
    }
  });

  it("quantiles of a density on a grid", () => {
    const truth = gaussianMixture({ means: [-1, 1], covs: [0.01, 0.04], weights: [0.3, 0.7] });
    const grid = Float64Array.from({ length: 1001 }, (_, i) => -3 + (6 * i) / 1000);
    const sigma = 0.1;
    const phi = Float64Array.from(truth.logDensity(grid), (l) => sigma ** 2 * l);
    const samples = gridQuantiles(grid, phi, sigma, 200);
    samples.forEach((x, i) => {
      expect(mixtureCdf(truth, x)).toBeCloseTo((i + 0.5) / 200, 4);
    });
  });

  it("the exact density is at no distance from its own conditionals, and has no Fisher error", async () => {
    const values = [points[0]!, points[2]!];
    const { grid, phi } = await phiOnGrid(mixtureDensity(gpu, d2), {
      given: { indices: [0], values },
      low: -4,
      high: 4,
      points: 801,
    });
    values.forEach((value, n) => {
      const own = phi.subarray(801 * n, 801 * (n + 1));
      const truth = (sigma: number) => d2.smoothed(sigma).conditional({ indices: [0], values: [value] });
      expect(gridWasserstein1(grid, own, 0.1, truth(0.1))).toBeLessThan(1e-4);
      expect(gridWasserstein1(grid, own, 0.1, truth(0.5))).toBeGreaterThan(0.02);
      expect(mixtureCdf(truth(0.1), 4)).toBeCloseTo(1, 9);
    });
    expect(await fisherError(mixtureDensity(gpu, d2), d2, { points: 512 })).toBeLessThan(1e-9);
    expect(await fisherError(mixtureDensity(gpu, d2.smoothed(0.1)), d2, { points: 512 })).toBeGreaterThan(0.01);
  });

  it("refuses a grid that is none", async () => {
    const density = mixtureDensity(gpu, d2);
    await expect(phiOnGrid(density, { given: { indices: [], values: [] }, low: -1, high: 1 })).rejects.toThrow(
      /2 coordinates are not observed/,
    );
    await expect(phiOnGrid(density, { given: { indices: [0], values: [0] }, low: 1, high: 1 })).rejects.toThrow(
      /larger high/,
    );
  });
});
