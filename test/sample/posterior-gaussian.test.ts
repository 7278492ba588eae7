import { describe, expect, it } from "vitest";
import type { Gpu } from "../../src/gpu/device.js";
import type { Operator } from "../../src/operators/operator.js";
import { operators } from "../../src/operators/operators.js";
import { noiseLevels } from "../../src/sample/schedule.js";
import { type SolveInverseOptions, solveInverse } from "../../src/sample/solve-inverse.js";
import { add, apply, identity, inverse, type Matrix, multiply, scaled, transpose } from "../support/dense.js";
import { relativeError } from "../support/fixtures.js";
import {
  functionOf,
  type GaussianPrior,
  gaussianDenoiser,
  gaussianMean,
  type Normal,
} from "../support/gaussian-prior.js";
import { withTestGpu } from "../support/gpu.js";
import {
  exactStep,
  expectScores,
  langevinStep,
  matrixOf,
  measurementOf,
  PRIOR,
  priorStep,
  propagate,
  SHAPE,
  SIZE,
  type Step,
} from "../support/normal-law.js";

let gpu: Gpu;
withTestGpu((own) => (gpu = own));

const ZERO = scaled(identity(SIZE), 0);
const RUNS = 4000;
const S = 0.4;

/** The mean alone. */
const quiet = ({ map, offset }: Step): Step => ({ map, offset, noise: ZERO });

/** What comes of one step after another. */
function chain(...steps: readonly Step[]): Step {
  return steps.reduce((first, { map, offset, noise }) => ({
    map: multiply(map, first.map),
    offset: apply(map, first.offset).map((v, i) => v + offset[i]!),
    noise: add(multiply(multiply(map, first.noise), transpose(map)), noise),
  }));
}

/** x' = (1 - q) D x + q x + c z */
function mix({ map, offset }: Step, q: number, c: number): Step {
  return {
    map: add(scaled(map, 1 - q), identity(SIZE), q),
    offset: offset.map((v) => (1 - q) * v),
    noise: scaled(identity(SIZE), c * c),
  };
}

const noised = (c: number): Step => ({
  map: identity(SIZE),
  offset: new Float64Array(SIZE),
  noise: scaled(identity(SIZE), c * c),
});

/** x = s z, and then the steps. */
function lawOf(s: number, steps: readonly Step[]): Normal {
  return propagate({ mean: new Float64Array(SIZE), covariance: scaled(identity(SIZE), s * s) }, chain(...steps));
}

/** D_y of diffpir and type2. */
const guidedMean = (a: Matrix, y: ArrayLike<number>, sigma: number, rho: number): Step =>
  chain(quiet(priorStep(sigma)), quiet(exactStep(a, y, S, rho)));

/** Heun's step from t to next, from two slopes (x - D) / t. */
function heun(denoiser: (sigma: number) => Step, t: number, next: number): Step {
  const euler = mix(denoiser(t), next / t, 0);
  if (next === 0) return euler;
  // x' = x + (next - t) / 2 ((x - D(x)) / t + (x1 - D(x1)) / next)
  const [first, second] = [denoiser(t), chain(euler, denoiser(next))];
  const [f, g] = [(next - t) / (2 * t), (next - t) / (2 * next)];
  const part = (own: Matrix, one: Matrix, two: Matrix, mid: Matrix) =>
    add(add(add(scaled(own, 1 + f), one, -f), mid, g), two, -g);
  return {
    map: part(identity(SIZE), first.map, second.map, euler.map),
    offset: euler.offset.map((v, i) => -f * first.offset[i]! + g * v - g * second.offset[i]!),
    noise: ZERO,
  };
}

const blur = () => operators.gaussianBlur(gpu, { shape: SHAPE, kernelSize: 3, std: 0.6 });
const mask = () => operators.inpainting(gpu, { shape: SHAPE, box: [0, 2, 0, 3] });
const levels = (steps: number, sigmaMin: number, sigmaMax: number) =>
  noiseLevels({ steps, sigmaMin, sigmaMax, rho: 7 });

interface Setting {
  readonly name: string;
  readonly operator: () => Operator;
  readonly generative?: true;
  readonly options: Partial<SolveInverseOptions>;
  law(a: Matrix, y: ArrayLike<number>): Normal;
}

const eight = levels(8, 0.2, 5);
const next = (sigmas: ArrayLike<number>, i: number) => sigmas[i + 1] ?? 0;
const descend = (sigmas: Float64Array, step: (s: number, to: number, i: number) => Step): Step[] =>
  Array.from(sigmas, (s, i) => step(s, next(sigmas, i), i));

const settings: Setting[] = [
  {
    name: "diffpir, zeta",
    operator: blur,
    options: { sampler: "diffpir", sigmas: eight, lambda: 2, zeta: 0.4 },
    law: (a, y) =>
      lawOf(
        5,
        descend(eight, (s, to) =>
          mix(guidedMean(a, y, s, s / Math.SQRT2), (to / s) * Math.sqrt(0.6), Math.sqrt(0.4) * to),
        ),
      ),
  },
  {
    name: "diffpir with a generative denoiser, ancestral",
    operator: mask,
    generative: true,
    options: { sampler: "diffpir", sigmas: eight, lambda: 1, solver: "ddim", eta: 1 },
    law: (a, y) =>
      lawOf(
        5,
        descend(eight, (s, to) => {
          const drawn = chain(priorStep(s), quiet(exactStep(a, y, S, s)));
          const c = to * Math.sqrt(1 - (to / s) ** 2);
          const q = (to / s) ** 2;
          const { map, offset, noise } = mix(drawn, q, c);
          return { map, offset, noise: add(noise, drawn.noise, (1 - q) ** 2) };
        }),
      ),
  },
  {
    name: "type2, heun with churn",
    operator: mask,
    options: { sampler: "type2", sigmas: eight, clip: false, sigmaPrior: 0.8, S_churn: 2, S_max: 2, S_noise: 1.1 },
    law: (a, y) => {
      const denoiser = (s: number) => guidedMean(a, y, s, (0.8 * s) / Math.hypot(s, 0.8));
      const steps = descend(eight, (s, to) => {
        const t = s >= 0.05 && s <= 2 ? s * (1 + 2 / 8) : s;
        return chain(noised(1.1 * Math.sqrt(t * t - s * s)), heun(denoiser, t, to));
      });
      return lawOf(5, steps);
    },
  },
  {
    name: "daps, Langevin",
    operator: blur,
    options: {
      ...{ sampler: "daps", sigmas: levels(5, 0.4, 5), ode: { steps: 3, sigmaMin: 0.1 } },
      mcmc: { steps: 7, step: 0.02, tau: 0.5, decay: 0.3 },
    },
    law(a, y) {
      const sigmas = levels(5, 0.4, 5);
      const steps = descend(sigmas, (s, to, i) => {
        const times = levels(4, 0.1, s);
        const ode = [0, 1, 2].map((k) => mix(priorStep(times[k]!), times[k + 1]! / times[k]!, 0));
        const e = 0.02 * (1 - (i / 6) * (1 - 0.3));
        return chain(...ode, langevinStep(a, y, 0.25, s, e, 7), noised(to));
      });
      return lawOf(5, steps);
    },
  },
  {
    name: "daps with a generative denoiser, inversebench",
    operator: mask,
    generative: true,
    options: {
      ...{ sampler: "daps", sigmas: levels(4, 0.4, 5), convention: "inversebench" },
      mcmc: { steps: 5, step: 0.05, tau: 0.5, decay: 0.5 },
    },
    law(a, y) {
      const steps = descend(levels(4, 0.4, 5), (s, to, i) => {
        const e = 0.05 * (1 - (i / 4) * (1 - 0.5));
        return chain(priorStep(s), langevinStep(a, y, 0.5, s, e, 5), noised(to));
      });
      return lawOf(5, steps);
    },
  },
  {
    name: "pnp-dm, sde",
    operator: blur,
    options: { sampler: "pnp-dm", sigmas: [3, 1.5, 1.5, 0.6], diffusion: { steps: 6, sigmaMin: 0.1, sigmaMax: 4 } },
    law: (a, y) => pnpDmLaw(a, y, [3, 1.5, 1.5, 0.6], true),
  },
  {
    name: "pnp-dm, ode, Langevin likelihood",
    operator: mask,
    options: {
      ...{ sampler: "pnp-dm", steps: 4, anneal: { start: 3, decay: 0.5, end: 0.6 }, langevin: true },
      ...{ diffusion: { steps: 6, sigmaMin: 0.1, sigmaMax: 4, mode: "ode" }, mcmc: { steps: 9, step: 0.03 } },
    },
    law: (a, y) => pnpDmLaw(a, y, [3, 1.5, 0.75, 0.6], false),
  },
];

function pnpDmLaw(a: Matrix, y: ArrayLike<number>, couplings: readonly number[], sde: boolean): Normal {
  const grid = levels(6, 0.1, 4);
  const steps = couplings.flatMap((rho) => {
    const times = [...grid.filter((t) => t < rho), 0];
    const likelihood = sde ? exactStep(a, y, S, rho) : langevinStep(a, y, 2 * S * S, rho, 0.03, 9);
    const inner = times.slice(0, -1).map((t, j) => {
      const to = times[j + 1]!;
      if (!sde) return mix(priorStep(t), to / t, 0);
      return mix(priorStep(t), (2 * to) / t - 1, to > 0 ? Math.sqrt(2 * t * (t - to)) : 0);
    });
    return [likelihood, ...inner];
  });
  return lawOf(1, steps);
}

describe("with the exact denoiser of a Gaussian prior, a run has the law that arithmetic gives it", () => {
  for (const { name, operator: make, generative, options, law } of settings) {
    it(name, async () => {
      const operator = make();
      const measurement = await measurementOf(operator, S);
      const model = generative ? gaussianDenoiser(gpu, PRIOR) : gaussianMean(gpu, PRIOR);
      const given = { ...options, operator, measurement, sigmaY: S, runs: RUNS };
      const { images } = await solveInverse(model, given as SolveInverseOptions);
      expectScores(name, images, law(await matrixOf(operator), measurement));
    });
  }
});

describe("pnp-dm with exact draws at a coupling that stays", () => {
  it("samples the posterior of a measurement that is noisier by the coupling", async () => {
    const operator = blur();
    const a = await matrixOf(operator);
    const measurement = await measurementOf(operator, S);
    const rho = 0.3;
    const sigmas = [2, 1, ...Array<number>(60).fill(rho)];
    const model = gaussianDenoiser(gpu, PRIOR);
    const { images } = await solveInverse(model, {
      ...{ sampler: "pnp-dm", operator, measurement, sigmaY: S, sigmas, runs: RUNS },
    });
    // y = A u + S n, u = x + rho m: noise of covariance S^2 + rho^2 A A'.
    const noise = add(scaled(multiply(a, transpose(a)), rho ** 2), identity(SIZE), S ** 2);
    const weight = multiply(transpose(a), inverse(noise));
    const priorMap = functionOf(PRIOR, (l) => 1 / l);
    const covariance = inverse(add(priorMap, multiply(weight, a)));
    const pull = apply(priorMap, PRIOR.mean).map((v, i) => v + apply(weight, measurement)[i]!);
    expectScores("the stationary law", images, { mean: apply(covariance, pull), covariance });
  });
});

describe("of an isotropic Gaussian prior", () => {
  const p = 0.7;
  const isotropic: GaussianPrior = {
    ...PRIOR,
    mean: new Float64Array(SIZE),
    variances: new Float64Array(SIZE).fill(p * p),
  };

  it("type2 with sigmaPrior p gives E[x0 | x, y] at every level", async () => {
    for (const make of [blur, mask]) {
      const operator = make();
      const a = await matrixOf(operator);
      const measurement = await measurementOf(operator, S);
      const sigmas = levels(6, 0.05, 20);
      let x: Float32Array | undefined;
      let compared = 0;
      await solveInverse(gaussianMean(gpu, isotropic), {
        ...{ sampler: "type2", operator, measurement, sigmaY: S, sigmas, clip: false, sigmaPrior: p, solver: "ddim" },
        async onStep({ sigma, preview, next }) {
          if (x) {
            // Precision of x0 given x and y: 1 / p^2 + 1 / sigma^2 + A'A / S^2.
            const precision = add(
              scaled(multiply(transpose(a), a), 1 / S ** 2),
              identity(SIZE),
              1 / p ** 2 + 1 / sigma ** 2,
            );
            const pull = apply(transpose(a), measurement).map((v, i) => v / S ** 2 + x![i]! / sigma ** 2);
            expect(relativeError(await preview(), apply(inverse(precision), pull))).toBeLessThan(2e-6);
            compared++;
          }
          x = await next!();
        },
      });
      expect(compared).toBe(5);
    }
  });

  it("eta 0 and zeta 0 are one sampler, and Heun's sampler with one level is the same again", async () => {
    const operator = blur();
    const measurement = await measurementOf(operator, S);
    const solve = async (options: Partial<SolveInverseOptions>) =>
      (
        await solveInverse(gaussianMean(gpu, isotropic), {
          ...{ sampler: "type2", operator, measurement, sigmaY: S, clip: false, seeds: [3] },
          ...options,
        } as SolveInverseOptions)
      ).images;
    const many = levels(5, 0.05, 20);
    const [eta, zeta] = [
      await solve({ solver: "ddim", eta: 0, sigmas: many }),
      await solve({ solver: "zeta", zeta: 0, sigmas: many }),
    ];
    expect([...eta]).toEqual([...zeta]);
    const one = await solve({ solver: "heun", S_churn: 0, sigmas: [4] });
    expect(relativeError(one, await solve({ solver: "ddim", eta: 0, sigmas: [4, 0] }))).toBeLessThan(1e-6);
    expect(relativeError(one, eta)).toBeGreaterThan(1e-3);
  });
});
