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

describe("recorded runs of the authors' codes are replayed", () => {
  for (const name of ["diffpir-generative", "type2-blur", "daps-blur-hmc", "pnpdm-blur-sde"]) {
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
      expect(result.derivatives).toBe(0);
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
