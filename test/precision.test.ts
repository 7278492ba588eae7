import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Gpu } from "../src/gpu/device.js";
import { loadModel } from "../src/model/model.js";
import { sampleMultiStep } from "../src/sample/multi-step.js";
import { fixturePath, Recording, recordedNoise, relativeError } from "./support/fixtures.js";
import { openTestGpu } from "./support/gpu.js";

/** f16 storage, f32 accumulation. */
const TOLERANCE = 5e-3;

describe("f16 storage against recordings of the reference", () => {
  let gpu: Gpu | undefined;
  let reason = "";
  beforeAll(async () => {
    gpu = await openTestGpu({ precision: "f16" }).catch((error: Error) => {
      reason = error.message;
      return undefined;
    });
  });
  afterAll(() => gpu?.close());

  /** An adapter without shader-f16 must say so; anything else is a failure. */
  function adapter(): Gpu | undefined {
    if (!gpu) expect(reason).toMatch(/has no shader-f16: use precision f32/);
    return gpu;
  }

  for (const [file, weights] of [
    ["edm2-tiny.case", "edm2-tiny"],
    ["edm2-tiny-uncond.case", "edm2-tiny-uncond"],
    ["ncvsd-tiny.model.case", "ncvsd-tiny"],
  ] as const) {
    it(file, async () => {
      const device = adapter();
      if (!device) return;
      const r = await Recording.open(`${file}.safetensors`);
      const model = await loadModel(device, fixturePath(`${weights}.safetensors`));
      const condX = r.has("cond_x") ? { condX: await r.values("cond_x"), condSigma: await r.values("cond_sigma") } : {};
      const labels = r.has("class_labels") ? { labels: await r.values("class_labels") } : {};
      const input = { x: await r.values("x"), sigma: await r.values("sigma"), ...condX, ...labels };
      const { denoised, captured } = await model.evaluate(input, ["F_x"]);
      const errors = [
        relativeError(denoised, await r.truth("D_x")),
        relativeError(captured.get("F_x")!.values, await r.truth("F_x")),
      ];
      console.info(`f16 ${file}: D_x ${errors[0]!.toExponential(1)}, F_x ${errors[1]!.toExponential(1)}`);
      for (const error of errors) expect(error).toBeLessThanOrEqual(TOLERANCE);
      await model.close();
    });
  }

  it("a whole multi-step run", async () => {
    const device = adapter();
    if (!device) return;
    const r = await Recording.open("ncvsd-tiny.gen-ts-10-22-39.case.safetensors");
    const model = await loadModel(device, fixturePath("ncvsd-tiny.safetensors"));
    const noise = await recordedNoise(r, true);
    const { images } = await sampleMultiStep(model, { labels: await r.values("class_labels"), ts: [10, 22], noise });
    const error = relativeError(images, await r.truth("x0"));
    console.info(`f16 gen-ts-10-22-39: ${error.toExponential(1)}`);
    expect(error).toBeLessThanOrEqual(TOLERANCE);
  });
});
