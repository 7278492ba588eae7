import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Gpu } from "../../src/gpu/device.js";
import { openTraining } from "../../src/train/training.js";
import { openTestGpu } from "../support/gpu.js";
import { RawTensors } from "../support/raw-tensors.js";
import { Verdict } from "../support/verdict.js";

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => gpu.close());

describe("the loss and its gradients", () => {
  for (const [weights, name] of [
    ["training/edm2-micro", "edm2-micro"],
    ["edm2-tiny", "edm2-tiny"],
    ["edm2-tiny-uncond", "edm2-tiny-uncond"],
  ] as const) {
    it(name, async () => {
      const network = new RawTensors(`${weights}.safetensors`);
      const file = new RawTensors(`training/${name}.loss.safetensors`);
      const { n, P_mean, P_std, loss_scaling } = JSON.parse(file.metadata.config!);
      const training = await openTraining(gpu, {
        network: new Map(network.names.map((tensor) => [tensor, network.f32(tensor)])),
        config: JSON.parse(network.metadata.config!),
        batch: n,
        lossScaling: loss_scaling,
        pMean: P_mean,
        pStd: P_std,
        lr: { refLr: 0.01 },
      });
      const round = {
        images: file.f32("images"),
        ...(file.has("labels") && { labels: file.f32("labels") }),
        rndNormal: file.f32("rnd_normal"),
        noise: file.f32("noise"),
      };
      const { recorded, losses } = await training.step({ rounds: [round], record: true });
      const verdict = new Verdict(file);
      for (const key of ["sigma", "D", "logvar", "loss"]) verdict.compare(key, recorded!.get(key)!, 1e-5);
      expect(
        (losses[0]! * recorded!.get("loss")!.length * loss_scaling) / n / file.values("total.f64")[0]!,
      ).toBeCloseTo(1, 5);
      const gradients = await training.gradients();
      // Of edm2-tiny the recording keeps every fourth.
      const kept = file.names.filter((k) => k.startsWith("grad.") && k.endsWith(".f64"));
      expect(kept.length).toBeGreaterThan(24);
      for (const key of kept) {
        const tensor = key.slice("grad.".length, -".f64".length);
        verdict.compare(`grad.${tensor}`, gradients.get(tensor)!, 5e-5);
      }
      if (name !== "edm2-tiny") expect(gradients.size).toBe(kept.length);
      training.close();
      verdict.end(name);
    });
  }
});

describe("recorded steps", () => {
  for (const name of ["edm2-micro", "edm2-micro-init"]) {
    const network = new RawTensors(`training/${name}.safetensors`);
    const file = new RawTensors(`training/${name}.steps.safetensors`);
    const { batch, batch_gpu, iters, P_mean, P_std, loss_scaling, lr, stds } = JSON.parse(file.metadata.config!);
    const tensorsOf = (prefix: string) =>
      new Map(
        file.names.flatMap((key) => {
          if (!key.startsWith(`${prefix}.`)) return [];
          const tensor = key.slice(prefix.length + 1).replace(/\.f64$/, "");
          return [[tensor, file.f32(key)] as const];
        }),
      );
    const open = () =>
      openTraining(gpu, {
        network: new Map(network.names.map((tensor) => [tensor, network.f32(tensor)])),
        config: JSON.parse(network.metadata.config!),
        batch,
        batchGpu: batch_gpu,
        lossScaling: loss_scaling,
        pMean: P_mean,
        pStd: P_std,
        lr: { refLr: lr.ref_lr, refBatches: lr.ref_batches, rampupMimg: lr.rampup_Mimg },
        emaStds: stds,
      });
    const rounds = (k: number) =>
      Array.from({ length: batch / batch_gpu }, (_, r) => {
        const at = (what: string) => file.f32(`step${k}.round${r}.${what}`);
        return { images: at("images"), labels: at("labels"), rndNormal: at("rnd_normal"), noise: at("noise") };
      });

    it(`${name}: each step from the recorded parameters before it`, async () => {
      const verdict = new Verdict(file);
      const training = await open();
      for (let k = 0; k < iters; k++) {
        if (k > 0) await training.setParameters(tensorsOf(`step${k - 1}.param`));
        const result = await training.step({ rounds: rounds(k), record: true });
        expect(result.lr).toBeCloseTo(file.values(`step${k}.lr`)[0]!, 12);
        expect(result.images).toBe((k + 1) * batch);
        for (const what of ["D", "logvar", "loss"])
          verdict.compare(`step${k}.round0.${what}`, result.recorded!.get(what)!, 1e-5);
        result.losses.forEach((loss, r) => {
          const entries = file.values(`step${k}.round${r}.loss.f64`);
          expect(loss / (entries.reduce((a, b) => a + b, 0) / entries.length)).toBeCloseTo(1, 5);
        });
        const gradients = await training.gradients();
        for (const tensor of tensorsOf(`step${k}.grad`).keys())
          verdict.compare(`step${k}.grad.${tensor}`, gradients.get(tensor)!, name.endsWith("init") ? 3e-4 : 5e-5);
      }
      training.close();
      verdict.end(name);
    });

    it(`${name}: all steps in a row`, async () => {
      const verdict = new Verdict(file);
      const training = await open();
      for (let k = 0; k < iters; k++) {
        await training.step({ rounds: rounds(k) });
        const parameters = await training.parameters();
        const bound = name.endsWith("init") ? 1.7e-3 : 2e-4;
        for (const tensor of tensorsOf(`step${k}.param`).keys())
          verdict.compare(`step${k}.param.${tensor}`, parameters.get(tensor)!, bound);
        for (const std of stds as number[]) {
          // Recorded for some steps; an average of std 0.1 is called ema-0.100.
          const average = file.names.some((key) => key.startsWith(`step${k}.ema-`))
            ? await training.ema(std)
            : new Map();
          for (const prefix of new Set(
            file.names.flatMap((key) => new RegExp(`^step${k}\\.ema-${std}0*(?=\\.)`).exec(key)?.[0] ?? []),
          ))
            for (const tensor of tensorsOf(prefix).keys())
              verdict.compare(`${prefix}.${tensor}`, average.get(tensor)!, bound);
        }
      }
      training.close();
      verdict.end(name);
    });
  }
});
