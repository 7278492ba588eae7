import { beforeAll, describe, expect, it } from "vitest";
import type { Gpu } from "../../src/gpu/device.js";
import { loadModel, type Model } from "../../src/networks/edm2/model.js";
import { sampleMultiStep } from "../../src/sample/multi-step.js";
import { fixturePath, Recording, recordedNoise, relativeError } from "../support/fixtures.js";
import { withTestGpu } from "../support/gpu.js";

/**
 * Whole networks by the kernels, tiles, algorithms and parts of sums that a large GPU gets, on whatever adapter the tests have.
 * With NCVSD_TEST_AS (gpu, apple, intel or mobile) every other test runs so, too.
 */
const CASES: Readonly<Record<string, string>> = {
  "edm2-tiny": "edm2-tiny.case.safetensors",
  "ncvsd-tiny": "ncvsd-tiny.model.case.safetensors",
};

describe("as on a GPU", () => {
  let gpu: Gpu;
  const models = new Map<string, Model>();
  withTestGpu((own) => (gpu = own), "gpu");
  beforeAll(async () => {
    for (const name of Object.keys(CASES)) models.set(name, await loadModel(gpu, fixturePath(`${name}.safetensors`)));
  });

  for (const [name, file] of Object.entries(CASES)) {
    it(`${name} is as recorded`, async () => {
      const recording = await Recording.open(file);
      const given: Record<string, Float32Array> = {};
      for (const [option, tensor] of Object.entries({
        condX: "cond_x",
        condSigma: "cond_sigma",
        labels: "class_labels",
      }))
        if (recording.has(tensor)) given[option] = await recording.values(tensor);
      const model = models.get(name)!;
      const kernels = new Set(model.planFor(1).network.graph.nodes.map(({ kernel }) => kernel.name));
      expect(kernels, "planned as on a GPU").toContain("implicit-gemm");
      const x = await recording.values("x");
      const { denoised } = await model.evaluate({ x, sigma: await recording.values("sigma"), ...given });
      const error = relativeError(denoised, await recording.truth("D_x"));
      console.info(`${name} as on a GPU: ${error.toExponential(1)}`);
      expect(error).toBeLessThanOrEqual(2e-5);
    });
  }

  it("a sampler's two steps are as recorded", async () => {
    const recording = await Recording.open("ncvsd-tiny.gen-ts-12-39.case.safetensors");
    const { images } = await sampleMultiStep(models.get("ncvsd-tiny")!, {
      labels: await recording.values("class_labels"),
      seeds: [0, 1],
      ts: [12, 39],
      noise: await recordedNoise(recording, true),
    });
    expect(relativeError(images, await recording.truth("x0"))).toBeLessThanOrEqual(1e-4);
  });
});
