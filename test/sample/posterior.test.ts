import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Gpu } from "../../src/gpu/device.js";
import { samplers } from "../../src/index.js";
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
