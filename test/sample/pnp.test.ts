import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Gpu } from "../../src/gpu/device.js";
import { loadModel, type Model } from "../../src/networks/edm2/model.js";
import type { Operator } from "../../src/operators/operator.js";
import { operators } from "../../src/operators/operators.js";
import { noiseLevels } from "../../src/sample/schedule.js";
import { solveInverse } from "../../src/sample/solve-inverse.js";
import { fixturePath, Recording, recordedNoise, relativeError } from "../support/fixtures.js";
import { openTestGpu } from "../support/gpu.js";

let gpu: Gpu;
let model: Model;
beforeAll(async () => {
  gpu = await openTestGpu();
  model = await loadModel(gpu, fixturePath("ncvsd-tiny.safetensors"));
});
afterAll(() => gpu.close());

interface Config {
  readonly operator: {
    readonly name: string;
    readonly kernel_size: number;
    readonly intensity: number;
    readonly scale_factor: number;
  };
  readonly annealing: {
    readonly steps: number;
    readonly sigma_min: number;
    readonly sigma_max: number;
    readonly rho: number;
  };
  readonly sampler: { readonly ts: number[] | null; readonly ema_sigma: number; readonly ema_decay: number };
  readonly beta: number;
  readonly lgvd: { readonly c1: number; readonly c2: number; readonly steps: number } | null;
}

async function operatorOf(r: Recording, { operator }: Config): Promise<Operator> {
  const shape = r.shape("x_true").slice(1);
  if (operator.name === "inpainting") return operators.inpainting(gpu, { shape, mask: await r.values("mask") });
  if (operator.name === "super_resolution")
    return operators.superResolution(gpu, { shape, factor: operator.scale_factor });
  return operators.gaussianBlur(gpu, { shape, kernelSize: operator.kernel_size, std: operator.intensity });
}

describe("recorded runs of the reference are replayed, every level", () => {
  for (const name of [
    "inpaint_ema100",
    "inpaint_ema0.2",
    "inpaint_ema0.2_rho7",
    "gaussian_ema100",
    "gaussian_ema0.2_rho7_ts",
    "sr_ula_ema100",
  ]) {
    it(name, async () => {
      const r = await Recording.open(`pnp/${name}.safetensors`);
      const config = r.meta<Config>("config")!;
      const recorded = r.meta<Record<string, number>>("fp32_vs_fp64_rel_err_by_tensor")!;
      const limit = (tensor: string) => Math.max(2e-5, 10 * (recorded[tensor] ?? 0));
      const { steps, sigma_min: sigmaMin, sigma_max: sigmaMax, rho } = config.annealing;
      const sigmas = await r.values("sigmas");
      expect(relativeError(noiseLevels({ steps, sigmaMin, sigmaMax, rho }), sigmas)).toBeLessThanOrEqual(1e-6);
      const noise = await recordedNoise(r, true);
      const draws: number[] = [];
      const report: string[] = [];
      const check = async (tensor: string, values: Float32Array) => {
        const error = relativeError(values, await r.truth(tensor));
        report.push(error.toExponential(1));
        expect(error, tensor).toBeLessThanOrEqual(limit(tensor));
      };
      const { images, shape, evaluations } = await solveInverse(model, {
        operator: await operatorOf(r, config),
        measurement: await r.values("y"),
        beta: config.beta,
        sigmas,
        emaSigma: config.sampler.ema_sigma,
        emaDecay: config.sampler.ema_decay,
        ts: config.sampler.ts,
        ula: config.lgvd,
        noise(draw, length) {
          draws.push(draw);
          return noise(draw, length);
        },
        async onStep({ step, sample, next, sigma }) {
          expect(sigma).toBe(sigmas[step - 1]);
          await check(`iter${step - 1}.x`, await sample());
          if (next) await check(`iter${step - 1}.u_next`, await next());
        },
      });
      expect(shape).toEqual([r.shape("x0")[0], 3, 16, 16]);
      expect(evaluations).toBe(steps - 1);
      const count = r.names.filter((n) => /^noise\./.test(n)).length;
      expect(draws, "each recorded draw is asked for once, in order").toEqual([...Array(count).keys()]);
      const final = relativeError(images, await r.truth("x0"));
      console.info(`  ${name}: ${report.join(" ")}; result ${final.toExponential(1)} (reference ${recorded.x0})`);
      expect(final).toBeLessThanOrEqual(Math.min(2e-4, limit("x0")));
    });
  }
});
