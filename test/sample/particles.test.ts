import { describe, expect, it, vi } from "vitest";
import { wasserstein1 } from "../../src/evaluate/wasserstein.js";
import type { Gpu } from "../../src/gpu/device.js";
import { loadDisco } from "../../src/networks/energy/model.js";
import { gaussianMixture } from "../../src/priors/mixture.js";
import { sampleLangevin } from "../../src/sample/langevin.js";
import { mixtureDensity } from "../../src/sample/particles/density.js";
import { guidance, replacement, sampleDiffusion, twisted } from "../../src/sample/particles/diffusion.js";
import { hmcTransition, sampleHmc } from "../../src/sample/particles/hmc.js";
import { requireRoom } from "../../src/sample/particles/settings.js";
import { type SmcOptions, sampleSmc } from "../../src/sample/particles/smc.js";
import { sampleUla } from "../../src/sample/particles/ula.js";
import { fixturePath } from "../support/fixtures.js";
import { withTestGpu } from "../support/gpu.js";
import { RawTensors } from "../support/raw-tensors.js";

let gpu: Gpu;
withTestGpu((opened) => {
  gpu = opened;
});

const recorded = new RawTensors("priors/disco-d2.safetensors");
const d2 = gaussianMixture({
  means: recorded.values("d2.means"),
  covs: recorded.values("d2.covs"),
  weights: recorded.values("d2.weights"),
});
const network = () => loadDisco(gpu, fixturePath("disco/energy-d2k32.safetensors"));

/** Largest difference; equal infinities are equal. */
function difference(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(found.length).toBe(expected.length);
  return Array.from(found).reduce(
    (worst, v, i) => (v === expected[i] ? worst : Math.max(worst, Math.abs(v - expected[i]!))),
    0,
  );
}

/** What is observed in a recording. */
function givenOf(file: RawTensors, name: string) {
  const values = file.values(`${name}.x_cond`);
  const indices = Array.from(file.values(`${name}.observed`)).flatMap((seen, d) => (seen === 1 ? [d] : []));
  return { indices, values: indices.map((d) => values[d]!) };
}

const f32 = (values: Float64Array) => Float32Array.from(values);

/** Recorded draws: parts by temperature and move. */
function drawsOf(file: RawTensors, prefix: string, [temperatures, moves]: readonly [number, number], x0: string) {
  const parts = (name: string) => {
    const all = file.values(`${prefix}${name}`);
    const size = all.length / (temperatures * moves);
    const part = (at: number) => f32(all.slice(at * size, (at + 1) * size));
    return Array.from({ length: temperatures }, (_, t) => Array.from({ length: moves }, (_, k) => part(t * moves + k)));
  };
  return {
    x0: f32(file.values(x0)),
    systematic: Array.from(file.values(`${prefix}u_systematic`)),
    momentum: parts("momentum"),
    uniforms: parts("u_accept"),
  };
}

it("all runs are one batch: between the start and the samples the host reads some numbers a run, none of particles", async () => {
  const bytes: number[] = [];
  const read = vi.spyOn(gpu, "read").mockImplementation(async function (this: Gpu, ...[buffer, size, offset]) {
    bytes.push(size);
    return Object.getPrototypeOf(gpu).read.call(gpu, buffer, size, offset);
  });
  try {
    const reads = async (runs: number, particles: number) => {
      bytes.length = 0;
      const values = Array.from({ length: runs }, (_, r) => -1 + r / runs);
      const model = mixtureDensity(gpu, d2);
      const { betas } = await sampleSmc(model, { given: { indices: [0], values }, runs, particles });
      return { temperatures: betas.length, bytes: [...bytes] };
    };
    for (const [runs, particles] of [
      [1, 64],
      [12, 1024],
    ] as const) {
      const found = await reads(runs, particles);
      // On a processor two temperatures are launched at a time; their state, trace and tally are looked at.
      expect(found.bytes.length).toBe(3 + 3 * Math.ceil(found.temperatures / 2));
      const [start, ...between] = found.bytes;
      const samples = between.pop();
      expect([start, samples]).toEqual([4 * runs * particles, 4 * runs * particles]);
      for (const size of between) expect(size).toBeLessThanOrEqual(64 * runs);
    }
  } finally {
    read.mockRestore();
  }
});

describe("recorded runs", () => {
  for (const name of ["joint", "cond"]) {
    it(`a Hamiltonian transition, ${name}`, async () => {
      const file = new RawTensors("disco/hmc.safetensors");
      const of = (key: string) => file.values(`${name}.${key}`);
      const [sigma, beta, step, leapfrog, low, high] = of("params") as unknown as [
        number,
        number,
        number,
        number,
        number,
        number,
      ];
      const result = await hmcTransition(await network(), {
        x: f32(of("x")),
        given: givenOf(file, name),
        sigma,
        beta,
        step,
        leapfrog,
        box: [low, high],
        momentum: f32(of("momentum")),
        uniforms: f32(of("u")),
      });
      expect(difference(result.proposal, of("proposal.f64"))).toBeLessThan(1e-5);
      // The recording's own program is off by 8e-5 in single precision.
      expect(difference(result.gain, of("dH.f64"))).toBeLessThan(3e-4);
      expect(result.accepted.map(Number)).toEqual(Array.from(of("accept")));
      expect(difference(result.x, of("x_new.f64"))).toBeLessThan(1e-5);
      expect(difference(result.logDensity, of("ell_new.f64"))).toBeLessThan(3e-4);
    });
  }

  it("Langevin steps", async () => {
    const file = new RawTensors("disco/ula.safetensors");
    const of = (key: string) => file.values(`cond.${key}`);
    const [noise, steps] = [of("noise"), of("x_steps.f64")];
    const size = noise.length / 6;
    const errors: number[] = [];
    await sampleLangevin(await network(), {
      given: givenOf(file, "cond"),
      particles: size,
      beta: of("beta.f64"),
      eta: of("eta.f64")[0]!,
      x: f32(of("x")),
      noise: Array.from({ length: 6 }, (_, k) => f32(noise.slice(k * size, (k + 1) * size))),
      async onStep({ step, state }) {
        errors.push(difference(await state(), steps.slice((step - 1) * size, step * size)));
      },
    });
    expect(errors.length).toBe(6);
    expect(Math.max(...errors)).toBeLessThan(5e-6);
  });

  for (const [name, order] of [
    ["cond", "reweight"],
    ["blackjax_order", "blackjax"],
  ] as const) {
    it(`a run of SMC, ${name}`, async () => {
      const file = new RawTensors("disco/smc.safetensors");
      const config = JSON.parse(file.metadata.config!)[name];
      const of = (key: string) => file.values(`${name}.${key}`);
      const settings: SmcOptions = config.box ? { kappa: config.kappa, box: config.box } : { step: config.step };
      const result = await sampleSmc(await network(), {
        ...settings,
        given: givenOf(file, name),
        order,
        particles: config.N,
        sigma: config.sigma_s,
        tau: config.tau,
        moves: config.M,
        leapfrog: config.L,
        draws: drawsOf(file, `${name}.`, [config.temperatures, config.M], `${name}.x0`),
      });
      const betas = result.betas.map(([beta]) => beta!);
      expect(difference(betas, of("beta.f64"))).toBeLessThan(1e-5);
      expect(
        difference(
          result.acceptance.map(([share]) => share!),
          of("acc.f64"),
        ),
      ).toBeLessThan(1e-6);
      expect(difference(result.samples, of("x_final.f64"))).toBeLessThan(1e-5);
      if (order !== "reweight") return;
      expect(Math.abs(result.logEvidence[0]! - config.log_evidence)).toBeLessThan(1e-4);
      expect(result.evaluations).toBe(config.gradient_evaluations);
    });
  }

  for (const method of ["replacement", "guidance", "twisted"] as const) {
    it(`a diffusion model by ${method}`, async () => {
      const file = new RawTensors("disco/heuristics.safetensors");
      const of = (key: string) => file.values(`${method === "twisted" ? "tds" : method}.${key}`);
      const observed = Array.from(file.values("observed")).flatMap((seen, d) => (seen === 1 ? [d] : []));
      const values = file.values("x_cond");
      const rows = (name: string) =>
        Array.from({ length: of(name).length / 64 }, (_, k) => f32(of(name).slice(64 * k, 64 * (k + 1))));
      const [steps, errors, weights] = [of("x_steps.f64"), [] as number[], [] as number[]];
      const { samples, evaluations, products } = await sampleDiffusion(
        await loadDisco(gpu, fixturePath("disco/diffusion-d2k32.safetensors")),
        {
          method,
          given: { indices: observed, values: observed.map((d) => values[d]!) },
          particles: 32,
          labels: Array.from(file.values("levels_index")),
          draws: {
            x0: f32(of("x_init")),
            noise: rows("noise"),
            ...(method === "replacement" ? { replace: rows("noise_replace") } : {}),
            ...(method === "twisted" ? { systematic: Array.from(of("u_systematic")) } : {}),
          },
          onStep({ step, x, logWeights }) {
            errors.push(difference(x, steps.slice(64 * (step - 1), 64 * step)));
            if (logWeights)
              weights.push(difference(logWeights, of("log_weights.f64").slice(32 * (step - 1), 32 * step)));
          },
        },
      );
      expect(errors.length).toBe(steps.length / 64);
      // Guidance multiplies the network's rounding by up to sigma_0^2 / sigma^2.
      expect(Math.max(...errors)).toBeLessThan(method === "guidance" ? 5e-4 : 1e-5);
      expect([evaluations, products]).toEqual([10, { replacement: 0, guidance: 10, twisted: 9 }[method]]);
      if (method !== "twisted") return;
      expect(Math.max(...weights)).toBeLessThan(5e-5);
      expect(
        difference(
          samples,
          of("x_final.f64").filter((_, i) => i % 2 !== observed[0]!),
        ),
      ).toBeLessThan(1e-5);
    });
  }

  it("a run of SMC on the smoothed mixture itself, with its evidence", async () => {
    const file = new RawTensors("disco/smc-mixture.safetensors");
    const config = JSON.parse(file.metadata.config!);
    const result = await sampleSmc(mixtureDensity(gpu, d2), {
      given: { indices: [0], values: [file.values("x_cond")[0]!] },
      particles: config.N,
      box: config.box,
      draws: drawsOf(file, "run.", [4, 2], "x0"),
    });
    expect(difference(result.samples, file.values("x_final.f64"))).toBeLessThan(1e-5);
    expect(Math.abs(result.logEvidence[0]! - config.log_evidence)).toBeLessThan(1e-5);
  });
});

describe("against what is known", () => {
  const points = recorded.values("d2.test_points");
  const values = Array.from({ length: 6 }, (_, n) => points[2 * n]!);

  it("conditionals of the smoothed mixture, to within the scatter of as many true draws", async () => {
    const { samples, logEvidence } = await sampleSmc(mixtureDensity(gpu, d2), {
      given: { indices: [0], values },
      box: [-3.1, 3.1],
      seed: 1,
    });
    const distances = values.map((value, run) => {
      const truth = d2.smoothed(0.1).conditional({ indices: [0], values: [value] });
      // The evidence is that of the observed value, up to the box's volume.
      expect(Math.abs(logEvidence[run]! + Math.log(6.2) - truth.logEvidence)).toBeLessThan(0.15);
      return wasserstein1(samples.subarray(run * 1024, (run + 1) * 1024), truth.sample(1024, run));
    });
    // Two sets of true draws: 0.041 in the mean, 0.106 at most.
    expect(distances.reduce((a, b) => a + b) / 6).toBeLessThan(0.06);
    expect(Math.max(...distances)).toBeLessThan(0.25);
  });

  it("a run is the same alone and among others, with the same bits", async () => {
    const density = mixtureDensity(gpu, d2);
    const options = { particles: 64, box: [-3.1, 3.1] as const };
    const all = await sampleSmc(density, { ...options, given: { indices: [0], values: [-1.2, 0.3, 2] }, seed: 5 });
    const one = await sampleSmc(density, { ...options, given: { indices: [0], values: [0.3] }, seed: 6 });
    expect(Array.from(all.samples.slice(64, 128))).toEqual(Array.from(one.samples));
    expect(all.logEvidence[1]).toBe(one.logEvidence[0]);
    expect(all.betas.map((betas) => betas[1]!).slice(0, one.betas.length)).toEqual(one.betas.map(([beta]) => beta!));
  });

  it("a box by numbers, for all coordinates and for the unobserved ones is the same", async () => {
    const options = { given: { indices: [0], values: [0.3] }, particles: 40 };
    const [a, b, c] = await Promise.all(
      [[-3.1, 3.1] as const, { low: [-9, -3.1], high: [9, 3.1] }, { low: [-3.1], high: 3.1 }].map((box) =>
        sampleSmc(mixtureDensity(gpu, d2), { ...options, box }),
      ),
    );
    expect(a!.samples).toEqual(b!.samples);
    expect(a!.samples).toEqual(c!.samples);
    expect(a!.samples.every((v) => Math.abs(v) <= 3.1)).toBe(true);
  });

  it("chains stay where they should: one mode, its mean and spread", async () => {
    const one = gaussianMixture({ means: [0.5, -0.3], covs: [0.3, 0.1, 0.1, 0.2], weights: [1] });
    const truth = one.smoothed(0.1).conditional({ indices: [1], values: [0.2] });
    const options = { given: { indices: [1], values: [0.2] }, particles: 2048, seed: 3 };
    for (const { samples } of [
      await sampleHmc(mixtureDensity(gpu, one), { ...options, steps: 60 }),
      await sampleUla(mixtureDensity(gpu, one), { ...options, steps: 300, eta: 0.02 }),
    ]) {
      const mean = samples.reduce((a, b) => a + b, 0) / samples.length;
      const variance = samples.reduce((a, b) => a + (b - mean) ** 2, 0) / samples.length;
      expect(Math.abs(mean - truth.means[0]!)).toBeLessThan(0.05);
      expect(Math.abs(variance / truth.covs[0]! - 1)).toBeLessThan(0.12);
    }
  });
});

describe("what cannot be is refused", () => {
  const given = { indices: [0], values: [0.5] };
  const refused: [what: string, options: object, says: RegExp][] = [
    [
      "a condition far outside of the box",
      { given: { indices: [0], values: [9] } },
      /condition 9 on coordinate 0 lies far outside/,
    ],
    ["nothing left", { given: { indices: [0, 1], values: [0, 0] } }, /all 2 coordinates are given/],
    ["a coordinate that is not there", { given: { indices: [2], values: [0] } }, /integers from 0 to 1/],
    ["a value that is not finite", { given: { indices: [0], values: [Number.NaN] } }, /must be finite/],
    ["rows that are no runs", { given: { indices: [0], values: [1, 2] }, runs: 3 }, /2 rows for 3 runs/],
    ["too many particles", { given, particles: 2 ** 22, runs: 10_000 }, /take at most \d+ particles/],
    ["too many runs", { given, runs: 1e9 }, /runs must be an integer from 1 to 4194304, got 1000000000/],
    ["an empty box", { given, box: [1, 1] }, /is empty/],
    ["an option's slip", { given, particels: 3 }, /did you mean particles/],
    ["both kappa and step", { given, kappa: 1, step: 0.1 }, /leave one out/],
    [
      "draws of another length",
      { given, draws: { systematic: [0.5], momentum: [], uniforms: [] } },
      /draws.momentum\[0\]\[0\]/,
    ],
  ];
  for (const [what, options, says] of refused) {
    it(what, () => expect(sampleSmc(mixtureDensity(gpu, d2), options)).rejects.toThrow(says));
  }
  it("more runs than fit at all, with no word of none at most", () => {
    const small = { device: gpu.device, info: gpu.info, memoryLimit: 1000 } as Gpu;
    const of = (runs: number) => () => requireRoom("call", small, { runs, particles: 9 }, { widest: 3, all: 26 });
    expect(of(100)).toThrow(/100 runs of 9 particles need .* can hold: take fewer runs\.$/);
    expect(of(3)).toThrow(/take at most 3 particles, or fewer runs\.$/);
    expect(of(1)).not.toThrow();
  });
  it("a start outside of the box", () =>
    expect(hmcTransition(mixtureDensity(gpu, d2), { x: Float32Array.of(5), given, box: [-3, 3] })).rejects.toThrow(
      /row 0 has coordinate 1 at 5, outside of the box/,
    ));
  it("a network that takes noise levels, and one of scores alone", async () => {
    const labelled = await loadDisco(gpu, fixturePath("disco/random-d5k26-label.safetensors"));
    await expect(sampleDiffusion(await network(), { method: "unconditional" })).rejects.toThrow(/use sampleSmc/);
    await expect(sampleDiffusion(labelled, { method: "guidance" })).rejects.toThrow(/needs given/);
    const direct = await loadDisco(gpu, fixturePath("disco/random-d2k20-label-direct.safetensors"));
    const many = { given, particles: 2 ** 22, runs: 10_000 };
    await expect(replacement(direct, many)).rejects.toThrow(/runs of 4194304 particles need .* take at most \d+ part/);
    await expect(guidance(direct, { given })).rejects.toThrow(/guidance needs the derivative/);
    await expect(twisted(direct, { given })).rejects.toThrow(/twisted needs the derivative/);
    const { samples, evaluations } = await replacement(direct, { given, particles: 8, labels: [0, 50, 99] });
    expect([samples.length, evaluations, samples.every(Number.isFinite)]).toEqual([8, 3, true]);
    await expect(sampleSmc(labelled)).rejects.toThrow(/noise levels as labels/);
    await expect(sampleSmc({ ...mixtureDensity(gpu, d2), energy: false })).rejects.toThrow(/no energy/);
  });
});
