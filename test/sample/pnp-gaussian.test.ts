import { describe, expect, it } from "vitest";
import { normals } from "../../kernels/lib/philox.js";
import type { Gpu } from "../../src/gpu/device.js";
import type { Operator, UlaOptions } from "../../src/operators/operator.js";
import { operators } from "../../src/operators/operators.js";
import { sampleLangevin } from "../../src/sample/langevin.js";
import { noiseLevels } from "../../src/sample/schedule.js";
import { solveInverse } from "../../src/sample/solve-inverse.js";
import { identity, type Matrix, scaled } from "../support/dense.js";
import { functionOf, gaussianDenoiser, type Normal } from "../support/gaussian-prior.js";
import { withTestGpu } from "../support/gpu.js";
import {
  distance,
  exactStep,
  expectScores,
  langevinStep as fixedLangevinStep,
  matrixOf,
  measurementOf,
  PRIOR,
  posteriorOf,
  priorStep,
  propagate,
  SHAPE,
  SIZE,
  type Step,
  zScores,
} from "../support/normal-law.js";

let gpu: Gpu;
withTestGpu((own) => (gpu = own));

/** The law of the finite Langevin chain, step sizes and all. */
function langevinStep(
  a: Matrix,
  y: ArrayLike<number>,
  beta: number,
  sigma: number,
  { c1, c2, steps }: Required<UlaOptions>,
): Step {
  return fixedLangevinStep(a, y, beta, sigma, c1 / (c2 / beta + 1 / sigma ** 2), steps);
}

/** The law of x after all levels, and nothing but arithmetic. */
function lawOfRun(sigmas: readonly number[], likelihood: (level: number) => Step): Normal {
  let u: Normal = { mean: new Float64Array(SIZE), covariance: scaled(identity(SIZE), sigmas[0]! ** 2) };
  for (let i = 0; ; i++) {
    const x = propagate(u, priorStep(sigmas[i]!));
    if (i === sigmas.length - 2) return x;
    u = propagate(x, likelihood(sigmas[i + 1]!));
  }
}

const random = Float32Array.from({ length: SIZE }, (_, i) => ((i * 7) % 5 < 2 ? 0 : 1));
const linear: [string, () => Operator][] = [
  ["inpainting", () => operators.inpainting(gpu, { shape: SHAPE, mask: random })],
  ["Gaussian blur", () => operators.gaussianBlur(gpu, { shape: SHAPE, kernelSize: 3, std: 0.6 })],
];

describe("PnP-GD with the exact denoiser of a Gaussian prior: a short run has the law that arithmetic gives it", () => {
  const sigmas = Array.from({ length: 12 }, (_, i) => Math.fround(5 * 0.01 ** (i / 11)));
  const s = 0.4;
  const beta = 2 * s ** 2;
  const runs = 20_000;

  for (const [name, make] of linear) {
    it(name, async () => {
      const operator = make();
      const a = await matrixOf(operator);
      const measurement = await measurementOf(operator, s);
      const denoiser = gaussianDenoiser(gpu, PRIOR);
      const { images } = await solveInverse(denoiser, { operator, measurement, beta, sigmas, runs });
      expectScores(
        name,
        images,
        lawOfRun(sigmas, (level) => exactStep(a, measurement, s, level)),
      );
    });
  }

  it("a dense matrix, by conjugate gradients of two draws", async () => {
    const matrix = Float32Array.from(normals(21, 0, 5 * SIZE), (v) => 0.5 * v);
    const operator = operators.matrix(gpu, { shape: SHAPE, matrix, rows: 5, solver: { tolerance: 1e-3 } });
    const a = await matrixOf(operator);
    const measurement = await measurementOf(operator, s);
    const denoiser = gaussianDenoiser(gpu, PRIOR);
    const { images, capped } = await solveInverse(denoiser, { operator, measurement, beta, sigmas, runs: 4000 });
    expect(capped).toBe(0);
    expectScores(
      "matrix",
      images,
      lawOfRun(sigmas, (level) => exactStep(a, measurement, s, level)),
    );
  });

  it("super-resolution with Langevin steps", async () => {
    const operator = operators.superResolution(gpu, { shape: SHAPE, factor: 2 });
    const a = await matrixOf(operator);
    const measurement = await measurementOf(operator, s);
    const ula = { c1: 0.2, c2: 1, steps: 15 };
    const prior = gaussianDenoiser(gpu, PRIOR);
    const { images } = await solveInverse(prior, { operator, measurement, beta, sigmas, ula, langevin: true, runs });
    expectScores(
      "super-resolution",
      images,
      lawOfRun(sigmas, (level) => langevinStep(a, measurement, beta, level, ula)),
    );
  });
});

describe("PnP-GD with the exact denoiser of a Gaussian prior: a slow run samples the posterior", () => {
  const sigmas = noiseLevels({ steps: 800, sigmaMin: 0.05, sigmaMax: 10, rho: 7 });
  const s = 1;
  const runs = 1500;

  for (const [name, make] of linear) {
    it(`${name}: posterior mean and covariance`, async () => {
      const operator = make();
      const a = await matrixOf(operator);
      const measurement = await measurementOf(operator, s);
      const beta = 2 * s ** 2;
      const denoiser = gaussianDenoiser(gpu, PRIOR);
      const { images } = await solveInverse(denoiser, { operator, measurement, beta, sigmas, runs });
      const posterior = posteriorOf(a, measurement, s);
      const law = lawOfRun([...sigmas], (level) => exactStep(a, measurement, s, level));
      const bias = distance(law, posterior);
      console.info(`  the law of the run is ${bias.toExponential(1)} standard deviations from the posterior`);
      expect(bias).toBeLessThan(0.6 / Math.sqrt(runs));
      expectScores(name, images, posterior);
      // The same scores find the prior, in place of the posterior, at once.
      const prior = { mean: PRIOR.mean, covariance: functionOf(PRIOR, (l) => l) };
      const wrong = zScores(images, prior);
      expect(Math.max(...[...wrong.mean, ...wrong.covariance].map(Math.abs))).toBeGreaterThan(10);
    });
  }
});

describe("the Langevin step alone", () => {
  it("with small steps: mean and covariance are those of its target", async () => {
    const [s, sigma, samples] = [0.4, 0.5, 3000];
    const beta = 2 * s ** 2;
    const operator = operators.superResolution(gpu, { shape: SHAPE, factor: 2 });
    const a = await matrixOf(operator);
    const y = await measurementOf(operator, s);
    const centre = normals(11, 0, SIZE);
    const all = (values: ArrayLike<number>) =>
      Float32Array.from({ length: samples * values.length }, (_, i) => values[i % values.length]!);
    const settings = { c1: 0.006, c2: 0.5, steps: 800 };
    const x = await sampleLangevin(gpu, operator, { x: all(centre), y: all(y), sigma, beta, ...settings });
    const start: Normal = { mean: centre, covariance: scaled(identity(SIZE), 0) };
    const law = propagate(start, langevinStep(a, y, beta, sigma, settings));
    const target = propagate(start, exactStep(a, y, s, sigma));
    console.info(
      `  the law of the chain is ${distance(law, target).toExponential(1)} standard deviations from its target`,
    );
    expect(distance(law, target)).toBeLessThan(0.6 / Math.sqrt(samples));
    expectScores("its target", x, target);
  });
});
