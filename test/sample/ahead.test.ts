import { describe, expect, it } from "vitest";
import type { Gpu } from "../../src/gpu/device.js";
import { loadModel } from "../../src/networks/edm2/model.js";
import { operators } from "../../src/operators/operators.js";
import { sampleHeun } from "../../src/sample/heun.js";
import { type SampleOptions, sampleMultiStep } from "../../src/sample/multi-step.js";
import { solveInverse } from "../../src/sample/solve-inverse.js";
import { fixturePath } from "../support/fixtures.js";
import { withTestGpu } from "../support/gpu.js";

const STEPS = 5;

type Followed = Pick<SampleOptions, "noise" | "signal"> & {
  onStep(event: { step: number; preview(): Promise<Float32Array> }): void | Promise<void>;
};

/** Runs of which each step draws once at least, and its draws by its number. */
const runs: Record<string, { draws: (step: number) => number; run(gpu: Gpu, followed: Followed): Promise<unknown> }> = {
  sampleMultiStep: {
    draws: (step) => 2 + 2 * step,
    async run(gpu, followed) {
      const model = await loadModel(gpu, fixturePath("ncvsd-tiny.safetensors"));
      return sampleMultiStep(model, { ts: [2, 6, 10, 14, 18], ...followed }).finally(() => model.close());
    },
  },
  sampleHeun: {
    draws: (step) => 1 + step,
    async run(gpu, followed) {
      const model = await loadModel(gpu, fixturePath("edm2-tiny-uncond.safetensors"));
      return sampleHeun(model, { steps: STEPS, S_churn: 10, ...followed }).finally(() => model.close());
    },
  },
  "pnp-gd": {
    draws: (step) => 1 + 2 * step,
    async run(gpu, followed) {
      const model = await loadModel(gpu, fixturePath("ncvsd-tiny.safetensors"));
      const operator = operators.inpainting(gpu, { shape: model.shape, fraction: 0.5 });
      const measurement = new Float32Array(operator.measurementShape.reduce((a, b) => a * b, 1));
      const options = { sampler: "pnp-gd", operator, measurement, steps: STEPS + 1, ...followed } as const;
      return solveInverse(model, options).finally(() => model.close());
    },
  },
};

describe("a step is recorded while the one before runs", () => {
  let gpu: Gpu;
  withTestGpu((own) => (gpu = own));

  for (const [name, { draws, run }] of Object.entries(runs)) {
    it(name, async () => {
      let drawn = 0;
      let waits = 0;
      const noise = (draw: number, length: number) => {
        drawn = draw + 1;
        return Float32Array.from({ length }, (_, i) => Math.sin(draw + i));
      };
      const { queue } = gpu.device;
      const done = queue.onSubmittedWorkDone.bind(queue);
      let finished = 0;
      let asked = 0;
      queue.onSubmittedWorkDone = async () => {
        const number = ++asked;
        waits++;
        await done();
        finished = Math.max(finished, number);
        return undefined;
      };
      const previews: Float32Array[] = [];
      const seen: number[] = [];
      await run(gpu, {
        noise,
        async onStep({ step, preview }) {
          seen.push(step);
          // The next step is under way, the one behind it is not; and this one is done.
          expect(drawn, `draws at step ${step}`).toBe(draws(Math.min(step + 1, STEPS)));
          expect(finished).toBeGreaterThanOrEqual(step);
          previews.push(await preview());
        },
      });
      expect(seen).toEqual(Array.from({ length: STEPS }, (_, i) => i + 1));
      // One for each step: nothing else waits in between.
      expect(waits).toBe(STEPS);

      // Stopped in the third step's event: the fourth was under way, and no other began.
      Reflect.deleteProperty(queue, "onSubmittedWorkDone");
      const again: Float32Array[] = [];
      const reason = new Error("enough");
      const stop = new AbortController();
      try {
        await run(gpu, {
          noise,
          signal: stop.signal,
          async onStep({ step, preview }) {
            again.push(await preview());
            if (step === 3) stop.abort(reason);
          },
        });
      } catch (error) {
        expect(error).toBe(reason);
      }
      expect(again).toEqual(previews.slice(0, 3));
      expect(drawn).toBeLessThanOrEqual(draws(4));
    });
  }
});
