import { describe, expect, test } from "vitest";
import { normals } from "../../kernels/lib/philox.js";
import { measurementPicture, moments } from "../../src/cli/restore/files.js";
import type { Gpu } from "../../src/gpu/device.js";
import { psnr } from "../../src/image/metrics.js";
import type { Denoiser } from "../../src/networks/session.js";
import { harmonic } from "../../src/operators/baselines.js";
import { makeTask, type RestoreTask, type TaskName } from "../../src/operators/tasks.js";
import { streamSeed } from "../../src/runs/origin.js";
import type { Settings } from "../../src/sample/samplers.js";
import { defaultSampler, samplerSettings } from "../../src/sample/task-settings.js";
import { withTestGpu } from "../support/gpu.js";

/** As far as settings ask. */
const distilled = { architecture: "ncvsd" } as unknown as Denoiser;
const teacher = { architecture: "edm2" } as unknown as Denoiser;

let gpu: Gpu;
withTestGpu((own) => (gpu = own));

describe("the paper's settings fit the image", () => {
  test.each([
    [256, "61x61", "std 3,", 128, "rows 64-191 and columns 64-191"],
    [64, "61x61", "std 3,", 32, "rows 16-47 and columns 16-47"],
    [32, "21x21", "std 1.06,", 16, "rows 8-23 and columns 8-23"],
    [16, "15x15", "std 0.75,", 8, "rows 4-11 and columns 4-11"],
  ])("at %i pixels", async (side, kernel, std, pad, box) => {
    const shape = [1, side, side] as const;
    const gaussian = await makeTask(gpu, "gaussian_deblur_circ", shape, {});
    expect(gaussian.description).toContain(`${std} kernel ${kernel}`);
    const motion = await makeTask(gpu, "motion_deblur_circ", shape, {});
    expect(motion.description).toContain(`kernel ${kernel}`);
    // What was scaled is said.
    for (const task of [gaussian, motion]) expect(task.notes.join()).toContain(side < 61 ? `became ${kernel}` : "");
    expect([gaussian.notes.length, motion.notes.length]).toEqual(side < 61 ? [1, 1] : [0, 0]);
    const phase = await makeTask(gpu, "phase_retrieval", shape, {});
    expect(phase.operator.measurementShape).toEqual([1, side + 2 * pad, side + 2 * pad]);
    const inpainting = await makeTask(gpu, "box_inpainting", shape, {});
    expect(inpainting.description).toContain(box);
    expect(inpainting.observed).toBe((side * side * 3) / 4);
  });

  test("settings of PnP-GD are Table 4's; beta follows the noise; options replace them", async () => {
    const shape = [1, 32, 32] as const;
    const ula = { c1: 0.1, c2: 0.1, steps: 100 };
    const table = {
      box_inpainting: [1e-4, Infinity, 0.2, null],
      gaussian_deblur_circ: [2e-3, Infinity, 0.6, null],
      motion_deblur_circ: [4e-3, Infinity, 0.6, null],
      // Its likelihood step is exact, unless Langevin steps are asked for.
      super_resolution: [1e-3, Infinity, 0.6, null],
      phase_retrieval: [1e-3, 0.2, 0.6, ula],
    };
    for (const [name, expected] of Object.entries(table)) {
      const task = await makeTask(gpu, name as TaskName, shape, {});
      const settings = (given: object, sigmaY = 0.05) =>
        samplerSettings(task, distilled, "pnp-gd", { given: given as Settings, sigmaY }).settings;
      const s = settings({});
      expect([s.beta, s.emaSigma, s.emaDecay, s.ula]).toEqual(expected);
      expect(s).toMatchObject({ steps: 50, sigmaMax: 80, sigmaMin: 0.002, rho: 2, ts: null });
      expect(settings({}, 0.1).beta).toBeCloseTo(4 * (s.beta as number), 12);
      expect(settings({ beta: 0.5 }, 0.1).beta).toBe(0.5);
      const other = settings({ steps: 7, rho: 7, sigmaMax: 10, ts: [10, 22], emaSigma: 0 });
      expect(other).toMatchObject({ steps: 7, rho: 7, sigmaMax: 10, ts: [10, 22], emaSigma: 0 });
      if (name === "super_resolution") expect(settings({ langevin: true }).ula).toEqual(ula);
      if (name === "phase_retrieval") expect(settings({ ula: { steps: 5 } }).ula).toEqual({ ...ula, steps: 5 });
    }
  });

  test("the reference's settings, and those of other samplers' authors", async () => {
    const shape = [1, 32, 32] as const;
    const motion = await makeTask(gpu, "motion_deblur_circ", shape, {});
    const asked = { given: {}, sigmaY: 0.05 };
    expect(samplerSettings(motion, distilled, "pnp-gd", { ...asked, of: "reference" }).settings.beta).toBe(3e-3);
    expect(() => samplerSettings(motion, teacher, "daps", { ...asked, of: "reference" })).toThrow(
      /there are none of daps/,
    );
    const step = (given: object) =>
      samplerSettings(motion, teacher, "daps", { given: given as Settings, sigmaY: 0.05 }).settings.mcmc;
    expect(step({})).toMatchObject({ algorithm: "langevin", steps: 100, step: 5e-5 });
    expect(step({ mcmc: { step: 1e-5 } })).toMatchObject({ steps: 100, step: 1e-5 });
    expect(step({ mcmc: { algorithm: "hmc" } })).toMatchObject({ steps: 96, step: 3.69e-5, momentum: 0.11 });
    // What would diverge is shortened, unless somebody asks for it.
    for (const name of ["ptychography", "fourier_ptychography", "tomography"] as const) {
      const { operator, ...task } = await makeTask(gpu, name, shape, {});
      const daps = (given: object) =>
        samplerSettings({ ...task, operator }, teacher, "daps", { given: given as Settings, sigmaY: 0.05 }).settings;
      const shortened = (daps({}).mcmc as { step: number }).step;
      expect((shortened * operator.curvature!) / 1e-4, name).toBeLessThan(2);
      expect((shortened * operator.curvature!) / 1e-4, name).toBeGreaterThan(1.8);
      expect(() => daps({ mcmc: { step: 1e-4 } }), name).toThrow(/diverges at level 0.* would hold/);
    }
    const scattered = await makeTask(gpu, "random_inpainting", shape, {});
    const diffpir = samplerSettings(scattered, teacher, "diffpir", asked);
    expect(diffpir).toMatchObject({ evaluations: 20, settings: { lambda: 0.25, zeta: 1, schedule: "ddpm-quad" } });
  });

  test("a sampler is chosen by the network and by what is known of A", async () => {
    const shape = [1, 32, 32] as const;
    const chosen = async (model: typeof teacher, name: TaskName) =>
      defaultSampler(model, await makeTask(gpu, name, shape, {}));
    expect(await chosen(distilled, "phase_retrieval")).toBe("pnp-gd");
    expect(await chosen(teacher, "super_resolution")).toBe("diffpir");
    expect(await chosen(teacher, "phase_retrieval")).toBe("daps");
    const phase = await makeTask(gpu, "phase_retrieval", shape, {});
    expect(() => samplerSettings(phase, teacher, "diffpir", { given: {}, sigmaY: 0.05 })).toThrow(
      /needs an exact likelihood step.* the samplers that would work are .*daps/,
    );
    expect(() => samplerSettings(phase, teacher, "pnp-gd", { given: {}, sigmaY: 0.05 })).toThrow(/is an EDM2 teacher/);
  });
});

const baselinesOf = (task: RestoreTask, y: Float32Array) =>
  task.baselines({ operator: task.operator, y, sigmaY: 0.05, seeds: [0] });

describe("baselines", () => {
  test("harmonic interpolation continues a plane exactly, channel by channel", () => {
    const [c, h, w] = [2, 12, 10] as const;
    const plane = (i: number) => 0.05 * Math.floor(i / w) - 0.03 * (i % w);
    const truth = Float32Array.from({ length: c * h * w }, (_, i) => (i < h * w ? plane(i) : -plane(i - h * w)));
    const mask = truth.map((_, i) => {
      const [y, x] = [Math.floor((i % (h * w)) / w), i % w];
      return y > 2 && y < 8 && x > 1 && x < 7 ? 0 : 1;
    });
    const filled = harmonic(
      truth.map((v, i) => v * mask[i]!),
      mask,
      [c, h, w],
      1,
    );
    for (let i = 0; i < truth.length; i++) expect(filled[i]).toBeCloseTo(truth[i]!, 5);
  });

  test("bicubic leaves a constant alone; the Wiener filter beats the blurred image; error reduction fits the amplitudes", async () => {
    const shape = [1, 32, 32] as const;
    const x = Float32Array.from({ length: 1024 }, (_, i) => Math.sin(i / 150) * Math.cos((i % 32) / 4) * 0.8);
    const noisy = (y: Float32Array) => y.map((v, i) => v + 0.05 * normals(3, 0, y.length)[i]!);
    const sr = await makeTask(gpu, "super_resolution", shape, {});
    const flat = await baselinesOf(sr, new Float32Array(64).fill(0.25));
    for (const v of flat.bicubic!) expect(v).toBeCloseTo(0.25, 5);
    const blur = await makeTask(gpu, "gaussian_deblur_circ", shape, {});
    const blurred = noisy(await blur.operator.forward(x));
    const { measurement, Wiener } = await baselinesOf(blur, blurred);
    const db = (image: Float32Array) => psnr(image, x, [1, 1, 32, 32])[0]!;
    expect(measurement).toEqual(blurred);
    expect(db(Wiener!)).toBeGreaterThan(db(measurement!) + 2);
    const phase = await makeTask(gpu, "phase_retrieval", shape, {});
    const y = noisy(await phase.operator.forward(x));
    const { "error reduction": reduced } = await baselinesOf(phase, y);
    const a = await phase.operator.forward(reduced!);
    const residual = a.reduce((sum, v, i) => sum + (v - y[i]!) ** 2, 0) / (a.length * 0.05 ** 2);
    const blank = await phase.operator.forward(new Float32Array(1024));
    const before = blank.reduce((sum, v, i) => sum + (v - y[i]!) ** 2, 0) / (a.length * 0.05 ** 2);
    expect(residual).toBeLessThan(1.2);
    expect(before).toBeGreaterThan(3);
  });
});

describe("results", () => {
  test("mean and standard deviation have divisors n and n - 1", () => {
    const { mean, std } = moments([Float32Array.of(0, 1), Float32Array.of(2, 1), Float32Array.of(4, 1)]);
    expect([...mean]).toEqual([2, 1]);
    expect([...std!]).toEqual([2, 0]);
    expect(moments([Float32Array.of(3)]).std).toBeUndefined();
  });

  test("a stream of noise has the seed of its run's seed, image and number alone", () => {
    const seeds = [streamSeed(0, "a", "0"), streamSeed(1, "a", "0"), streamSeed(0, "b", "0"), streamSeed(0, "a", "1")];
    expect(new Set(seeds).size).toBe(4);
    expect(streamSeed(0, "a", "0")).toBe(seeds[0]);
    for (const seed of seeds) expect(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32).toBe(true);
  });

  test("amplitudes are shown logarithmically; what is no picture is not shown", () => {
    const shown = measurementPicture(Float32Array.of(0, 1, Math.E - 1, Math.E ** 2 - 1), [1, 2, 2], true)!;
    expect([...shown.data]).toEqual([0, expect.any(Number), 128, 255]);
    expect(measurementPicture(new Float32Array(6), [2, 3], false)).toBeUndefined();
    expect(measurementPicture(new Float32Array(8), [2, 2, 2], false)).toBeUndefined();
  });
});
