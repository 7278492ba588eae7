import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Gpu, openGpu } from "../../src/gpu/device.js";
import { loadModel, type Model } from "../../src/networks/edm2/model.js";
import { sampleMultiStep } from "../../src/sample/multi-step.js";
import { fixturePath, Recording, recordedNoise, relativeError, weightsPath } from "../support/fixtures.js";

/**
 * A second driver: SwiftShader has subgroups of 4, no f16 and other limits than Mesa's lavapipe. `npm test` sets it up;
 * where it cannot be had (NCVSD_NO_SWIFTSHADER says why) these tests are skipped, and say so.
 */
const missing = process.env.NCVSD_NO_SWIFTSHADER;
if (missing) console.warn(`SwiftShader is not to be had here, its tests are skipped: ${missing}`);

describe.runIf(missing === undefined)("on SwiftShader", () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await openGpu({ adapter: "SwiftShader" });
  });
  afterAll(() => gpu.close());

  it("is another driver than the default one", async () => {
    const other = await openGpu();
    expect(other.info.name).not.toBe(gpu.info.name);
    other.close();
  });

  for (const [file, weights] of [
    ["edm2-tiny.case", "edm2-tiny"],
    ["ncvsd-tiny.model.case", "ncvsd-tiny"],
  ] as const) {
    it(`${file} agrees with the reference`, async () => {
      const r = await Recording.open(`${file}.safetensors`);
      const model = await loadModel(gpu, fixturePath(`${weights}.safetensors`));
      const condX = r.has("cond_x") ? { condX: await r.values("cond_x"), condSigma: await r.values("cond_sigma") } : {};
      const input = {
        x: await r.values("x"),
        sigma: await r.values("sigma"),
        labels: await r.values("class_labels"),
        ...condX,
      };
      const { captured } = await model.evaluate(input, ["F_x"]);
      expect(relativeError(captured.get("F_x")!.values, await r.truth("F_x"))).toBeLessThanOrEqual(2e-5);
      await model.close();
    });
  }

  it("replays a recorded multi-step run", async () => {
    const r = await Recording.open("ncvsd-tiny.gen-ts-10-22-39.case.safetensors");
    const model = await loadModel(gpu, fixturePath("ncvsd-tiny.safetensors"));
    const noise = await recordedNoise(r, true);
    const { images } = await sampleMultiStep(model, { labels: await r.values("class_labels"), ts: [10, 22], noise });
    expect(relativeError(images, await r.truth("x0"))).toBeLessThanOrEqual(1e-4);
    await model.close();
  });

  it("a seed gives the same image as on the default adapter, within 1e-4", async () => {
    const other = await openGpu();
    const run = async (model: Model) =>
      (await sampleMultiStep(model, { seeds: [1, 2], labels: [0, 7], ts: [10, 22] })).images;
    const here = await run(await loadModel(gpu, weightsPath("ncvsd-fashion32.safetensors")));
    const there = await run(await loadModel(other, weightsPath("ncvsd-fashion32.safetensors")));
    const error = relativeError(here, there);
    console.info(`SwiftShader against ${other.info.name}: ${error.toExponential(1)}`);
    expect(error).toBeLessThanOrEqual(1e-4);
    other.close();
  });
});
