import { beforeAll, describe, expect, it } from "vitest";
import { normals } from "../../kernels/lib/philox.js";
import type { Gpu } from "../../src/gpu/device.js";
import { loadModel, type Model } from "../../src/networks/edm2/model.js";
import type { Operator } from "../../src/operators/operator.js";
import { operators } from "../../src/operators/operators.js";
import { type SolveInverseOptions, solveInverse } from "../../src/sample/solve-inverse.js";
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
import { fixturePath, relativeError } from "../support/fixtures.js";
import { functionOf, type GaussianPrior, gaussianMean } from "../support/gaussian-prior.js";
import { withTestGpu } from "../support/gpu.js";

let gpu: Gpu;
withTestGpu((own) => {
  gpu = own;
});

type Options = Omit<SolveInverseOptions, "operator" | "measurement">;

const SHAPE = [1, 4, 4] as const;
const SIZE = 16;
const SIGMA_Y = 0.1;

const axis = normals(5, 0, SIZE);
const length = Math.hypot(...axis);
/** One variance for all. */
const ROUND: GaussianPrior = {
  shape: SHAPE,
  mean: new Float64Array(SIZE),
  variances: new Float64Array(SIZE).fill(0.5 ** 2),
  axis: axis.map((v) => v / length),
};
/** Every pair of pixels depends on each other. */
const FULL: GaussianPrior = {
  ...ROUND,
  mean: normals(5, 1, SIZE).map((v) => 0.3 * v),
  variances: Float64Array.from({ length: SIZE }, (_, i) => 0.1 + (1.9 * i) / (SIZE - 1)),
};

const MASK = Array.from({ length: SIZE }, (_, i) => Number(i % 3 !== 1));

/** Rows that no two pixels share, and rows that they do. */
const MATRIX: Matrix = Array.from({ length: 5 }, (_, i) => normals(8, i, SIZE).map((v) => v / 4));

function matrixOperator(a: Matrix): Operator {
  const each = (map: Matrix, values: Float32Array) => {
    const one = map[0]!.length;
    const items = Array.from({ length: values.length / one }, (_, n) =>
      apply(map, values.subarray(n * one, (n + 1) * one)),
    );
    return Float32Array.from(items.flatMap((item) => [...item]));
  };
  return {
    name: "matrix",
    shape: SHAPE,
    measurementShape: [a.length],
    forward: async (x) => each(a, x),
    adjoint: async (y) => each(transpose(a), y),
    async sampleProximal({ x, y, sigma, rho }) {
      const precision = add(scaled(multiply(transpose(a), a), 1 / sigma ** 2), identity(SIZE), 1 / rho ** 2);
      const pull = apply(transpose(a), y).map((v, i) => v / sigma ** 2 + x[i]! / rho ** 2);
      return Float32Array.from(apply(inverse(precision), pull));
    },
  };
}

/** E[x0 | x, y] in float64. */
function posteriorMean(prior: GaussianPrior, a: Matrix, y: Vector, x: Vector, sigma: number): Vector {
  const precision = functionOf(prior, (l) => 1 / l);
  const data = multiply(transpose(a), a);
  const whole = add(add(precision, identity(SIZE), 1 / sigma ** 2), data, 1 / SIGMA_Y ** 2);
  const prior0 = apply(precision, prior.mean);
  const seen = apply(transpose(a), y);
  return apply(
    inverse(whole),
    prior0.map((v, i) => v + x[i]! / sigma ** 2 + seen[i]! / SIGMA_Y ** 2),
  );
}

/** The conditional denoiser at x = sigma z, as the one step of Heun's sampler from this level to 0 leaves it. */
async function estimate(prior: GaussianPrior, operator: Operator, y: Vector, sigma: number, options: Options) {
  const z = normals(11, 0, SIZE);
  const { images } = await solveInverse(gaussianMean(gpu, prior), {
    ...{ operator, measurement: Float32Array.from(y), sigmaY: SIGMA_Y, sigmas: [sigma], solver: "heun" },
    ...(options.sampler === "type2" || options.sampler === "dps" ? { clip: false } : {}),
    noise: () => Float32Array.from(z),
    ...options,
  });
  return { images, x: z.map((v) => sigma * v) };
}

const LEVELS = [0.05, 0.7, 20];

describe("Gaussian priors, where E[x0 | x, y] is known", () => {
  const isotropic: Options[] = [
    { sampler: "type2", sigmaPrior: 0.5, S_churn: 0 },
    { sampler: "pigdm", sigmaPrior: 0.5 },
    { sampler: "mmps", iterations: 1 },
    { sampler: "tmpd" },
  ];
  for (const options of isotropic)
    it(`${options.sampler} gives it with a mask`, async () => {
      const operator = operators.inpainting(gpu, { shape: SHAPE, mask: MASK });
      const a = identity(SIZE).map((row, i) => row.map((v) => v * MASK[i]!));
      const y = normals(3, 0, SIZE).map((v, i) => v * MASK[i]!);
      for (const sigma of LEVELS) {
        const { images, x } = await estimate(ROUND, operator, y, sigma, options);
        expect(relativeError(images, posteriorMean(ROUND, a, y, x, sigma)), `level ${sigma}`).toBeLessThan(3e-6);
      }
    });

  const dense: Options[] = [
    { sampler: "type2", sigmaPrior: 0.5, S_churn: 0 },
    { sampler: "pigdm", sigmaPrior: 0.5 },
    { sampler: "mmps", iterations: 5 },
  ];
  for (const options of dense)
    it(`${options.sampler} gives it with a matrix, an operator on arrays`, async () => {
      const y = normals(3, 0, MATRIX.length);
      for (const sigma of LEVELS) {
        const { images, x } = await estimate(ROUND, matrixOperator(MATRIX), y, sigma, options);
        expect(relativeError(images, posteriorMean(ROUND, MATRIX, y, x, sigma)), `level ${sigma}`).toBeLessThan(3e-5);
      }
    });

  it("mmps alone stays exact with a full covariance, at any number of steps that is enough", async () => {
    const y = normals(3, 0, MATRIX.length);
    const errors = async (options: Options) => {
      const { images, x } = await estimate(FULL, matrixOperator(MATRIX), y, 0.7, options);
      return relativeError(images, posteriorMean(FULL, MATRIX, y, x, 0.7));
    };
    expect(await errors({ sampler: "mmps", iterations: 5 })).toBeLessThan(1e-5);
    expect(await errors({ sampler: "mmps", iterations: 9 })).toBeLessThan(1e-5);
    expect(await errors({ sampler: "mmps", iterations: 1 })).toBeGreaterThan(1e-2);
    for (const other of isotropic.filter(({ sampler }) => sampler !== "mmps"))
      expect(await errors(other), other.sampler).toBeGreaterThan(1e-3);
  });

  it("pigdm and dps add their guidance after the step in ddim and zeta", async () => {
    const y = normals(3, 0, MATRIX.length);
    const sigma = 0.7;
    const gain = functionOf(FULL, (l) => l / (l + sigma ** 2));
    for (const solver of ["ddim", "zeta"] as const) {
      const run = (options: Options) => estimate(FULL, matrixOperator(MATRIX), y, sigma, { solver, ...options });
      const { images, x } = await run({ sampler: "pigdm", sigmaPrior: 1 });
      const d = apply(
        gain,
        x.map((v, i) => v - FULL.mean[i]!),
      ).map((v, i) => v + FULL.mean[i]!);
      const rho2 = sigma ** 2 / (1 + sigma ** 2);
      const inner = inverse(add(scaled(multiply(MATRIX, transpose(MATRIX)), rho2), identity(5), SIGMA_Y ** 2));
      const residual = apply(MATRIX, d).map((v, i) => y[i]! - v);
      const moved = apply(transpose(MATRIX), apply(inner, residual)).map((v) => rho2 * v);
      const guided = apply(gain, moved);
      expect(
        relativeError(
          images,
          d.map((v, i) => v + guided[i]!),
        ),
      ).toBeLessThan(1e-5);

      const { images: descended } = await run({ sampler: "dps", strength: 0.4 });
      const slope = apply(gain, apply(transpose(MATRIX), residual)).map((v) => -v / Math.hypot(...residual));
      const factor = 0.4 * Math.sqrt(1 + sigma ** 2);
      expect(
        relativeError(
          descended,
          d.map((v, i) => v - factor * slope[i]!),
        ),
      ).toBeLessThan(1e-5);
    }
  });

  it("dps has nothing to do where the misfit is 0", async () => {
    const operator = operators.inpainting(gpu, { shape: SHAPE, mask: MASK });
    const zeros = () => new Float32Array(SIZE);
    for (const solver of ["ddim", "heun"] as const) {
      const { images } = await solveInverse(gaussianMean(gpu, ROUND), {
        ...{ sampler: "dps", operator, measurement: zeros(), sigmas: [2], solver, noise: zeros },
      });
      expect(images).toEqual(zeros());
    }
  });

  it("tmpd divides by what it finds, and names the level where that is 0", async () => {
    const operator = operators.inpainting(gpu, { shape: SHAPE, mask: new Array(SIZE).fill(1) });
    // J = -1 at level 1, and sigmaY^2 + s^2 A J'A'1 = 0.
    const prior = { ...ROUND, variances: new Float64Array(SIZE).fill(-0.5) };
    const y = normals(3, 0, SIZE);
    const run = estimate(prior, operator, y, 1, { sampler: "tmpd", solver: "ddim", sigmaY: 1, sigmas: [2, 1] });
    await expect(run).rejects.toThrow("The step at noise level 1 (level 1) gave values that are not finite");
  });
});

describe("with a network", () => {
  let model: Model;
  let operator: Operator;
  beforeAll(async () => {
    model = await loadModel(gpu, fixturePath("edm2-tiny.safetensors"));
    operator = operators.gaussianBlur(gpu, { shape: model.shape, kernelSize: 9, std: 1.2 });
  });
  const samplers: Options[] = [
    { sampler: "dps" },
    { sampler: "pigdm", solver: "heun" },
    { sampler: "mmps", iterations: 2, solver: "ddim" },
    { sampler: "tmpd", solver: "zeta" },
  ];
  const solve = (options: Options, measurements = 1) => {
    const one = Float32Array.from({ length: 768 }, (_, i) => Math.sin(i * i));
    const measurement = Float32Array.from({ length: 768 * measurements }, (_, i) => one[i % 768]!);
    return solveInverse(model, { operator, measurement, sigmaY: 0.5, sigmas: [30, 2, 0.3], ...options });
  };

  for (const options of samplers)
    it(`${options.sampler}: the image of a seed does not depend on the batch, to the bit`, async () => {
      const { images } = await solve({ ...options, labels: [3, 5], seeds: [7, 11] }, 2);
      for (const [n, seed] of [7, 11].entries()) {
        const alone = await solve({ ...options, labels: [[3, 5][n]!], seeds: [seed] });
        expect(alone.images).toEqual(images.subarray(768 * n, 768 * (n + 1)));
      }
    });

  it("settings that a sampler lacks, or that cannot be, are refused", async () => {
    const refused = (options: object, text: string) =>
      expect(solve(options as Options), JSON.stringify(options)).rejects.toThrow(text);
    await refused({ sampler: "pigdm", clip: true }, "pigdm: clip belongs to the solver heun");
    await refused({ sampler: "dps", sigmaPrior: 1 }, "the sampler dps has no setting sigmaPrior");
    await refused({ sampler: "tmpd", iterations: 2 }, "the sampler tmpd has no setting iterations");
    await refused({ sampler: "dps", strength: 0 }, "strength must be a positive finite number, got 0");
    await refused({ sampler: "mmps", iterations: 0 }, "iterations must be an integer of at least 1, got 0");
    await refused({ sampler: "mmps", iterations: 1.5 }, "iterations must be an integer of at least 1, got 1.5");
    await refused({ sampler: "mmps", iterations: 101 }, "iterations must be at most 100, got 101");
    await refused({ sampler: "pigdm", sigmaPrior: -1 }, "sigmaPrior must be a positive finite number, got -1");
  });

  it("operators that lack what a sampler needs are refused, with those that would do", async () => {
    const phase = operators.phaseRetrieval(gpu, { shape: model.shape, pad: 8 });
    const measurement = new Float32Array(3 * 32 * 32);
    const run = (sampler: "pigdm" | "mmps" | "tmpd") => solveInverse(model, { sampler, operator: phase, measurement });
    await expect(run("pigdm")).rejects.toThrow(
      "needs an exact likelihood step, which the operator phaseRetrieval lacks",
    );
    for (const sampler of ["mmps", "tmpd"] as const)
      await expect(run(sampler)).rejects.toThrow(
        /needs a linear operator with its adjoint.*would work are .*daps.*dps/,
      );
  });

  it("pigdm refuses operators that are not linear although they have a mean, mmps and tmpd wrong adjoints", async () => {
    const prior = gaussianMean(gpu, ROUND);
    const measurement = new Float32Array(SIZE);
    const pointwise: Operator = {
      ...{ name: "squares", shape: SHAPE, measurementShape: SHAPE, forward: async (x) => x.map((v) => v * v) },
      ...{ sampleProximal: async ({ x }) => x, energyGradient: async ({ x }) => x.map((v) => 4 * v ** 3) },
      law: async ({ x }) => ({ mean: Float64Array.from(x), variance: new Float64Array(x.length) }),
    };
    const pigdm = solveInverse(prior, { sampler: "pigdm", operator: pointwise, measurement });
    await expect(pigdm).rejects.toThrow(
      /needs a linear operator, which the operator squares is not: .* diffpir, .*dps/,
    );
    const { sampleProximal: _, ...maps } = matrixOperator(identity(SIZE));
    const wrong: Operator = { ...maps, adjoint: async (y) => y.map((v, i) => (i % 2) * v) };
    for (const sampler of ["mmps", "tmpd"] as const)
      await expect(solveInverse(prior, { sampler, operator: wrong, measurement })).rejects.toThrow("adjoint");
  });

  it("generative denoisers are refused: they give draws, not the mean", async () => {
    const ncvsd = await loadModel(gpu, fixturePath("ncvsd-tiny.safetensors"));
    const measurement = new Float32Array(768);
    for (const { sampler } of samplers)
      await expect(solveInverse(ncvsd, { sampler, operator, measurement } as SolveInverseOptions)).rejects.toThrow(
        `The sampler ${sampler} needs the mean E[x0 | x] of an EDM2 teacher`,
      );
  });
});
