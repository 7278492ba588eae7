import { describe, expect, it } from "vitest";
import type { Gpu } from "../../src/gpu/device.js";
import { operators } from "../../src/operators/operators.js";
import { sampleLangevin } from "../../src/sample/langevin.js";
import { Recording, relativeError } from "../support/fixtures.js";
import { withTestGpu } from "../support/gpu.js";

let gpu: Gpu;
withTestGpu((own) => (gpu = own));

describe("the recorded Langevin steps, every state", () => {
  for (const name of ["sr_x4_24", "phase_16"]) {
    it(name, async () => {
      const r = await Recording.open(`ula/${name}.safetensors`);
      const config = r.meta<{ c1: number; c2: number; beta: number; steps: number; per_sigma: object }>("config")!;
      const shape = r.shape("x0").slice(1);
      const operator =
        name === "phase_16"
          ? operators.phaseRetrieval(gpu, { shape, oversample: 1 })
          : operators.superResolution(gpu, { shape, factor: 4 });
      const recorded = r.meta<Record<string, number>>("fp32_vs_fp64_rel_err_by_tensor")!;
      for (const [key, { sigma }] of Object.entries(config.per_sigma) as [string, { sigma: number }][]) {
        const draws = await Promise.all([...Array(config.steps).keys()].map((k) => r.values(`${key}.noise.${k}`)));
        const asked: number[] = [];
        const errors: number[] = [];
        const result = await sampleLangevin(gpu, operator, {
          x: await r.values("x0"),
          y: await r.values("y"),
          sigma,
          beta: config.beta,
          c1: config.c1,
          c2: config.c2,
          steps: config.steps,
          noise(draw) {
            asked.push(draw);
            return draws[draw]!;
          },
          async onStep({ step, state }) {
            const error = relativeError(await state(), await r.truth(`${key}.x${step}`));
            expect(error).toBeLessThanOrEqual(Math.max(2e-6, 10 * recorded[`${key}.x${step}`]!));
            errors.push(error);
          },
        });
        console.info(`  ${name} ${key}: ${errors.map((e) => e.toExponential(1)).join(" ")}`);
        expect(asked).toEqual([...Array(config.steps).keys()]);
        expect(errors.length).toBe(config.steps);
        expect(relativeError(result, await r.truth(`${key}.x${config.steps}`))).toBeLessThanOrEqual(2e-6);
      }
    });
  }
});
