import { describe, expect, it } from "vitest";
import { wasserstein1 } from "../../src/evaluate/wasserstein.js";
import { gaussianMixture } from "../../src/priors/mixture.js";
import { RawTensors } from "../support/raw-tensors.js";

/** Largest difference, relative to the largest value. */
function difference(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(found.length).toBe(expected.length);
  let [worst, size] = [0, 0];
  for (let i = 0; i < found.length; i++) {
    worst = Math.max(worst, Math.abs(found[i]! - expected[i]!));
    size = Math.max(size, Math.abs(expected[i]!));
    if (!Number.isFinite(found[i])) return Number.NaN;
  }
  return worst / size;
}

const TIGHT = 1e-12;

describe("a mixture, against recordings in float64", () => {
  const recorded = new RawTensors("priors/disco-d2.safetensors");
  const d2 = gaussianMixture({
    means: recorded.values("d2.means"),
    covs: recorded.values("d2.covs"),
    weights: recorded.values("d2.weights"),
  });

  for (const [kind, mix] of [
    ["clean", d2],
    // The level of the recording is the single precision number.
    ["smoothed", d2.smoothed(Math.fround(0.1))],
  ] as const) {
    it(`${kind}: density, score, conditionals`, () => {
      const of = (name: string) => recorded.values(`d2.${kind}.${name}.f64`);
      const x = recorded.values("d2.x");
      expect(difference(mix.logDensity(x), of("logp"))).toBeLessThan(TIGHT);
      expect(difference(mix.score(x), of("score"))).toBeLessThan(TIGHT);
      const points = recorded.values("d2.test_points");
      for (let n = 0; n < 6; n++) {
        const given = mix.conditional({ indices: [0], values: [points[2 * n]!] });
        for (const name of ["weights", "means", "covs"] as const)
          expect(difference(given[name], of(`cond.${name}`).slice(20 * n, 20 * n + 20))).toBeLessThan(TIGHT);
      }
    });
  }

  for (const name of ["mixture_d2", "mixture_image_4x4"]) {
    it(`${name}: denoiser, generative draws, posterior`, () => {
      const file = new RawTensors(`priors/${name}.safetensors`);
      const of = (key: string) => file.values(key);
      const mix = gaussianMixture({ means: of("means"), covs: of("covs"), weights: of("weights") });
      const { sigma_y: sigmaY, generate_sigma: sigma } = JSON.parse(file.metadata.config!);
      const levels = of("denoise.sigma");
      const one = of("denoise.x").length / levels.length;
      const rows = one / mix.dims;
      const perRow = Float64Array.from({ length: levels.length * rows }, (_, n) => levels[Math.floor(n / rows)]!);
      const x = of("denoise.x");
      expect(difference(mix.denoise({ x, sigma: perRow }), of("denoise.D"))).toBeLessThan(TIGHT);
      const densities = Array.from(levels).flatMap((level, l) =>
        Array.from(mix.smoothed(level).logDensity(x.subarray(l * one, (l + 1) * one))),
      );
      expect(difference(densities, of("denoise.log_density"))).toBeLessThan(TIGHT);

      const at = levels.findIndex((level) => Math.abs(level - sigma) < 1e-6);
      const draws = { uniforms: of("generate.uniforms"), z: of("generate.z") };
      const y = x.subarray(at * one, (at + 1) * one);
      const drawn = mix.generate({ y, sigma: levels[at]!, ...draws });
      expect(difference(drawn, of("generate.x0"))).toBeLessThan(TIGHT);

      const measured = of("y");
      const post = mix.posterior({ matrix: of("matrix"), rows: measured.length, y: measured, sigma: sigmaY });
      for (const key of ["weights", "means", "covs"] as const)
        expect(difference(post[key], of(`posterior.${key}`))).toBeLessThan(TIGHT);
      expect(difference(post.mean(), of("posterior.mean"))).toBeLessThan(TIGHT);
      expect(difference(post.std(), of("posterior.std"))).toBeLessThan(TIGHT);
      expect(difference([post.logEvidence], of("posterior.log_evidence"))).toBeLessThan(TIGHT);
      expect(difference(post.logDensity(of("posterior.x")), of("posterior.log_density"))).toBeLessThan(TIGHT);
      expect(difference(post.draw(draws), of("posterior.draw"))).toBeLessThan(TIGHT);
    });
  }
});

describe("a mixture's own consistency", () => {
  const mix = gaussianMixture({
    means: [
      [-1, 0.5, 0],
      [1, 0, 2],
    ],
    covs: [
      [
        [0.5, 0.2, 0],
        [0.2, 0.3, 0.1],
        [0, 0.1, 0.4],
      ],
      // Rank one.
      [
        [1, 2, 0],
        [2, 4, 0],
        [0, 0, 0],
      ],
    ],
    weights: [3, 1],
  });

  it("normalises weights, and draws the same for the same seed with the mixture's moments", () => {
    expect(Array.from(mix.weights)).toEqual([0.75, 0.25]);
    const n = 20000;
    const rows = mix.sample(n, 7);
    // The first rows don't depend on how many follow.
    expect(rows.subarray(0, 30)).toEqual(mix.sample(10, 7));
    expect(mix.sample(4, 8)).not.toEqual(mix.sample(4, 7));
    const [mean, std] = [mix.mean(), mix.std()];
    for (let i = 0; i < 3; i++) {
      const own = Array.from({ length: n }, (_, k) => rows[3 * k + i]!);
      const average = own.reduce((a, b) => a + b, 0) / n;
      const spread = Math.sqrt(own.reduce((a, b) => a + (b - average) ** 2, 0) / n);
      expect(Math.abs(average - mean[i]!)).toBeLessThan((4 * std[i]!) / Math.sqrt(n));
      expect(spread / std[i]!).toBeCloseTo(1, 1);
    }
  });

  it("denoises as Tweedie says, by the score of the smoothed density", () => {
    const x = [0.3, -0.2, 1.5];
    const sigma = 0.7;
    const denoised = mix.denoise({ x, sigma });
    const score = mix.smoothed(sigma).score(x);
    x.forEach((v, i) => {
      expect(denoised[i]).toBeCloseTo(v + sigma ** 2 * score[i]!, 12);
    });
    expect(mix.denoise({ x, sigma: 0 })).toEqual(Float64Array.from(x));
  });

  it("conditions as a measurement of coordinates without noise does, and knows the evidence", () => {
    const given = mix.smoothed(0.1).conditional({ indices: [2, 0], values: [0.2, -0.5] });
    const post = mix.smoothed(0.1).posterior({ matrix: [0, 0, 1, 1, 0, 0], rows: 2, y: [0.2, -0.5], sigma: 0 });
    expect(given.dims).toBe(1);
    expect(given.mean()[0]).toBeCloseTo(post.mean()[1]!, 12);
    expect(given.std()[0]).toBeCloseTo(post.std()[1]!, 12);
    expect(given.logEvidence).toBeCloseTo(post.logEvidence, 12);
    // p(x1) = p(all) / p(x1 | others)
    const joint = mix.smoothed(0.1).logDensity([-0.5, 0.4, 0.2])[0]!;
    expect(given.logEvidence).toBeCloseTo(joint - given.logDensity([0.4])[0]!, 10);
  });

  it("stays a covariance where the noise is tiny", () => {
    const identity = [1, 0, 0, 0, 1, 0, 0, 0, 1];
    const one = gaussianMixture({ means: [0, 0, 0], covs: [4, 1, 0, 1, 3, 1, 0, 1, 2], weights: [1] });
    const post = one.posterior({ matrix: identity, rows: 3, y: [1, 2, 3], sigma: 1e-6 });
    for (const s of post.std()) expect(s / 1e-6).toBeCloseTo(1, 4);
    const draw = post.sample(1000, 1);
    const spread = Math.sqrt(draw.reduce((sum, v, i) => sum + (v - [1, 2, 3][i % 3]!) ** 2, 0) / draw.length);
    expect(spread / 1e-6).toBeCloseTo(1, 1);
  });

  it("says what is wrong", () => {
    const good = { means: [0, 0], covs: [1, 0, 0, 1], weights: [1] };
    const made = (change: object) => () => gaussianMixture({ ...good, ...change });
    expect(made({ weights: [0] })).toThrow(/at least one must be positive/);
    expect(made({ weights: [1, 1, 1] })).toThrow(/no 3 rows/);
    expect(made({ covs: [1, 0, 0] })).toThrow(/1 matrices of 2 x 2 are 4/);
    expect(made({ covs: [1, 0.5, 0, 1] })).toThrow(/not symmetric/);
    expect(made({ covs: [1, 2, 2, 1] })).toThrow(/negative eigenvalues/);
    expect(made({ means: [0, Number.NaN] })).toThrow(/means holds NaN at index 1/);
    expect(made({ mean: [0, 0] })).toThrow(/did you mean means/);
    expect(() => mix.logDensity([0, 0, 0])).toThrow(/covariance 1 is singular/);
    expect(() => mix.denoise({ x: [0, 0], sigma: 1 })).toThrow(/no positive multiple of 3/);
    expect(() => mix.denoise({ x: [0, 0, 0], sigma: -1 })).toThrow(/must not be negative/);
    expect(() => mix.conditional({ indices: [0, 0], values: [1, 1] })).toThrow(/different integers from 0 to 2/);
    expect(() => mix.posterior({ matrix: [0, 0, 0], rows: 1, y: [1], sigma: 0 })).toThrow(/singular/);
    expect(() => mix.draw({ uniforms: [2], z: [0, 0, 0] })).toThrow(/from 0 to 1/);
  });
});

describe("wasserstein1", () => {
  it("is the mean distance of sorted values for equal counts", () => {
    expect(wasserstein1([3, 1, 2], [2.5, 0, 4])).toBeCloseTo((1 + 0.5 + 1) / 3, 14);
    expect(wasserstein1([1, 1, 2], [2, 1, 1])).toBe(0);
  });

  it("integrates quantile functions for unequal counts", () => {
    // On thirds and halves: |0-1| to 1/3, |1-1| to 1/2, |1-2| to 2/3, |5-2| to 1.
    expect(wasserstein1([0, 1, 5], [1, 2])).toBeCloseTo(1 / 3 + 0 + 1 / 6 + 1, 14);
    expect(wasserstein1([1, 2], [0, 1, 5])).toBeCloseTo(1.5, 14);
    // A sample repeated is the same distribution.
    expect(wasserstein1([1, 2, 3], [1, 1, 2, 2, 3, 3])).toBe(0);
    expect(() => wasserstein1([], [1])).toThrow(/a is empty/);
  });
});
