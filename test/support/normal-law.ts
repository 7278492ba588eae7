import { expect } from "vitest";
import { normals } from "../../kernels/lib/philox.js";
import type { Operator } from "../../src/operators/operator.js";
import { add, apply, identity, inverse, type Matrix, multiply, scaled, transpose, type Vector } from "./dense.js";
import { functionOf, type GaussianPrior, type Normal } from "./gaussian-prior.js";

const SIDE = 4;
export const SIZE = SIDE * SIDE;
export const SHAPE = [1, SIDE, SIDE] as const;

const axis = normals(5, 0, SIZE);
const length = Math.hypot(...axis);
export const PRIOR: GaussianPrior = {
  shape: SHAPE,
  mean: normals(5, 1, SIZE).map((v) => 0.3 * v),
  variances: Float64Array.from({ length: SIZE }, (_, i) => 0.1 + (1.9 * i) / (SIZE - 1)),
  axis: axis.map((v) => v / length),
};

/** The operator's matrix, column by column. */
export async function matrixOf(operator: Operator): Promise<Matrix> {
  const columns = await operator.forward(Float32Array.from(identity(SIZE).flatMap((row) => [...row])));
  const rows = columns.length / SIZE;
  return Array.from({ length: rows }, (_, i) => Float64Array.from({ length: SIZE }, (_, j) => columns[j * rows + i]!));
}

/** x = map u + offset + N(0, noise) */
export interface Step {
  readonly map: Matrix;
  readonly offset: Vector;
  readonly noise: Matrix;
}

/** The law of x after a step. */
export function propagate(before: Normal, { map, offset, noise }: Step): Normal {
  return {
    mean: apply(map, before.mean).map((v, i) => v + offset[i]!),
    covariance: add(multiply(multiply(map, before.covariance), transpose(map)), noise),
  };
}

/** A draw of the prior given x = x0 + sigma n. */
export function priorStep(sigma: number): Step {
  const map = functionOf(PRIOR, (l) => l / (l + sigma ** 2));
  const shifted = apply(map, PRIOR.mean);
  return {
    map,
    offset: PRIOR.mean.map((v, i) => v - shifted[i]!),
    noise: functionOf(PRIOR, (l) => (l * sigma ** 2) / (l + sigma ** 2)),
  };
}

/** The closed form: N(u; P^-1 (A'y / s^2 + x / rho^2), P^-1), P = A'A / s^2 + 1 / rho^2. */
export function exactStep(a: Matrix, y: ArrayLike<number>, s: number, rho: number): Step {
  const noise = inverse(add(scaled(multiply(transpose(a), a), 1 / s ** 2), identity(SIZE), 1 / rho ** 2));
  const pull = apply(transpose(a), y).map((v) => v / s ** 2);
  return { map: scaled(noise, 1 / rho ** 2), offset: apply(noise, pull), noise };
}

/** The law of the finite Langevin chain of steps eta that starts at its centre. */
export function langevinStep(
  a: Matrix,
  y: ArrayLike<number>,
  beta: number,
  sigma: number,
  eta: number,
  steps: number,
): Step {
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

/** The posterior of the prior above given y = A x + s n. */
export function posteriorOf(a: Matrix, y: ArrayLike<number>, s: number): Normal {
  const precision = functionOf(PRIOR, (l) => 1 / l);
  const covariance = inverse(add(precision, scaled(multiply(transpose(a), a), 1 / s ** 2)));
  const pull = apply(precision, PRIOR.mean).map((v, i) => v + apply(transpose(a), y)[i]! / s ** 2);
  return { mean: apply(covariance, pull), covariance };
}

/** Measures samples against a normal law in Monte Carlo standard errors: every mean and every entry of the covariance. */
export function zScores(samples: Float32Array, law: Normal): { mean: number[]; covariance: number[] } {
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
export function expectScores(what: string, samples: Float32Array, law: Normal): void {
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
export function distance(a: Normal, b: Normal): number {
  const deviations = b.covariance.map((row, i) => Math.sqrt(row[i]!));
  const means = deviations.map((d, i) => Math.abs(a.mean[i]! - b.mean[i]!) / d);
  const entries = b.covariance.flatMap((row, i) =>
    Array.from(row, (v, j) => Math.abs(a.covariance[i]![j]! - v) / (deviations[i]! * deviations[j]!)),
  );
  return Math.max(...means, ...entries);
}

/** One measurement of one draw of the prior, repeated for every sample. */
export async function measurementOf(operator: Operator, s: number): Promise<Float32Array> {
  const truth = apply(functionOf(PRIOR, Math.sqrt), normals(9, 0, SIZE)).map((v, i) => v + PRIOR.mean[i]!);
  const clean = await operator.forward(Float32Array.from(truth));
  const noise = normals(9, 1, clean.length);
  return clean.map((v, i) => v + s * noise[i]!);
}
