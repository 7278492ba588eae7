import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Gpu } from "../../src/gpu/device.js";
import {
  loadModel,
  type Model,
  openGpu,
  operators,
  presets,
  sampleHeun,
  sampleMultiStep,
  solveInverse,
} from "../../src/index.js";
import { largestThatFits } from "../../src/networks/inputs.js";
import { sampleLangevin } from "../../src/sample/langevin.js";
import { fixturePath } from "../support/fixtures.js";
import { openTestGpu } from "../support/gpu.js";

let gpu: Gpu;
let ncvsd: Model;
let teacher: Model;
const ONE = 3 * 16 * 16;
const shape = [3, 16, 16];
const x = new Float32Array(ONE);
const nan = x.map((_, i) => (i === 7 ? Number.NaN : 0));
const blur = () => operators.gaussianBlur(gpu, { shape, kernelSize: 3, std: 1 });
beforeAll(async () => {
  gpu = await openTestGpu();
  ncvsd = await loadModel(gpu, fixturePath("ncvsd-tiny.safetensors"));
  teacher = await loadModel(gpu, fixturePath("edm2-tiny.safetensors"));
});
afterAll(() => gpu.close());

// biome-ignore lint/suspicious/noExplicitAny: wrong on purpose
type Wrong = any;

async function refusal(attempt: () => unknown): Promise<Wrong> {
  const error = await (async () => attempt())().then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(String((error as Error)?.message)).not.toContain("\n");
  return error;
}

describe("unknown options are refused by every call, with the nearest name", () => {
  const inverse = () => ({ operator: blur(), measurement: x, beta: 0.01, steps: 2 });
  const cases: [string, RegExp, () => unknown][] = [
    [
      "openGpu",
      /^openGpu: unknown option "adaptor"; did you mean adapter\?$/,
      () => openGpu({ adaptor: "x" } as Wrong),
    ],
    [
      "loadModel",
      /option "onprogres"; did you mean onProgress/,
      () => loadModel(gpu, "x", { onprogres: () => {} } as Wrong),
    ],
    ["sampleMultiStep", /option "seed"; did you mean seeds\?$/, () => sampleMultiStep(ncvsd, { seed: [1] } as Wrong)],
    [
      "no name is near",
      /"temperature"; it takes seeds, labels, .*sigma\.$/,
      () => sampleMultiStep(ncvsd, { temperature: 1 } as Wrong),
    ],
    ["sampleHeun", /option "sigma_min"; did you mean sigmaMin/, () => sampleHeun(teacher, { sigma_min: 1 } as Wrong)],
    ["churn", /option "s_churn"; did you mean S_churn/, () => sampleHeun(teacher, { s_churn: 1 } as Wrong)],
    [
      "solveInverse",
      /option "emasigma"; did you mean emaSigma/,
      () => solveInverse(ncvsd, { ...inverse(), emasigma: 1 } as Wrong),
    ],
    [
      "ula",
      /ula: unknown option "stepz"; did you mean step/,
      () => solveInverse(ncvsd, { ...inverse(), ula: { stepz: 1 } } as Wrong),
    ],
    [
      "sampleLangevin",
      /option "C1"; did you mean c1/,
      () => sampleLangevin(gpu, blur(), { x, y: x, sigma: 1, beta: 1, C1: 1 } as Wrong),
    ],
    ["denoise", /option "label"; did you mean labels/, () => teacher.denoise({ x, sigma: 1, label: [0] } as Wrong)],
    ["generate", /option "seed"; did you mean seeds/, () => ncvsd.generate({ y: x, sigma: 1, seed: 0 } as Wrong)],
    [
      "gaussianBlur",
      /option "stdev"; did you mean std/,
      () => operators.gaussianBlur(gpu, { shape, kernelSize: 3, std: 1, stdev: 1 } as Wrong),
    ],
    [
      "motionBlur",
      /option "kernelsize"; did you mean kernelSize/,
      () => operators.motionBlur(gpu, { shape, kernelsize: 3 } as Wrong),
    ],
    ["inpainting", /option "maks"; did you mean mask/, () => operators.inpainting(gpu, { shape, maks: [] } as Wrong)],
    [
      "superResolution",
      /option "factors"; did you mean factor/,
      () => operators.superResolution(gpu, { shape, factors: 2 } as Wrong),
    ],
    [
      "phaseRetrieval",
      /option "padding"; it takes shape, oversample, pad\.$/,
      () => operators.phaseRetrieval(gpu, { shape, padding: 2 } as Wrong),
    ],
    [
      "a draw",
      /option "seed"; did you mean seeds/,
      () => blur().sampleProximal!({ x, y: x, sigma: 1, rho: 1, seed: 1 } as Wrong),
    ],
    ["a gradient", /energyGradient: unknown option "z"/, () => blur().energyGradient!({ x, y: x, z: x } as Wrong)],
    ["no object", /the options must be an object .* got null/, () => sampleMultiStep(ncvsd, null as Wrong)],
  ];
  for (const [name, message, attempt] of cases)
    it(name, async () => {
      expect(await refusal(attempt)).toMatchObject({ code: "BAD_ARGUMENT", message: expect.stringMatching(message) });
    });

  it("what is undefined counts as absent, and a preset fits as it is", async () => {
    await sampleMultiStep(ncvsd, { seed: undefined, seeds: [0] } as Wrong);
    const { images } = await solveInverse(ncvsd, {
      ...presets.gaussian_deblur_circ,
      operator: blur(),
      measurement: x,
      steps: 2,
    });
    expect(images.length).toBe(ONE);
  });

  it("sigmaY gives beta, and is 0.05 if absent", async () => {
    const run = async (strength: object) =>
      (await solveInverse(ncvsd, { operator: blur(), measurement: x, steps: 3, ...strength } as Wrong)).images;
    expect([...(await run({ sigmaY: 0.1 }))]).toEqual([...(await run({ beta: 2 * 0.1 ** 2 }))]);
    expect([...(await run({}))]).toEqual([...(await run({ beta: 2 * 0.05 ** 2 }))]);
  });
});

describe("values that are not finite are told of by the name of the argument", () => {
  const cases: [string, RegExp, () => unknown][] = [
    ["y of a sampler", /^y holds NaN at index 7/, () => sampleMultiStep(ncvsd, { y: nan, sigma: 1 })],
    ["y of G", /^y holds NaN at index 7/, () => ncvsd.generate({ y: nan, sigma: 1 })],
    ["z of G", /^z holds NaN at index 7/, () => ncvsd.generate({ y: x, z: nan, sigma: 1 })],
    ["x of D", /^x holds NaN at index 7/, () => teacher.denoise({ x: nan, sigma: 1 })],
    ["x' of D", /^condX holds NaN at index 7/, () => ncvsd.denoise({ x, sigma: 1, condX: nan, condSigma: 1 })],
    ["sigma", /^sigma must be positive and finite, got NaN/, () => teacher.denoise({ x, sigma: Number.NaN })],
    ["sigma null", /^sigma has 0 levels/, () => teacher.denoise({ x, sigma: null as Wrong })],
    ["a label", /^label NaN of image 0/, () => teacher.denoise({ x, sigma: 1, labels: [Number.NaN] })],
    [
      "label weights",
      /^labels hold NaN at index/,
      () => sampleHeun(teacher, { seeds: [0], labels: new Float32Array(teacher.labelDim).fill(Number.NaN) }),
    ],
    [
      "labels that are a number",
      /^labels must be a list of classes .* got 3/,
      () => teacher.denoise({ x, sigma: 1, labels: 3 as Wrong }),
    ],
    ["a seed", /^seed NaN must be an integer/, () => sampleMultiStep(ncvsd, { seeds: [Number.NaN] })],
  ];
  for (const [name, message, attempt] of cases)
    it(name, async () => {
      expect(await refusal(attempt)).toMatchObject({ code: "BAD_ARGUMENT", message: expect.stringMatching(message) });
    });
});

it("a measurement of NaN is told of as well, but only where the operator looks at it", async () => {
  const options = { measurement: nan, beta: 0.01, steps: 3 };
  expect(await refusal(() => solveInverse(ncvsd, { ...options, operator: blur() }))).toMatchObject({
    code: "NOT_FINITE",
    message: expect.stringMatching(/^measurement holds NaN at index 7: everything that the operator looks at/),
  });
  const hidden = operators.inpainting(gpu, { shape, box: [0, 8, 0, 16] });
  const { images } = await solveInverse(ncvsd, { ...options, operator: hidden });
  expect(images.every((v) => Number.isFinite(v))).toBe(true);
});

describe("batches beyond all bounds are refused at once", () => {
  const cases: [string, () => unknown][] = [
    ["a million images", () => sampleMultiStep(ncvsd, { batch: 1_000_000 })],
    ["a thousand million", () => sampleHeun(teacher, { batch: 1e9 })],
    ["more than u32", () => sampleMultiStep(ncvsd, { batch: 2 ** 40 })],
    ["runs", () => solveInverse(ncvsd, { operator: blur(), measurement: x, beta: 0.01, runs: 1_000_000_000 })],
    ["an operator's", () => blur().open(1_000_000_000)],
  ];
  for (const [name, attempt] of cases)
    it(name, async () => {
      const begun = performance.now();
      const error = await refusal(attempt);
      expect(error).toMatchObject({ code: "OUT_OF_MEMORY" });
      expect(error.message).toMatch(/batch|holds at most/);
      expect(performance.now() - begun).toBeLessThan(5000);
    });
});

describe("the largest batch that fits", () => {
  const shares: [string, (batch: number) => number][] = [
    ["a straight line", (n) => 0.01 + n / 1234],
    ["a line with a bend", (n) => Math.max(0.5 + n / 5000, n / 1500)],
    ["steps of 64", (n) => (64 * Math.ceil(n / 64)) / 3000],
    ["a cliff", (n) => (n > 777 ? Number.POSITIVE_INFINITY : 1e-6 * n)],
    ["nothing but weights", () => 0],
    ["not even one", (n) => 1.5 * n],
  ];
  for (const [name, share] of shares)
    it(name, () => {
      for (const atMost of [0, 1, 2, 1000, 4096]) {
        let plain = 0;
        while (plain < atMost && share(plain + 1) <= 1) plain++;
        let plans = 0;
        const counted = (batch: number) => {
          plans++;
          return share(batch);
        };
        expect(largestThatFits(counted, atMost)).toBe(plain);
        expect(plans).toBeLessThanOrEqual(24);
      }
    });
});
