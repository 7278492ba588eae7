import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Precision } from "../../src/gpu/contract.js";
import { type Gpu, openGpu } from "../../src/gpu/device.js";
import { loadModel } from "../../src/networks/edm2/model.js";
import { sampleMultiStep } from "../../src/sample/multi-step.js";
import { fixturePath, Recording, recordedNoise, relativeError, weightsPath } from "../support/fixtures.js";
import { openTestGpu } from "../support/gpu.js";

/** Without it the tests on a second adapter are skipped; test/gpu/drivers.test.ts says so. */
const swiftShader = process.env.NCVSD_NO_SWIFTSHADER === undefined;

/** f16 storage, f32 accumulation. Weights alone have 11 bits: rounding them costs up to 2^-11 = 4.9e-4 of each. */
const TOLERANCE = { f16: 5e-3, "f16-weights": 2e-3 } as const;

interface Setting {
  readonly title: string;
  readonly open: () => Promise<Gpu>;
}

const settings: readonly Setting[] = [
  { title: "f16", open: () => openTestGpu({ precision: "f16" }) },
  { title: "f16-weights", open: () => openTestGpu({ precision: "f16-weights" }) },
  ...(swiftShader
    ? [{ title: "f16 on SwiftShader", open: () => openGpu({ adapter: "SwiftShader", precision: "f16" }) }]
    : []),
];

for (const { title, open } of settings) {
  describe(`${title} against recordings of the reference`, () => {
    let gpu: Gpu;
    let tolerance: number;
    beforeAll(async () => {
      gpu = await open();
      // Without shader-f16 the weights alone are f16.
      const half = title.startsWith("f16-weights") || !gpu.features.includes("shader-f16") ? "f16-weights" : "f16";
      expect(gpu.precision).toBe(half);
      expect(gpu.caps.precision).toBe(half);
      tolerance = TOLERANCE[half];
    });
    afterAll(() => gpu.close());

    for (const [file, weights] of [
      ["edm2-tiny.case", "edm2-tiny"],
      ["edm2-tiny-uncond.case", "edm2-tiny-uncond"],
      ["ncvsd-tiny.model.case", "ncvsd-tiny"],
    ] as const) {
      it(file, async () => {
        const r = await Recording.open(`${file}.safetensors`);
        const model = await loadModel(gpu, fixturePath(`${weights}.safetensors`));
        const condX = r.has("cond_x")
          ? { condX: await r.values("cond_x"), condSigma: await r.values("cond_sigma") }
          : {};
        const labels = r.has("class_labels") ? { labels: await r.values("class_labels") } : {};
        const input = { x: await r.values("x"), sigma: await r.values("sigma"), ...condX, ...labels };
        const { denoised, captured } = await model.evaluate(input, ["F_x"]);
        const errors = [
          relativeError(denoised, await r.truth("D_x")),
          relativeError(captured.get("F_x")!.values, await r.truth("F_x")),
        ];
        console.info(
          `${gpu.precision} ${file}: D_x ${errors[0]!.toExponential(1)}, F_x ${errors[1]!.toExponential(1)}`,
        );
        for (const error of errors) {
          expect(error).toBeLessThanOrEqual(tolerance);
          // Something was rounded.
          expect(error).toBeGreaterThan(1e-5);
        }
        await model.close();
      });
    }

    it("a whole multi-step run", async () => {
      const r = await Recording.open("ncvsd-tiny.gen-ts-10-22-39.case.safetensors");
      const model = await loadModel(gpu, fixturePath("ncvsd-tiny.safetensors"));
      const noise = await recordedNoise(r, true);
      const { images } = await sampleMultiStep(model, { labels: await r.values("class_labels"), ts: [10, 22], noise });
      const error = relativeError(images, await r.truth("x0"));
      console.info(`${gpu.precision} gen-ts-10-22-39: ${error.toExponential(1)}`);
      expect(error).toBeLessThanOrEqual(TOLERANCE.f16);
      await model.close();
    });
  });
}

describe("what a precision means on an adapter", () => {
  const used = async (open: typeof openGpu, precision: Precision | "auto") => {
    const gpu = await open({ precision });
    gpu.close();
    return { precision: gpu.precision, software: gpu.info.software, half: gpu.features.includes("shader-f16") };
  };

  it("auto is f32 on a software adapter and f16, at least of the weights, on a GPU", async () => {
    const { precision, software, half } = await used(openTestGpu, "auto");
    expect(precision).toBe(software ? "f32" : half ? "f16" : "f16-weights");
  });

  it.runIf(swiftShader)("SwiftShader has no f16: its weights are", async () => {
    const open: typeof openGpu = (options) => openGpu({ ...options, adapter: "SwiftShader" });
    expect(await used(open, "f16")).toEqual({ precision: "f16-weights", software: true, half: false });
    expect(await used(open, "auto")).toMatchObject({ precision: "f32" });
  });
});

it("weights take half the memory in f16 and in f16-weights, as the plan says", async () => {
  const held: Record<string, number> = {};
  const planned: Record<string, number> = {};
  for (const precision of ["f32", "f16", "f16-weights"] as const) {
    const gpu = await openTestGpu({ precision });
    const before = gpu.allocatedBytes;
    const model = await loadModel(gpu, weightsPath("ncvsd-fashion32.safetensors"));
    held[precision] = gpu.allocatedBytes - before;
    planned[precision] = model.planFor(1).plan.constantBytes;
    await model.close();
    gpu.close();
  }
  console.info(`weights of the bundled model, bytes: ${JSON.stringify(held)}`);
  expect(held).toEqual(planned);
  expect(held.f16! / held.f32!).toBeCloseTo(0.5, 2);
  expect(held["f16-weights"]).toBe(held.f16);
});
