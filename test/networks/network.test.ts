import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Gpu } from "../../src/gpu/device.js";
import { loadModel, type Model } from "../../src/networks/edm2/model.js";
import { fixturePath, Recording, relativeError } from "../support/fixtures.js";
import { openTestGpu } from "../support/gpu.js";

/** The recordings' own f32 error is 2e-7 to 7e-7. */
const TOLERANCE = 2e-5;

const CASES = [
  { file: "edm2-tiny.case.safetensors", weights: "edm2-tiny.safetensors" },
  { file: "edm2-tiny.broadcast.case.safetensors", weights: "edm2-tiny.safetensors" },
  { file: "edm2-tiny-uncond.case.safetensors", weights: "edm2-tiny-uncond.safetensors" },
  { file: "edm2-tiny.clip.case.safetensors", weights: "edm2-tiny.safetensors", config: { clip_act: 1.5 } },
  { file: "ncvsd-tiny.model.case.safetensors", weights: "ncvsd-tiny.safetensors" },
  { file: "ncvsd-tiny.model-broadcast.case.safetensors", weights: "ncvsd-tiny.safetensors" },
];

let gpu: Gpu;
const models = new Map<string, Promise<Model>>();
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => gpu.close());

function model(weights: string, config: object = {}): Promise<Model> {
  const key = weights + JSON.stringify(config);
  const loaded = models.get(key) ?? loadModel(gpu, fixturePath(weights), { config });
  models.set(key, loaded);
  return loaded;
}

describe("networks against recordings of the reference", () => {
  for (const { file, weights, config } of CASES) {
    it(file, async () => {
      const recording = await Recording.open(file);
      const net = await model(weights, config);
      const acts = recording.names.filter((n) => n.startsWith("act.")).map((n) => n.slice(4));
      const optional = async (name: string) => (recording.has(name) ? await recording.values(name) : undefined);
      const condX = await optional("cond_x");
      const condSigma = await optional("cond_sigma");
      const labels = await optional("class_labels");
      const { denoised, captured } = await net.evaluate(
        {
          x: await recording.values("x"),
          sigma: await recording.values("sigma"),
          ...(condX ? { condX } : {}),
          ...(condSigma ? { condSigma } : {}),
          ...(labels ? { labels } : {}),
        },
        ["F_x", "logvar", ...acts],
      );
      const errors: Record<string, number> = { D_x: relativeError(denoised, await recording.truth("D_x")) };
      errors.F_x = relativeError(captured.get("F_x")!.values, await recording.truth("F_x"));
      const logvar = await recording.truth("logvar");
      errors.logvar = relativeError(captured.get("logvar")!.values.subarray(0, logvar.length), logvar);
      const rows = recording.meta<number[]>("act_rows");
      for (const name of acts) {
        const { shape, values } = captured.get(name)!;
        const size = values.length / shape[0]!;
        const chosen = (rows ?? [...Array(shape[0]).keys()]).flatMap((row) => [
          ...values.subarray(row * size, (row + 1) * size),
        ]);
        errors[name] = relativeError(chosen, await recording.truth(`act.${name}`));
      }
      const worst = Object.entries(errors).sort((a, b) => b[1] - a[1])[0]!;
      console.info(
        `${file}: D_x ${errors.D_x!.toExponential(1)}, F_x ${errors.F_x!.toExponential(1)}, worst ${worst[0]} ${worst[1].toExponential(1)}`,
      );
      for (const [name, error] of Object.entries(errors)) expect(error, name).toBeLessThanOrEqual(TOLERANCE);
    });
  }
});
