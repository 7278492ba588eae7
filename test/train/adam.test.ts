import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { adamSettings } from "../../kernels/lib/adam-settings.js";
import { adam } from "../../kernels/training/adam/kernel.js";
import { reference } from "../../kernels/training/adam/reference.js";
import type { Gpu } from "../../src/gpu/device.js";
import { prepareKernel, relativeError } from "../../src/graph/run-kernel.js";
import { openTestGpu } from "../support/gpu.js";
import { RawTensors } from "../support/raw-tensors.js";

describe("Adam against six recorded updates of the reference", () => {
  const file = new RawTensors("training/adam.safetensors");
  const { lr } = JSON.parse(file.metadata.config!).adam as { lr: number[] };
  const gradients = file.f32("adam.g");
  const LENGTH = 15;
  const elements = 16;
  const padded = (values: ArrayLike<number>) => Float32Array.from({ length: elements }, (_, i) => values[i] ?? 0);
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await openTestGpu();
  });
  afterAll(() => gpu.close());

  for (const where of ["float64 reference", "GPU"] as const) {
    it(`${where}: rate 0 first, rows of zeros and of 1e-9, NaN and infinities`, async () => {
      let state: Record<string, ArrayLike<number>> = {
        w: padded(file.f32("adam.p0")),
        m: new Float32Array(elements),
        v: new Float32Array(elements),
        zeroed: new Uint32Array(2),
      };
      for (const [k, rate] of lr.entries()) {
        const settings = adamSettings({ lr: rate, step: k + 1 });
        const g = padded(gradients.subarray(k * LENGTH, (k + 1) * LENGTH));
        if (where === "GPU") {
          const given: Record<string, ArrayLike<number>> = { ...state, g, settings };
          const run = await prepareKernel(gpu, adam, {
            name: "recorded",
            params: { elements },
            inputs: (name) => (name === "zeroed" ? Uint32Array.from(given[name]!) : Float32Array.from(given[name]!)),
          });
          await run.program.run();
          state = await run.outputs();
          run.program.destroy();
        } else state = reference({ elements }, { ...state, g, settings });
        for (const [ours, theirs] of Object.entries({ w: "p", m: "m", v: "v" })) {
          const recorded = file.values(`adam.${theirs}${k + 1}.f64`);
          const error = relativeError(Array.from(state[ours]!).slice(0, LENGTH), recorded);
          expect(error, `${theirs}${k + 1}`).toBeLessThan(where === "GPU" ? 1e-6 : 1e-7);
        }
      }
      const broken = gradients.reduce((n, g) => n + Number(!Number.isFinite(g)), 0);
      expect(broken).toBeGreaterThan(2);
      expect(state.zeroed![0]).toBe(broken);
    });
  }
});
