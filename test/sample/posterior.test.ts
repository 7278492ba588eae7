import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { normals } from "../../kernels/lib/philox.js";
import type { Gpu } from "../../src/gpu/device.js";
import { sampleHeun, sampleMultiStep, samplers } from "../../src/index.js";
import { loadModel, type Model } from "../../src/networks/edm2/model.js";
import type { Operator } from "../../src/operators/operator.js";
import { operators } from "../../src/operators/operators.js";
import { type SolveInverseOptions, solveInverse } from "../../src/sample/solve-inverse.js";
import { fixturePath, Recording, recordedNoise, relativeError } from "../support/fixtures.js";
import { openTestGpu } from "../support/gpu.js";

let gpu: Gpu;
const models = new Map<string, Model>();
beforeAll(async () => {
  gpu = await openTestGpu();
  for (const name of ["edm2-tiny.safetensors", "edm2-tiny-uncond.safetensors", "ncvsd-tiny.safetensors"])
    models.set(name, await loadModel(gpu, fixturePath(name)));
  models.set("edm2-soft.safetensors", await loadModel(gpu, fixturePath("posterior/edm2-soft.safetensors")));
});
afterAll(() => gpu.close());

interface Config {
  readonly sampler: keyof typeof samplers;
  readonly operator: { readonly name: string; readonly kernel_size: number; readonly intensity: number };
  readonly sigmaY: number;
  readonly options: Partial<SolveInverseOptions>;
}

async function operatorOf(r: Recording, { operator }: Config): Promise<Operator> {
  const shape = r.shape("x0").slice(1);
  const { name, kernel_size: kernelSize, intensity: std } = operator;
  if (name === "inpainting") return operators.inpainting(gpu, { shape, mask: await r.values("mask") });
  if (name === "gaussian_blur_circ") return operators.gaussianBlur(gpu, { shape, kernelSize, std });
  return operators.motionBlur(gpu, { shape, kernel: await r.values("kernel"), kernelSize });
}

/** With their vector-Jacobian products: one per evaluation, mmps one per GMRES step, tmpd two. */
const RUNS = {
  ...{ "diffpir-generative": 0, "type2-blur": 0, "daps-blur-hmc": 0, "pnpdm-blur-sde": 0 },
  ...{ "dps-own-mask": 8, "pigdm-mask-heun": 11, "mmps-blur-ddim": 6 * 3, "tmpd-mask-heun": 11 * 2 },
};

describe("recorded runs of the authors' codes are replayed", () => {
  for (const [name, derivatives] of Object.entries(RUNS)) {
    it(name, async () => {
      const r = await Recording.open(`posterior/${name}.case.safetensors`);
      const config = r.meta<Config>("config")!;
      const model = models.get(r.checkpoint.metadata.weights!)!;
      const operator = await operatorOf(r, config);
      const noise = await recordedNoise(r, true);
      const sigmas = await r.values("sigmas");
      const steps: number[] = [];
      let draws = 0;
      const result = await solveInverse(model, {
        ...{ sampler: config.sampler, sigmaY: config.sigmaY, ...config.options },
        ...{ operator, sigmas, measurement: await r.values("y") },
        ...(r.has("labels") ? { labels: await r.values("labels") } : {}),
        noise(draw, length) {
          draws++;
          return noise(draw, length);
        },
        onStep: ({ step }) => void steps.push(step),
      });
      const error = relativeError(result.images, await r.values("x0"));
      console.log(`  ${name}: ${error.toExponential(1)}`);
      expect(error).toBeLessThanOrEqual(Number(r.meta("tolerance")));
      expect(result.evaluations).toBe(Number(r.meta("evaluations")));
      expect(result.derivatives).toBe(derivatives);
      expect(steps).toEqual(Array.from(sigmas, (_, i) => i + 1));
      // Every recorded draw was asked for, and the table knows how many there are.
      const recorded = r.names.filter((tensor) => tensor.startsWith("noise.")).length;
      expect(draws).toBe(recorded);
      const of = { operator, generative: model.architecture === "ncvsd" };
      const sampler = samplers[config.sampler];
      expect(sampler.draws(sampler.complete({ sigmas, ...config.options }, of), of)).toBe(recorded);
    });
  }
});

const shape = [3, 16, 16] as const;
const ONE = 768;
const noise = (seed: number, length: number) => Float32Array.from(normals(seed, 0, length));
const bytes = (values: Float32Array) => Buffer.from(values.slice().buffer).toString("hex");
const blur = () => operators.gaussianBlur(gpu, { shape, kernelSize: 5, std: 1 });
const teacher = () => models.get("edm2-tiny.safetensors")!;
const distilled = () => models.get("ncvsd-tiny.safetensors")!;
const phase = () => operators.phaseRetrieval(gpu, { shape, pad: 8 });

/** Short runs, by name. */
const short: Record<string, Partial<SolveInverseOptions>> = {
  diffpir: { sampler: "diffpir", steps: 4 },
  "diffpir, ddim": { sampler: "diffpir", steps: 3, solver: "ddim", eta: 0.5, clip: true },
  type2: { sampler: "type2", steps: 3 },
  daps: { sampler: "daps", steps: 2, ode: { steps: 2 }, mcmc: { steps: 12, step: 2e-5 } },
  "daps, hmc": { sampler: "daps", steps: 2, ode: { steps: 2 }, mcmc: { algorithm: "hmc", steps: 3, step: 2e-5 } },
  "pnp-dm": { sampler: "pnp-dm", steps: 2, diffusion: { steps: 5, sigmaMin: 0.1 } },
  "pnp-dm, langevin": {
    ...{ sampler: "pnp-dm", steps: 2, diffusion: { steps: 4, mode: "ode" } },
    ...{ langevin: true, mcmc: { steps: 11 } },
  },
};

describe("an image depends on its own seed, measurement and label only, bit for bit", () => {
  for (const [name, options] of Object.entries(short)) {
    it(name, async () => {
      for (const model of [teacher(), distilled()]) {
        const { ode, diffusion, ...rest } = options;
        const given = model.architecture === "ncvsd" ? rest : options;
        const operator = blur();
        const y = await operator.forward(noise(1, 2 * ONE).map((v) => 0.5 * v));
        const solve = async (more: Partial<SolveInverseOptions>) =>
          (await solveInverse(model, { operator, measurement: y, ...given, ...more } as SolveInverseOptions)).images;
        const both = await solve({ labels: [3, 5], seeds: [7, 11] });
        const first = await solve({ measurement: y.subarray(0, ONE), labels: [3], seeds: [7] });
        const second = await solve({ measurement: y.subarray(ONE), labels: [5], seeds: [11] });
        expect(bytes(both)).toBe(bytes(first) + bytes(second));
        const other = await solve({ measurement: y.subarray(ONE), labels: [4], seeds: [11] });
        expect(bytes(other)).not.toBe(bytes(second));
      }
    });
  }
});

describe("what a step tells", () => {
  for (const [name, options] of Object.entries(short)) {
    it(name, async () => {
      const operator = blur();
      const measurement = await operator.forward(noise(1, ONE));
      let last: { next: Float32Array; preview: Float32Array; sample: Float32Array } | undefined;
      const draws: number[] = [];
      const made = await solveInverse(teacher(), {
        ...{ operator, measurement, seeds: [5], ...options },
        async onStep({ next, preview, sample }) {
          last = { next: await next!(), preview: await preview(), sample: await sample() };
        },
      } as SolveInverseOptions);
      expect(bytes(last!.next)).toBe(bytes(made.images));
      expect([last!.preview.length, last!.sample.length]).toEqual([ONE, ONE]);
      // D_y is where the solver ends; the network's own estimate does not know the measurement.
      if (/diffpir|type2/.test(name)) expect(relativeError(made.images, last!.preview)).toBeLessThan(1e-6);
      expect(relativeError(last!.sample, last!.preview)).toBeGreaterThan(name.startsWith("pnp-dm") ? -1 : 1e-5);
      // The generator's draws are those of (seed, draw), in the order in which a callback is asked for them.
      const replayed = await solveInverse(teacher(), {
        ...{ operator, measurement, ...options },
        noise(draw: number, length: number) {
          draws.push(draw);
          return Float32Array.from(normals(5, draw, length));
        },
      } as SolveInverseOptions);
      expect(draws).toEqual(draws.map((_, i) => i));
      expect(relativeError(made.images, replayed.images)).toBeLessThan(2e-5);
    });
  }
});

describe("bad input is refused in one sentence", () => {
  const mask = () => operators.inpainting(gpu, { shape, box: [0, 8, 0, 16] });
  const half = () => operators.superResolution(gpu, { shape, factor: 2 });
  const cases: [string, RegExp, () => object, (() => Model)?][] = [
    ["no network", /first argument must be a network/, () => ({}), () => undefined as unknown as Model],
    ["no such sampler", /sampler must be one of pnp-gd, diffpir, .*, got ddrm/, () => ({ sampler: "ddrm" })],
    ["a slip", /option "lamda"; did you mean lambda/, () => ({ sampler: "diffpir", lamda: 1 })],
    [
      "a setting of another sampler",
      /the sampler daps has no setting lambda: it has ode, mcmc, convention, sigmas/,
      () => ({ sampler: "daps", lambda: 1 }),
    ],
    ["beta", /the sampler diffpir has no setting beta: it has lambda/, () => ({ sampler: "diffpir", beta: 1 })],
    [
      "a setting of another solver",
      /eta belongs to the solver ddim, and this one is zeta/,
      () => ({ sampler: "diffpir", eta: 1 }),
    ],
    [
      "churn of another solver",
      /S_churn belongs to the solver heun, and this one is ddim/,
      () => ({ sampler: "type2", solver: "ddim", S_churn: 1 }),
    ],
    ["solver", /solver must be one of heun, ddim, zeta, got euler/, () => ({ sampler: "type2", solver: "euler" })],
    ["zeta", /zeta must be from 0 to 1, got 2/, () => ({ sampler: "diffpir", zeta: 2 })],
    ["S_min", /S_min 3 is above S_max 2/, () => ({ sampler: "type2", S_min: 3, S_max: 2 })],
    ["clip", /clip must be true or false, got 1/, () => ({ sampler: "type2", clip: 1 })],
    ["lambda", /lambda must be a positive finite number, got 0/, () => ({ sampler: "diffpir", lambda: 0 })],
    ["sigmaY", /sigmaY must be a positive finite number, got -1/, () => ({ sampler: "diffpir", sigmaY: -1 })],
    ["schedule", /schedule must be one of karras, ddpm, ddpm-quad/, () => ({ sampler: "diffpir", schedule: "vp" })],
    ["rho", /rho belongs to the schedule karras/, () => ({ sampler: "diffpir", rho: 2 })],
    [
      "sigmas and steps",
      /sigmas are the levels themselves, so steps/,
      () => ({ sampler: "type2", sigmas: [1], steps: 3 }),
    ],
    ["rising levels", /descend strictly: level 1 is 2 after 1/, () => ({ sampler: "type2", sigmas: [1, 2] })],
    ["no levels", /sigmas is empty/, () => ({ sampler: "type2", sigmas: [] })],
    [
      "levels below the ODE",
      /level 1 is 0.005, but the inner ODE ends at ode.sigmaMin 0.01/,
      () => ({ sampler: "daps", sigmas: [1, 0.005] }),
    ],
    ["mcmc", /mcmc: unknown option "stepz"; did you mean step/, () => ({ sampler: "daps", mcmc: { stepz: 1 } })],
    ["momentum", /momentum belongs to the algorithm hmc/, () => ({ sampler: "daps", mcmc: { momentum: 0.5 } })],
    [
      "algorithm",
      /algorithm must be one of langevin, hmc, got nuts/,
      () => ({ sampler: "daps", mcmc: { algorithm: "nuts" } }),
    ],
    [
      "a step that is too long",
      /mcmc.step 0.0002 with tau 0.01 diverges at level 0: .* 4.00, above 2.00; 0.000099 would hold/,
      () => ({ sampler: "daps", mcmc: { step: 2e-4 }, operator: mask() }),
    ],
    [
      "a step that is too long for a blur",
      /mcmc.step 0.0003 with tau 0.01 diverges at level 0: .* 6.00, above 2.00; 0.000099 would hold/,
      () => ({ sampler: "daps", mcmc: { step: 3e-4 } }),
    ],
    [
      "a step that is too long for hmc",
      /mcmc.step 0.001 with tau 0.01 diverges at level 0: .* 20.0, above 3.20; 0.00015 would hold/,
      () => ({ sampler: "daps", mcmc: { algorithm: "hmc", step: 1e-3, momentum: 0.6 }, operator: mask() }),
    ],
    [
      "a step that is too long for phase retrieval",
      /mcmc.step 0.001 with tau 0.01 diverges at level 0: .* 5.00, above 2.00; 0.00039 would hold/,
      () => ({ sampler: "daps", mcmc: { step: 1e-3 }, operator: phase(), measurement: new Float32Array(3 * 32 * 32) }),
    ],
    ["anneal", /anneal: unknown option "stop"/, () => ({ sampler: "pnp-dm", anneal: { stop: 1 } })],
    ["couplings", /not rise: level 1 is 2 after 1/, () => ({ sampler: "pnp-dm", sigmas: [1, 2] })],
    [
      "low couplings",
      /coupling 0.002 is not above diffusion.sigmaMin/,
      () => ({ sampler: "pnp-dm", sigmas: [1, 0.002] }),
    ],
    ["mode", /diffusion.mode must be one of sde, ode/, () => ({ sampler: "pnp-dm", diffusion: { mode: "cfg" } })],
    [
      "no closed form",
      /sampler diffpir needs an exact likelihood step, which the operator phaseRetrieval lacks: the samplers that would work are daps, pnp-dm/,
      () => ({ sampler: "diffpir", operator: phase(), measurement: new Float32Array(3 * 32 * 32) }),
    ],
    [
      "an NCVSD sampler",
      /pnp-gd needs the draws of an NCVSD network, and this is an EDM2 teacher: diffpir, type2, daps, pnp-dm/,
      () => ({ operator: half(), measurement: new Float32Array(192) }),
    ],
    [
      "ode with G",
      /ode has no meaning with a generative denoiser/,
      () => ({ sampler: "daps", ode: { steps: 2 } }),
      distilled,
    ],
    [
      "diffusion with G",
      /diffusion has no meaning with a gen/,
      () => ({ sampler: "pnp-dm", diffusion: {} }),
      distilled,
    ],
  ];
  for (const [name, message, options, model] of cases) {
    it(name, async () => {
      const before = gpu.allocatedBytes;
      const given = { operator: blur(), measurement: new Float32Array(ONE), ...options() } as SolveInverseOptions;
      const run = solveInverse((model ?? teacher)(), given);
      await expect(run).rejects.toMatchObject({ code: "BAD_ARGUMENT", message: expect.stringMatching(message) });
      expect(gpu.allocatedBytes).toBe(before);
    });
  }

  it("but the authors' step on the edge of stability is not", async () => {
    const operator = mask();
    const measurement = await operator.forward(noise(1, ONE));
    const options = { sampler: "daps", steps: 1, ode: { steps: 1 }, mcmc: { steps: 2 } } as const;
    const { images } = await solveInverse(teacher(), { operator, measurement, ...options });
    expect(images.every((v) => Number.isFinite(v))).toBe(true);
  });
});

describe("operators that act on every pixel alone", () => {
  it("take a noise of 0 where values are rounded, and not where they are clipped", async () => {
    const operator = operators.hdr(gpu, { shape });
    const run = solveInverse(teacher(), {
      sampler: "diffpir",
      operator,
      measurement: new Float32Array(ONE),
      sigmaY: 0,
    });
    await expect(run).rejects.toMatchObject({
      ...{ code: "BAD_ARGUMENT", message: "solveInverse: sigmaY must be a positive finite number, got 0." },
    });
  });

  it("give diffpir and type2 the mean of their law, not the median", async () => {
    const tested = [
      { operator: operators.hdr(gpu, { shape, scale: 4 }), sigmaY: 0.1 },
      { operator: operators.quantization(gpu, { shape, bits: 2 }), sigmaY: 0 },
    ];
    for (const { operator, sigmaY } of tested) {
      const measurement = await operator.forward(noise(1, ONE).map((v) => 0.5 * v));
      let compared = 0;
      await solveInverse(teacher(), {
        ...{ sampler: "diffpir", operator, measurement, sigmaY, sigmas: [3, 0.4], lambda: 4 },
        async onStep({ sigma, preview, sample }) {
          const x = await sample();
          const { mean } = await operator.law!({ x, y: measurement, sigma: sigmaY, rho: sigma / 2 });
          expect(relativeError(await preview(), mean)).toBeLessThan(1e-6);
          const median = await operator.sampleProximal!({
            ...{ x, y: measurement, rho: sigma / 2, sigma: sigmaY },
            ...{ noise: new Float32Array(ONE), ...(operator.noiseShape ? { noiseY: new Float32Array(ONE) } : {}) },
          });
          expect(relativeError(median, mean)).toBeGreaterThan(1e-4);
          compared++;
        },
      });
      expect(compared).toBe(2);
    }
  });
});

describe("values that are not finite", () => {
  it("stop the run, which names the level", async () => {
    // Of an operator that does not tell its curvature.
    const { curvature, ...own } = phase();
    expect(curvature).toBe(0.5);
    const measurement = await own.forward(noise(1, ONE));
    const steps: number[] = [];
    const run = solveInverse(teacher(), {
      ...{ sampler: "daps", operator: own, measurement, steps: 3, mcmc: { steps: 60, step: 0.1 } },
      onStep: ({ step }) => void steps.push(step),
    });
    await expect(run).rejects.toMatchObject({
      code: "NOT_FINITE",
      message: expect.stringMatching(
        /^The step at noise level 100 \(level 0\) gave values that are not finite at step 1 of 3/,
      ),
    });
    expect(steps).toEqual([]);
  });

  it("are told of by their level although nobody follows the run, whatever the sampler", async () => {
    const operator = blur();
    const measurement = await operator.forward(noise(1, ONE));
    const poisoned: [Partial<SolveInverseOptions>, RegExp][] = [
      [{ sampler: "type2", sigmas: [80, 8, 4, 2, 0.5], clip: false }, /noise level 4 \(level 2\) .* step 3 of 5/],
      [{ sampler: "diffpir", sigmas: [80, 8, 4, 2, 0.5], zeta: 0.5 }, /noise level 8 \(level 1\) .* step 2 of 5/],
      [
        { sampler: "pnp-dm", sigmas: [3, 2, 1], diffusion: { mode: "ode" } },
        /noise level 2 \(level 1\) .* step 2 of 3/,
      ],
    ];
    for (const [options, message] of poisoned) {
      const run = solveInverse(teacher(), {
        ...{ operator, measurement, ...options },
        // The second draw after the first image: churn (not at 80), re-noising, or a likelihood step's.
        noise: (draw: number, length: number) =>
          noise(draw, length).fill(draw === 2 ? Number.POSITIVE_INFINITY : 0.1, 0, draw === 2 ? 1 : 0),
      } as SolveInverseOptions);
      await expect(run).rejects.toMatchObject({ code: "NOT_FINITE", message: expect.stringMatching(message) });
    }
  });
});

describe("a signal", () => {
  const reason = new Error("enough");
  const problem = async () => {
    const operator = blur();
    return { operator, measurement: await operator.forward(noise(1, ONE)) };
  };
  const long: [string, (signal: AbortSignal, onStep: () => void) => Promise<unknown>][] = [
    ...Object.entries(short).map(
      ([name, { ode, ...options }]) =>
        [
          name,
          async (signal: AbortSignal, onStep: () => void) =>
            solveInverse(teacher(), {
              ...(await problem()),
              ...options,
              steps: 200,
              signal,
              onStep,
            } as SolveInverseOptions),
        ] as [string, (signal: AbortSignal, onStep: () => void) => Promise<unknown>],
    ),
    [
      "pnp-gd",
      async (signal, onStep) => solveInverse(distilled(), { ...(await problem()), steps: 200, signal, onStep }),
    ],
    ["sampleHeun", (signal, onStep) => sampleHeun(teacher(), { steps: 200, signal, onStep })],
    [
      "sampleMultiStep",
      (signal, onStep) => sampleMultiStep(distilled(), { ts: Array.from({ length: 39 }, (_, i) => i), signal, onStep }),
    ],
  ];
  for (const [name, run] of long) {
    it(`stops ${name} within a step, and its reason is thrown`, async () => {
      await run(AbortSignal.abort(reason), () => {}).catch(() => {});
      const before = gpu.allocatedBytes;
      await expect(run(AbortSignal.abort(reason), () => {})).rejects.toBe(reason);
      // From within a step's callback: no step comes after it.
      const controller = new AbortController();
      let steps = 0;
      const stopped = run(controller.signal, () => {
        if (++steps === 2) controller.abort(reason);
      });
      await expect(stopped).rejects.toBe(reason);
      expect(steps).toBe(2);
      // From a timer, which gets its turn while the GPU works.
      const timed = new AbortController();
      let done = 0;
      setTimeout(() => timed.abort(reason), 1);
      await expect(run(timed.signal, () => void done++)).rejects.toBe(reason);
      expect(done).toBeLessThan(30);
      expect(gpu.allocatedBytes - before).toBeLessThan(8e6);
    });
  }
});
