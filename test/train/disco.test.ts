import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { TILE } from "../../kernels/energy/posterior-tiles/kernel.js";
import { normals } from "../../kernels/lib/philox.js";
import type { Gpu } from "../../src/gpu/device.js";
import { loadDisco } from "../../src/networks/energy/model.js";
import { openDisco } from "../../src/train/disco.js";
import { rateOf } from "../../src/train/disco-settings.js";
import { tiled } from "../../src/train/tiles.js";
import { Recording, relativeError } from "../support/fixtures.js";
import { withTestGpu } from "../support/gpu.js";

let gpu: Gpu;
withTestGpu((opened) => {
  gpu = opened;
});

test("steps as recorded in float64: losses, parameters, average", async () => {
  const recording = await Recording.open("disco/adam.safetensors");
  const { lr, beta1, beta2, ema } = recording.meta<{ lr: number; beta1: number; beta2: number; ema: number }>(
    "config",
  )!;
  const network = new Map<string, Float32Array>();
  for (const name of recording.names)
    if (name.startsWith("p0.")) network.set(name.slice(3), await recording.values(name));
  const run = await openDisco(gpu, { network, lr, betas: [beta1, beta2], emaRate: ema, batch: 16 });
  const [x, target, weight] = await Promise.all(["x", "target", "weight"].map((name) => recording.values(name)));
  const losses = await recording.truth("losses");
  for (let i = 0; i < losses.length; i++) {
    const part = (values: Float32Array, each: number) => values.subarray(16 * each * i, 16 * each * (i + 1));
    const { loss } = await run.step({ x: part(x!, 2), target: part(target!, 2), weight: part(weight!, 1) });
    expect(Math.abs(loss / losses[i]! - 1)).toBeLessThan(3e-6);
  }
  for (const [name, values] of await run.parameters())
    expect(relativeError(values, await recording.truth(`p5.${name}`)), name).toBeLessThan(5e-6);
  for (const [name, values] of await run.parameters({ ema: true }))
    expect(relativeError(values, await recording.truth(`ema5.${name}`)), name).toBeLessThan(5e-6);
  await expect(run.train(1)).rejects.toThrow("no data to draw from");
  run.close();
});

/** Two clusters on a line, apart by 2. */
const data = Float32Array.from(normals(1, 0, 600), (z, i) => (i % 2 === 0 ? (i % 4 === 0 ? 1 : -1) : 0) + 0.1 * z);
const options = { data, dims: 2, width: 32, batch: 64, lr: 2e-3, seed: 3 } as const;

test("goes on from its state to the same bits, in submissions of any size, and gives a weight file", async () => {
  const dir = mkdtempSync(join(tmpdir(), "disco-"));
  try {
    const whole = await openDisco(gpu, options);
    const losses = await whole.train(9);
    const first = await openDisco(gpu, options);
    await first.step();
    await first.train(3);
    await first.save(dir);
    first.close();
    const second = await openDisco(gpu, { ...options, resume: dir });
    expect(second.steps).toBe(4);
    expect(await second.train(5)).toEqual(losses.subarray(4));
    expect(await second.parameters({ ema: true })).toEqual(await whole.parameters({ ema: true }));
    await expect(openDisco(gpu, { ...options, seed: 4, resume: dir })).rejects.toThrow("trained with seed 3, not 4");
    const model = await loadDisco(gpu, await second.snapshot());
    expect(model.config.box_high![0]).toBeGreaterThan(1.3);
    const network = await second.parameters({ ema: true });
    const again = await loadDisco(gpu, network);
    const x = data.subarray(0, 40);
    expect((await model.evaluate({ x })).output).toEqual((await again.evaluate({ x })).output);
    for (const open of [model, again, whole, second]) open.close();
  } finally {
    rmSync(dir, { recursive: true });
  }
});

const x = Float32Array.from({ length: 128 }, (_, i) => (i % 2 === 0 ? (i - 64) / 40 : Math.sin(i) / 2));

describe("every kind of posterior, network and weight learns", () => {
  for (const [name, more] of Object.entries({
    exact: { posterior: "exact" },
    "a draw of the minibatch": { posterior: "minibatch", target: "draw" },
    "a subset, 1/sigma^2": { posterior: "subset:100", weight: "1/sigma^2", uniform: 0 },
    "direct, 1/sigma": { energy: false, weight: "1/sigma" },
  } as const)) {
    test(name, async () => {
      const run = await openDisco(gpu, { ...options, ...more });
      // The loss at points that stay the same, before and after.
      const labels = Float32Array.from({ length: 64 }, (_, i) => i);
      const target = x.map((v, i) => (i % 2 === 0 ? Math.sign(v) - v : -v));
      const probe = async () => (await run.step({ x, target, weight: new Float32Array(64).fill(1), labels })).loss;
      const before = await probe();
      const losses = await run.train(100);
      expect(losses.every((loss) => loss > 0)).toBe(true);
      expect(await probe()).toBeLessThan(0.9 * before);
      run.close();
    });
  }
});

test("the diffusion counterpart learns", async () => {
  const run = await openDisco(gpu, { ...options, diffusion: true });
  const losses = await run.train(60);
  const mean = (values: Float32Array) => values.reduce((a, b) => a + b) / values.length;
  expect(mean(losses.subarray(40))).toBeLessThan(0.8 * mean(losses.subarray(0, 20)));
  await expect(run.step({ x })).rejects.toThrow("must be given as target");
  run.close();
});

describe("targets that are drawn are the posterior's means", () => {
  // More than a few data lie in tiles, which say where not to look.
  const many = Float32Array.from({ length: 6000 }, (_, i) => data[i % data.length]! + 0.2 * Math.sin(i));
  for (const [name, points] of [
    ["of few", data],
    ["of many", many],
  ] as const)
    test(name, async () => {
      const run = await openDisco(gpu, { ...options, data: points, posterior: "exact" });
      expect(run.settings.tiles).toBe(points === many);
      // Between the clusters, nearer to the right one by far in units of the posterior; and outside.
      for (const at of [
        [0.4, 0],
        [-3, 2],
      ]) {
        const model = await loadDisco(gpu, await run.parameters());
        const { loss } = await run.step({ x: Float32Array.from(at), weight: Float32Array.of(1) });
        const target = posteriorMean(points, at, 0.1).map((v, d) => v - at[d]!);
        const { output } = await model.evaluate({ x: Float32Array.from(at) });
        const expected = ((output[0]! - target[0]!) ** 2 + (output[1]! - target[1]!) ** 2) / 2;
        expect(loss / expected).toBeCloseTo(1, 4);
        model.close();
      }
      run.close();
    });

  test("tiles hold every point once, within their bounds", () => {
    const { data: sorted, bounds } = tiled(many, 2);
    const pairs = (values: Float32Array) =>
      Array.from({ length: values.length / 2 }, (_, i) => `${values[2 * i]} ${values[2 * i + 1]}`).sort();
    expect(pairs(sorted)).toEqual(pairs(many));
    const inside = (i: number, d: number) => {
      const at = 4 * Math.floor(i / TILE) + d;
      return bounds[at]! <= sorted[2 * i + d]! && sorted[2 * i + d]! <= bounds[at + 2]!;
    };
    for (let i = 0; i < many.length / 2; i++) expect(inside(i, 0) && inside(i, 1)).toBe(true);
    // Neighbours: the tiles' areas together are not much more than that of all.
    const widths = Array.from({ length: bounds.length / 4 }, (_, t) =>
      [0, 1].map((d) => bounds[4 * t + 2 + d]! - bounds[4 * t + d]!),
    );
    expect(widths.reduce((sum, [a, b]) => sum + a! * b!, 0)).toBeLessThan(1.1 * 3 * 1.2);
  });
});

function posteriorMean(data: Float32Array, x: readonly number[], sigma: number): number[] {
  let total = 0;
  const sum = [0, 0];
  for (let i = 0; i < data.length; i += 2) {
    const w = Math.exp(-((x[0]! - data[i]!) ** 2 + (x[1]! - data[i + 1]!) ** 2) / (2 * sigma ** 2));
    total += w;
    sum[0]! += w * data[i]!;
    sum[1]! += w * data[i + 1]!;
  }
  return sum.map((s) => s / total);
}

test("what is random about targets decides on no weight, and where points have no source or level none is uniform", async () => {
  for (const [more, distance, share] of [
    [{}, 1, 1],
    [{ target: "draw" }, 0, 1],
    [{ posterior: "minibatch" }, 0, 0],
    [{ weight: "1/sigma" }, 0, 0],
    [{ diffusion: true }, 0, 0],
  ] as const) {
    const run = await openDisco(gpu, { ...options, ...more });
    expect([run.settings.distance, run.settings.inside / run.settings.batch]).toEqual([distance, share]);
    run.close();
  }
});

test("rates rise and fall", () => {
  const lr = { peak: 1, final: 0.1, warmup: 10, steps: 110 };
  expect([1, 10, 60, 110, 500].map((step) => rateOf(lr, step))).toEqual([0.1, 1, 0.55, 0.1, 0.1]);
});

describe("what cannot be right is said", () => {
  for (const [say, wrong] of [
    ["dims, the coordinates of a point, must be given", { dims: undefined }],
    ["data has NaN at index 2", { data: Float32Array.of(0, 0, Number.NaN, 0) }],
    ["rows of 3 values, got 4", { data: new Float32Array(4), dims: 3 }],
    ["posterior must be exact, minibatch or subset:N", { posterior: "subset:x" }],
    ["weight must be 1, 1/sigma, 1/sigma^2, 1/distance, 1/distance^2", { weight: "sigma" }],
    ["cannot learn there", { diffusion: true, uniform: 0.5 }],
    ["near draws would count more", { target: "draw", weight: "1/distance" }],
    ["width must be even", { width: 33 }],
    ["did you mean emaRate", { ema_rate: 0.9 }],
    ["at least 4 are needed: take a larger width", { width: 8 }],
  ] as const)
    test(say, async () => {
      await expect(openDisco(gpu, { ...options, ...(wrong as object) })).rejects.toThrow(say);
    });

  test("arrays of a step", async () => {
    const run = await openDisco(gpu, options);
    await expect(run.step({ x: new Float32Array(3) })).rejects.toThrow("rows of 2 values");
    await expect(run.step({ x: new Float32Array(4), weight: new Float32Array(3) })).rejects.toThrow(
      "must have 2 values",
    );
    run.close();
    await expect(run.step()).rejects.toThrow("closed");
  });
});
