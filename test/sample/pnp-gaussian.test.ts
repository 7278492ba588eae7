import { describe, expect, it } from "vitest";
import { normals } from "../../kernels/lib/philox.js";
import type { Gpu } from "../../src/gpu/device.js";
import type { Operator, UlaOptions } from "../../src/operators/operator.js";
import { operators } from "../../src/operators/operators.js";
import { sampleLangevin } from "../../src/sample/langevin.js";
import { noiseLevels } from "../../src/sample/schedule.js";
import { solveInverse } from "../../src/sample/solve-inverse.js";
import {
  add,
  apply,
  identity,
  inverse,
  type Matrix,
  multiply,
  scaled,
  transpose,
  type Vector,
} from "../support/dense.js";
import { functionOf, type GaussianPrior, gaussianDenoiser, type Normal } from "../support/gaussian-prior.js";
import { withTestGpu } from "../support/gpu.js";

const SIDE = 4;
const SIZE = SIDE * SIDE;
const SHAPE = [1, SIDE, SIDE] as const;

const axis = normals(5, 0, SIZE);
const length = Math.hypot(...axis);
const PRIOR: GaussianPrior = {
  shape: SHAPE,
  mean: normals(5, 1, SIZE).map((v) => 0.3 * v),
  variances: Float64Array.from({ length: SIZE }, (_, i) => 0.1 + (1.9 * i) / (SIZE - 1)),
  axis: axis.map((v) => v / length),
};

let gpu: Gpu;
withTestGpu((own) => (gpu = own));

/** The operator's matrix, column by column. */
async function matrixOf(operator: Operator): Promise<Matrix> {
  const columns = await operator.forward(Float32Array.from(identity(SIZE).flatMap((row) => [...row])));
  const rows = columns.length / SIZE;
  return Array.from({ length: rows }, (_, i) => Float64Array.from({ length: SIZE }, (_, j) => columns[j * rows + i]!));
}

/** x = map u + offset + N(0, noise) */
interface Step {
  readonly map: Matrix;
  readonly offset: Vector;
  readonly noise: Matrix;
}

function propagate(before: Normal, { map, offset, noise }: Step): Normal {
  return {
    mean: apply(map, before.mean).map((v, i) => v + offset[i]!),
    covariance: add(multiply(multiply(map, before.covariance), transpose(map)), noise),
  };
}

function priorStep(sigma: number): Step {
  const map = functionOf(PRIOR, (l) => l / (l + sigma ** 2));
  const shifted = apply(map, PRIOR.mean);
  return {
    map,
    offset: PRIOR.mean.map((v, i) => v - shifted[i]!),
    noise: functionOf(PRIOR, (l) => (l * sigma ** 2) / (l + sigma ** 2)),
  };
}

/** The closed form: N(u; P^-1 (A'y / s^2 + x / rho^2), P^-1), P = A'A / s^2 + 1 / rho^2. */
function exactStep(a: Matrix, y: ArrayLike<number>, s: number, rho: number): Step {
  const noise = inverse(add(scaled(multiply(transpose(a), a), 1 / s ** 2), identity(SIZE), 1 / rho ** 2));
  const pull = apply(transpose(a), y).map((v) => v / s ** 2);
  return { map: scaled(noise, 1 / rho ** 2), offset: apply(noise, pull), noise };
}

/** The law of the finite Langevin chain that starts at its centre, step sizes and all. */
function langevinStep(
  a: Matrix,
  y: ArrayLike<number>,
  beta: number,
  sigma: number,
  { c1, c2, steps }: Required<UlaOptions>,
): Step {
  const eta = c1 / (c2 / beta + 1 / sigma ** 2);
  const hessian = add(scaled(multiply(transpose(a), a), 2 / beta), identity(SIZE), 1 / sigma ** 2);
  const one = add(identity(SIZE), hessian, -eta);
  const pull = apply(transpose(a), y).map((v) => (2 * eta * v) / beta);
  let step: Step = { map: identity(SIZE), offset: new Float64Array(SIZE), noise: scaled(identity(SIZE), 0) };
  for (let k = 0; k < steps; k++) {
    step = {
      map: add(multiply(one, step.map), identity(SIZE), eta / sigma ** 2),
      offset: apply(one, step.offset).map((v, i) => v + pull[i]!),
      noise: add(multiply(multiply(one, step.noise), one), identity(SIZE), 2 * eta),
    };
  }
  return step;
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

function posteriorOf(a: Matrix, y: ArrayLike<number>, s: number): Normal {
  const precision = functionOf(PRIOR, (l) => 1 / l);
  const covariance = inverse(add(precision, scaled(multiply(transpose(a), a), 1 / s ** 2)));
  const pull = apply(precision, PRIOR.mean).map((v, i) => v + apply(transpose(a), y)[i]! / s ** 2);
  return { mean: apply(covariance, pull), covariance };
}

/** Measures samples against a normal law in Monte Carlo standard errors: every mean and every entry of the covariance. */
function zScores(samples: Float32Array, law: Normal): { mean: number[]; covariance: number[] } {
  const count = samples.length / SIZE;
  const sums = new Float64Array(SIZE);
  const products = Array.from({ length: SIZE }, () => new Float64Array(SIZE));
  const centred = new Float64Array(SIZE);
  for (let n = 0; n < count; n++) {
    for (let i = 0; i < SIZE; i++) centred[i] = samples[n * SIZE + i]! - law.mean[i]!;
    for (let i = 0; i < SIZE; i++) {
      sums[i]! += centred[i]!;
      for (let j = 0; j <= i; j++) products[i]![j]! += centred[i]! * centred[j]!;
    }
  }
  const c = law.covariance;
  const covariance: number[] = [];
  for (let i = 0; i < SIZE; i++) {
    for (let j = 0; j <= i; j++) {
      const spread = Math.sqrt((c[i]![i]! * c[j]![j]! + c[i]![j]! ** 2) / count);
      covariance.push((products[i]![j]! / count - c[i]![j]!) / spread);
    }
  }
  return { mean: Array.from(sums, (sum, i) => sum / count / Math.sqrt(c[i]![i]! / count)), covariance };
}

/** Independent-ish standard normal scores: none beyond 4.5, and of the right size together. */
function expectScores(what: string, samples: Float32Array, law: Normal): void {
  const scores = zScores(samples, law);
  const square = (list: number[]) => list.reduce((sum, z) => sum + z * z, 0) / list.length;
  const largest = (list: number[]) => Math.max(...list.map(Math.abs));
  const line = (list: number[]) =>
    `rms z ${Math.sqrt(square(list)).toFixed(2)}, largest |z| ${largest(list).toFixed(2)} of ${list.length}`;
  console.info(`  ${what}: mean ${line(scores.mean)}; covariance ${line(scores.covariance)}`);
  for (const list of [scores.mean, scores.covariance]) {
    expect(largest(list)).toBeLessThan(4.5);
    expect(square(list)).toBeLessThan(2.5);
    expect(square(list)).toBeGreaterThan(0.1);
  }
}

/** How far two laws are apart, in standard deviations and in shares of the variances. */
function distance(a: Normal, b: Normal): number {
  const deviations = b.covariance.map((row, i) => Math.sqrt(row[i]!));
  const means = deviations.map((d, i) => Math.abs(a.mean[i]! - b.mean[i]!) / d);
  const entries = b.covariance.flatMap((row, i) =>
    Array.from(row, (v, j) => Math.abs(a.covariance[i]![j]! - v) / (deviations[i]! * deviations[j]!)),
  );
  return Math.max(...means, ...entries);
}

/** One measurement of one draw of the prior, repeated for every sample. */
async function measurementOf(operator: Operator, s: number): Promise<Float32Array> {
  const truth = apply(functionOf(PRIOR, Math.sqrt), normals(9, 0, SIZE)).map((v, i) => v + PRIOR.mean[i]!);
  const clean = await operator.forward(Float32Array.from(truth));
  const noise = normals(9, 1, clean.length);
  return clean.map((v, i) => v + s * noise[i]!);
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
