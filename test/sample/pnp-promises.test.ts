import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
// @ts-expect-error plain JavaScript, as a user would write it
import hdr from "../../examples/hdr-operator.js";
import { normals } from "../../kernels/lib/philox.js";
import type { Gpu } from "../../src/gpu/device.js";
import { loadModel, type Model } from "../../src/networks/edm2/model.js";
import type { Operator } from "../../src/operators/operator.js";
import { operators } from "../../src/operators/operators.js";
import { presets } from "../../src/operators/tasks.js";
import { sampleLangevin } from "../../src/sample/langevin.js";
import { type SolveInverseOptions, solveInverse } from "../../src/sample/solve-inverse.js";
import { fixturePath, relativeError } from "../support/fixtures.js";
import { openTestGpu } from "../support/gpu.js";

const shape = [3, 16, 16] as const;
const ONE = 768;
const short = { steps: 4, sigmaMax: 10, sigmaMin: 0.05, rho: 2 };

let gpu: Gpu;
let model: Model;
beforeAll(async () => {
  gpu = await openTestGpu();
  model = await loadModel(gpu, fixturePath("ncvsd-tiny.safetensors"));
});
afterAll(() => gpu.close());

const noise = (seed: number, length: number) => Float32Array.from(normals(seed, 0, length));
const bytes = (values: Float32Array) => Buffer.from(values.slice().buffer).toString("hex");
const image = (values: Float32Array, n: number) => values.subarray(n * ONE, (n + 1) * ONE);
const blur = () => operators.gaussianBlur(gpu, { shape, kernelSize: 5, std: 1 });
const half = () => operators.superResolution(gpu, { shape, factor: 2 });

/** The same operator without its session: it works on arrays alone. */
function onArrays(operator: Operator, methods: readonly (keyof Operator)[]): Operator {
  const { shape, measurementShape, forward } = operator;
  return { shape, measurementShape, forward, ...Object.fromEntries(methods.map((m) => [m, operator[m]])) };
}

describe("a sample depends on its own seed, measurement and label only", () => {
  for (const [name, make, ula] of [
    ["closed form", blur, undefined],
    ["Langevin steps", half, { steps: 7 }],
    ["multi-step prior", blur, undefined],
  ] as const) {
    it(name, async () => {
      const operator = make();
      const y = await operator.forward(noise(1, 2 * ONE));
      const measured = y.length / 2;
      const ts = name === "multi-step prior" ? { ts: [12, 25] } : {};
      const common = { operator, beta: 0.01, ...short, ...ts, ...(ula ? { ula } : {}) };
      const {
        images,
        shape: extents,
        evaluations,
      } = await solveInverse(model, { ...common, measurement: y, runs: 2, labels: [3, 5], seeds: [7, 8, 9, 10] });
      expect(extents).toEqual([4, ...shape]);
      expect(evaluations).toBe(name === "multi-step prior" ? 6 : 3);
      // Sample 1 of measurement 1 is image 3.
      const alone = await solveInverse(model, {
        ...common,
        measurement: y.subarray(measured),
        labels: [5],
        seeds: [10],
      });
      expect(bytes(alone.images)).toBe(bytes(image(images, 3)));
      expect(bytes(image(images, 0))).not.toBe(bytes(image(images, 1)));
      const other = await solveInverse(model, {
        ...common,
        measurement: y.subarray(measured),
        labels: [4],
        seeds: [10],
      });
      expect(bytes(other.images)).not.toBe(bytes(alone.images));
    });
  }
});

describe("noise", () => {
  it("that the kernels make is draw by draw that of (seed, draw, element)", async () => {
    for (const operator of [blur(), half()]) {
      const measurement = await operator.forward(noise(1, 2 * ONE));
      const seeds = [11, 12];
      const common = {
        operator,
        measurement,
        beta: 0.01,
        ...short,
        ula: operator.name === "superResolution" ? { steps: 13 } : null,
      };
      let draws = 0;
      const replayed = await solveInverse(model, {
        ...common,
        noise(draw) {
          draws++;
          return Float32Array.from(seeds.flatMap((seed) => [...normals(seed, draw, ONE)]));
        },
      });
      expect(draws).toBe(1 + 3 * (operator.name === "superResolution" ? 14 : 2));
      const made = await solveInverse(model, { ...common, seeds });
      expect(relativeError(made.images, replayed.images)).toBeLessThanOrEqual(2e-5);
    }
  });
});

describe("running averages", () => {
  it("start below emaSigma and mix in the last sample above it", async () => {
    const operator = blur();
    const measurement = await operator.forward(noise(1, ONE));
    const samples: Float32Array[] = [];
    const levels: number[] = [];
    const { images } = await solveInverse(model, {
      operator,
      measurement,
      beta: 0.01,
      sigmas: [10, 5, 2, 1, 0.5],
      emaSigma: 2,
      emaDecay: 0.25,
      async onStep({ sigma, sample }) {
        levels.push(sigma);
        samples.push(await sample());
      },
    });
    expect(levels).toEqual([10, 5, 2, 1]);
    // Level 2 is not below 2: only the last sample is mixed, with the one before.
    const expected = samples[3]!.map((v, i) => 0.75 * v + 0.25 * samples[2]![i]!);
    expect(relativeError(images, expected)).toBeLessThanOrEqual(1e-6);
  });
});

describe("nothing is read back inside a likelihood step", () => {
  it("100 Langevin steps cost no more read-backs and no more buffers than one", async () => {
    const operator = half();
    const measurement = await operator.forward(noise(1, ONE));
    const read = vi.spyOn(gpu, "read");
    const reads: number[] = [];
    const allocations: number[] = [];
    for (const steps of [1, 100]) {
      read.mockClear();
      const seen: number[] = [];
      await solveInverse(model, {
        operator,
        measurement,
        beta: 0.01,
        ...short,
        ula: { steps },
        onStep: () => void seen.push(gpu.allocations),
      });
      reads.push(read.mock.calls.length);
      allocations.push(seen.at(-1)! - seen[0]!);
    }
    read.mockRestore();
    expect(reads[1]).toBe(reads[0]);
    expect(allocations).toEqual([0, 0]);
  });

  it("and all memory comes back", async () => {
    const operator = blur();
    const measurement = await operator.forward(noise(1, ONE));
    const solve = () => solveInverse(model, { operator, measurement, beta: 0.01, ...short });
    await solve();
    const before = gpu.allocatedBytes;
    await solve();
    expect(gpu.allocatedBytes).toBe(before);
  });
});

describe("values that are not finite", () => {
  it("in a Langevin step stop the run and name the level", async () => {
    const operator = half();
    const measurement = await operator.forward(noise(1, ONE));
    const levels: number[] = [];
    const run = solveInverse(model, {
      operator,
      measurement,
      beta: 1e-3,
      ...short,
      ula: { c1: 1e4, steps: 30 },
      onStep: ({ sigma }) => void levels.push(sigma),
    });
    await expect(run).rejects.toMatchObject({
      code: "NOT_FINITE",
      message: expect.stringMatching(/likelihood step towards noise level 4\.76/),
    });
    expect(levels).toEqual([]);
    const one = { x: noise(2, ONE), y: measurement, sigma: 1, beta: 1e-3, c1: 1e4 };
    await expect(sampleLangevin(gpu, operator, one)).rejects.toMatchObject({
      code: "NOT_FINITE",
      message: expect.stringContaining("level 1 "),
    });
  });

  it("in the measurement too", async () => {
    const measurement = new Float32Array(ONE).fill(Number.NaN);
    const run = solveInverse(model, { operator: blur(), measurement, beta: 0.01, ...short });
    await expect(run).rejects.toMatchObject({
      code: "NOT_FINITE",
      message: expect.stringContaining("measurement holds NaN at index 0"),
    });
  });
});

describe("operators of the user's own", () => {
  it("on arrays, with sampleProximal, give what the same operator on the GPU gives", async () => {
    const operator = blur();
    const measurement = await operator.forward(noise(1, ONE));
    const solve = (o: Operator) => solveInverse(model, { operator: o, measurement, beta: 0.01, ...short, seeds: [4] });
    const own = await solve(onArrays(operator, ["sampleProximal"]));
    expect(relativeError(own.images, (await solve(operator)).images)).toBeLessThanOrEqual(2e-6);
  });

  it("on arrays, with energyGradient or adjoint, take Langevin steps", async () => {
    const operator = half();
    const measurement = await operator.forward(noise(1, ONE));
    const common = { measurement, beta: 0.01, ...short, seeds: [4], ula: { steps: 5 } };
    const solve = async (o: Operator, langevin?: boolean) =>
      (await solveInverse(model, { operator: o, ...common, ...(langevin ? { langevin } : {}) })).images;
    const images = await solve(operator);
    for (const method of ["energyGradient", "adjoint"] as const) {
      for (const langevin of [false, true])
        expect(relativeError(await solve(onArrays(operator, [method]), langevin), images)).toBeLessThanOrEqual(2e-6);
    }
  });

  it("examples/hdr-operator.js: its array and its WGSL gradient agree, and it fits the measurement", async () => {
    const operator = hdr(gpu, { shape }) as Operator;
    const truth = noise(1, ONE).map((v) => 0.4 * v);
    const noisy = noise(2, ONE);
    const measurement = (await operator.forward(truth)).map((v, i) => v + 0.02 * noisy[i]!);
    const x = truth.map((v, i) => v + 0.2 * noisy[i]!);
    const settings = { x, y: measurement, sigma: 0.5, beta: 0.01, c1: 0.01, steps: 60, seeds: [1] };
    const fast = await sampleLangevin(gpu, operator, settings);
    const slow = await sampleLangevin(gpu, onArrays(operator, ["energyGradient"]), settings);
    expect(relativeError(fast, slow)).toBeLessThanOrEqual(1e-5);
    // Sizes that are no multiple of 16 bytes.
    const odd = hdr(gpu, { shape: [1, 5, 5] }) as Operator;
    const tiny = { x: noise(4, 25), y: noise(5, 25), sigma: 0.5, beta: 0.01, c1: 0.01, steps: 3 };
    const arrays = await sampleLangevin(gpu, onArrays(odd, ["energyGradient"]), tiny);
    expect(relativeError(await sampleLangevin(gpu, odd, tiny), arrays)).toBeLessThanOrEqual(1e-6);
    const misfit = async (values: Float32Array) =>
      (await operator.forward(values)).reduce((sum, v, i) => sum + (v - measurement[i]!) ** 2, 0) / ONE;
    // Langevin samples scatter around the measurement with the noise that beta says.
    expect(await misfit(x)).toBeGreaterThan(0.05);
    expect(await misfit(fast)).toBeLessThan(0.01);
    const { images } = await solveInverse(model, {
      operator,
      measurement,
      beta: 0.01,
      steps: 4,
      ula: { c1: 0.01, steps: 5 },
    });
    expect(images.every((v) => Number.isFinite(v))).toBe(true);
  });

  it("that cannot be solved, or answer nonsense, are refused", async () => {
    const operator = blur();
    const measurement = await operator.forward(noise(1, ONE));
    const solve = (o: Operator) => solveInverse(model, { operator: o, measurement, beta: 0.01, ...short });
    await expect(solve(onArrays(operator, []))).rejects.toThrow(/neither sampleProximal, energyGradient nor adjoint/);
    const wrong: Operator = { ...onArrays(operator, []), sampleProximal: async () => new Float32Array(3) };
    await expect(solve(wrong)).rejects.toThrow(
      /^sampleProximal of the operator must give a Float32Array of 768 values, and gave one of 3\.$/,
    );
    const answers: [RegExp, () => unknown][] = [
      [/sampleProximal of the operator gaussian .*, and gave null\.$/, () => null],
      [/and gave an Array\.$/, () => [1]],
      [/gave NaN at index 0 of 768: its inputs are finite, so look at the operator/, () => x.fill(Number.NaN)],
      [/sampleProximal of the operator gaussian failed: "no lens"\.$/, () => Promise.reject("no lens")],
      [
        /sampleProximal of the operator gaussian failed: undefined\.$/,
        () => {
          throw undefined;
        },
      ],
    ];
    const x = new Float32Array(ONE);
    for (const [message, answer] of answers) {
      const own = { ...onArrays(operator, []), name: "gaussian", sampleProximal: answer as Operator["forward"] };
      await expect(solve(own as unknown as Operator)).rejects.toThrow(message);
    }
    await expect(solve({ ...wrong, sampleProximal: 3 } as unknown as Operator)).rejects.toThrow(/is 3, not a function/);
    await expect(solve({ ...wrong, measurementShape: [3, -1] })).rejects.toThrow(/must be a list of positive integers/);
    const small: Operator = {
      ...operator,
      async open(batch) {
        const session = await operator.open(batch);
        return { ...session, x: gpu.storage("small", 64), release: () => session.release() };
      },
    };
    await expect(solve(small)).rejects.toThrow(/buffer x of the operator gaussianBlur has 64 bytes for 768 values/);
  });
});

describe("presets", () => {
  it("are those of Table 4", () => {
    const paper = "box_inpainting gaussian_deblur_circ motion_deblur_circ super_resolution phase_retrieval".split(" ");
    for (const name of paper as (keyof typeof presets)[])
      expect(presets[name]).toMatchObject({ steps: 50, sigmaMax: 80, sigmaMin: 0.002, rho: 2 });
    expect(presets.box_inpainting).toMatchObject({ beta: 1e-4, emaSigma: Number.POSITIVE_INFINITY, emaDecay: 0.2 });
    expect(presets.gaussian_deblur_circ).toMatchObject({ beta: 2e-3, emaDecay: 0.6 });
    expect(presets.motion_deblur_circ).toMatchObject({ beta: 3e-3, emaDecay: 0.6 });
    expect(presets.super_resolution).toMatchObject({
      beta: 1e-3,
      emaDecay: 0.6,
      ula: { c1: 0.1, c2: 0.1, steps: 100 },
    });
    expect(presets.random_inpainting_reference).toMatchObject({ rho: 7, beta: 2e-3, emaSigma: 0.2, emaDecay: 0.6 });
    expect(presets.phase_retrieval).toMatchObject({ beta: 1e-3, emaSigma: 0.2, emaDecay: 0.6 });
  });
});

describe("bad arguments are refused in one sentence", () => {
  const cases: [string, RegExp, Partial<SolveInverseOptions>][] = [
    ["measurement", /measurement has 5 values/, { measurement: new Float32Array(5) }],
    ["no measurement", /measurement must be a Float32Array/, { measurement: undefined as unknown as Float32Array }],
    ["beta", /beta must be a positive/, { beta: 0 }],
    ["no noise", /sigmaY must be a positive finite number, got 0/, { sigmaY: 0 }],
    ["step and c1", /step is a fixed step size in place of c1 and c2/, { ula: { step: 0.1, c1: 0.1 } }],
    ["signal", /signal must be an AbortSignal/, { signal: true as unknown as AbortSignal }],
    ["levels", /at least 2/, { sigmas: [1] }],
    ["ascending levels", /descend strictly: level 1 is 2 after 1/, { sigmas: [1, 2] }],
    ["level 0", /Level 1 of the annealing schedule is 0/, { sigmas: [1, 0] }],
    ["sigmaMin", /sigmaMin must be positive/, { sigmaMin: 0 }],
    ["emaDecay", /emaDecay must be from 0 to 1/, { emaDecay: 2 }],
    ["emaSigma", /emaSigma must not be negative/, { emaSigma: -1 }],
    ["runs", /runs must be a positive integer/, { runs: 0 }],
    ["seeds", /seeds has 1 entries for 2 images/, { runs: 2, seeds: [1] }],
    ["ts", /ts has 50/, { ts: [50] }],
    ["zeta", /zeta must be from 0 to 1/, { zeta: 2 }],
    ["ula steps", /steps must be an integer of at least 1/, { ula: { steps: 0 } }],
    ["ula c1", /c1 must be a positive/, { ula: { c1: 0 } }],
    ["label", /label 10 of image 0/, { labels: [10] }],
    ["no operator", /operator is missing/, { operator: undefined as unknown as Operator }],
    ["noise", /must return a Float32Array of 768 values/, { noise: () => new Float32Array(1) }],
  ];
  for (const [name, message, options] of cases) {
    it(name, async () => {
      const before = gpu.allocatedBytes;
      const run = solveInverse(model, {
        operator: half(),
        measurement: new Float32Array(192),
        beta: 0.01,
        ...short,
        ...options,
      });
      await expect(run).rejects.toMatchObject({ code: "BAD_ARGUMENT", message: expect.stringMatching(message) });
      if (name !== "seeds") expect(gpu.allocatedBytes - before).toBeLessThan(2e6);
    });
  }

  it("an operator of another shape", async () => {
    const operator = operators.inpainting(gpu, { shape: [1, 8, 8], fraction: 0.5 });
    const run = solveInverse(model, { operator, measurement: new Float32Array(64), beta: 0.01 });
    await expect(run).rejects.toThrow(/images of 1 x 8 x 8, the network makes 3 x 16 x 16/);
  });

  it("an operator without its shapes", async () => {
    const { measurementShape, forward } = half();
    const operator = { measurementShape, forward } as unknown as Operator;
    const run = solveInverse(model, { operator, measurement: new Float32Array(192), beta: 0.01, ...short });
    await expect(run).rejects.toMatchObject({ code: "BAD_ARGUMENT", message: expect.stringMatching(/shape/) });
  });
});

describe("the likelihood step", () => {
  it("is the closed form where there is one, whatever `ula` says, unless `langevin` asks for the other", async () => {
    const operator = blur();
    const measurement = await operator.forward(noise(1, ONE));
    const solve = async (options: object) =>
      Buffer.from(
        (await solveInverse(model, { operator, measurement, beta: 0.01, ...short, ...options })).images.buffer,
      );
    const ula = { c1: 0.01, steps: 2 };
    const closed = await solve({});
    expect((await solve({ ula })).equals(closed)).toBe(true);
    expect((await solve({ ula, langevin: true })).equals(closed)).toBe(false);
  });

  it("takes labels of any integer array, one per measurement", async () => {
    const operator = blur();
    const measurement = await operator.forward(noise(2, 2 * ONE));
    const solve = async (labels: ArrayLike<number>) =>
      (await solveInverse(model, { operator, measurement, beta: 0.01, ...short, runs: 2, labels: labels as number[] }))
        .images;
    expect(await solve(Int32Array.of(1, 2))).toEqual(await solve([1, 2]));
  });
});
