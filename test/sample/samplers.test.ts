import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Gpu } from "../../src/gpu/device.js";
import { loadModel, type Model } from "../../src/networks/edm2/model.js";
import { sampleHeun } from "../../src/sample/heun.js";
import { sampleMultiStep } from "../../src/sample/multi-step.js";
import { fixturePath, Recording, recordedNoise, relativeError } from "../support/fixtures.js";
import { openTestGpu } from "../support/gpu.js";

/** Whole runs; the recordings' own f32 error is 7e-7 (multi-step) and 6e-6 (Heun). */
const TOLERANCE = 1e-4;

let gpu: Gpu;
let ncvsd: Model;
let teacher: Model;
let uncond: Model;
beforeAll(async () => {
  gpu = await openTestGpu();
  ncvsd = await loadModel(gpu, fixturePath("ncvsd-tiny.safetensors"));
  teacher = await loadModel(gpu, fixturePath("edm2-tiny.safetensors"));
  uncond = await loadModel(gpu, fixturePath("edm2-tiny-uncond.safetensors"));
});
afterAll(() => gpu.close());

describe("generative denoiser", () => {
  it("replays the recorded sample", async () => {
    const r = await Recording.open("ncvsd-tiny.denoiser.case.safetensors");
    const x0 = await ncvsd.generate({
      y: await r.values("y"),
      sigma: await r.values("sigma"),
      z: await r.values("noise.0"),
      labels: await r.values("class_labels"),
    });
    expect(relativeError(x0, await r.truth("x0"))).toBeLessThanOrEqual(2e-5);
  });
});

describe("multi-step sampling", () => {
  for (const name of [
    "gen-ts-null",
    "gen-ts-12-39",
    "gen-ts-10-22-39",
    "gen-ts-0-10-20-30-39",
    "post-ts-12-39",
    "post-ts-8-20-31-39",
  ]) {
    it(`replays ${name}, every step`, async () => {
      const r = await Recording.open(`ncvsd-tiny.${name}.case.safetensors`);
      const posterior = name.startsWith("post");
      const ts = r.meta<number[]>("ts") ?? /ts-([\d-]+)/.exec(name)?.[1]?.split("-").map(Number);
      const draws: number[] = [];
      const noise = await recordedNoise(r, !posterior);
      const errors: number[] = [];
      const { images, shape } = await sampleMultiStep(ncvsd, {
        labels: await r.values("class_labels"),
        seeds: [0, 1],
        ...(ts ? { ts } : {}),
        ...(posterior ? { y: await r.values("y"), sigma: await r.values("sigma") } : {}),
        noise: (draw, length) => {
          draws.push(draw);
          return noise(draw, length);
        },
        async onStep({ step, preview }) {
          errors.push(relativeError(await preview(), await r.values(`step${step - 1}.x0`)));
        },
      });
      const recorded = r.names.filter((n) => /^noise\./.test(n)).length;
      expect(draws, "each recorded draw is asked for once, in order").toEqual([...Array(recorded).keys()]);
      expect(shape).toEqual([2, 3, 16, 16]);
      expect(errors.length).toBe(r.names.filter((n) => /^step\d+\.x0$/.test(n)).length);
      const final = relativeError(images, await r.truth("x0"));
      console.info(
        `${name}: steps ${errors.map((e) => e.toExponential(1)).join(" ")}, result ${final.toExponential(1)}`,
      );
      for (const error of [...errors, final]) expect(error).toBeLessThanOrEqual(TOLERANCE);
    });
  }
});

describe("Heun sampling", () => {
  for (const name of ["plain", "guided", "churn", "churn_all_guided"]) {
    it(`replays ${name}`, async () => {
      const r = await Recording.open(`heun/${name}.safetensors`);
      const config = r.meta<{ sampler: Record<string, number> }>("config")!.sampler;
      const noise = await recordedNoise(r, true);
      const option = (key: string) => ({ [key]: Number(String(config[key]).replace("inf", "Infinity")) });
      const labels = await r.values("class_labels");
      const { images } = await sampleHeun(teacher, {
        seeds: [...Array(labels.length / 10).keys()],
        labels,
        steps: config.num_steps!,
        sigmaMin: config.sigma_min!,
        sigmaMax: config.sigma_max!,
        rho: config.rho!,
        guidance: config.guidance ?? 1,
        ...((config.guidance ?? 1) === 1 ? {} : { gnet: uncond }),
        ...option("S_churn"),
        ...option("S_min"),
        ...option("S_max"),
        ...option("S_noise"),
        noise,
      });
      const error = relativeError(images, await r.truth("x_out"));
      console.info(`heun ${name}: ${error.toExponential(1)}`);
      expect(error).toBeLessThanOrEqual(TOLERANCE);
    });
  }
});

describe("guidance", () => {
  it("gives the second network the same labels: with the network itself it changes nothing", async () => {
    const row = new Float32Array(20);
    row[3] = 1;
    row[17] = 0.5;
    for (const labels of [[1, 7], [4, -1], row] as const) {
      const options = { steps: 3, seeds: [1, 2], labels: labels as number[] | Float32Array };
      const plain = await sampleHeun(teacher, options);
      const guided = await sampleHeun(teacher, { ...options, guidance: 2, gnet: teacher });
      expect(relativeError(guided.images, plain.images)).toBeLessThan(1e-5);
    }
  });
  it("refuses a second network with other classes", async () => {
    const other = Object.create(teacher, { labelDim: { value: 4 } });
    await expect(sampleHeun(teacher, { steps: 2, guidance: 2, gnet: other })).rejects.toThrow(
      "gnet has 4 classes, the network 10: it gets the same labels",
    );
  });
});

describe("seeds", () => {
  it("give the same bits whatever the batch, the other seeds and their order", async () => {
    const options = { ts: [10, 22], zeta: 0.5 };
    const together = await sampleMultiStep(ncvsd, {
      ...options,
      seeds: [3, 7, 11, 4294967295, 5],
      labels: [0, 1, 2, 3, 4],
    });
    const alone = await sampleMultiStep(ncvsd, { ...options, seeds: [11], labels: [2] });
    const pair = await sampleMultiStep(ncvsd, { ...options, seeds: [5, 11], labels: [4, 2] });
    const size = 3 * 16 * 16;
    const bits = (images: Float32Array, i: number) =>
      Buffer.from(images.slice(i * size, (i + 1) * size).buffer).toString("hex");
    expect(bits(alone.images, 0)).toBe(bits(together.images, 2));
    expect(bits(pair.images, 1)).toBe(bits(together.images, 2));
    expect(bits(pair.images, 0)).toBe(bits(together.images, 4));
    expect(bits(together.images, 0)).not.toBe(bits(together.images, 1));
  });

  it("Heun with churn too", async () => {
    const options = { steps: 3, S_churn: 1 };
    const together = await sampleHeun(teacher, { ...options, seeds: [1, 2, 3], labels: [0, 1, 2] });
    const alone = await sampleHeun(teacher, { ...options, seeds: [3], labels: [2] });
    const size = 3 * 16 * 16;
    expect(Buffer.from(alone.images.buffer).equals(Buffer.from(together.images.slice(2 * size).buffer))).toBe(true);
  });
});

describe("zeta", () => {
  it("0 re-noises with the predicted noise and draws none that matters", async () => {
    const run = (eps: number) =>
      sampleMultiStep(ncvsd, {
        seeds: [0],
        ts: [5, 20],
        zeta: 0,
        // Draws: initial, x_N, z, eps, z, surplus. Only eps differs between the two runs.
        noise: (draw, length) => new Float32Array(length).fill(draw === 3 ? eps : 0.1 * (draw + 1)),
      });
    expect(await run(1)).toEqual(await run(-2));
  });
});

describe("memory", () => {
  it("no GPU buffer is created after the first step, and all are returned", async () => {
    await sampleMultiStep(ncvsd, { seeds: [0, 1], ts: [0, 10, 20, 30] });
    const held = gpu.allocatedBytes;
    const counts: number[] = [];
    await sampleMultiStep(ncvsd, {
      seeds: [0, 1],
      ts: [0, 10, 20, 30],
      onStep: () => void counts.push(gpu.allocations),
    });
    expect(new Set(counts).size).toBe(1);
    expect(gpu.allocatedBytes).toBe(held);
  });
});
