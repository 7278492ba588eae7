import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Gpu } from "../../src/gpu/device.js";
import { relativeError } from "../../src/graph/run-kernel.js";
import { openDistillation } from "../../src/train/distillation.js";
import { DISTILLED } from "../../src/train/distillation-settings.js";
import { openTraining, type TrainingOptions } from "../../src/train/training.js";
import { openTestGpu } from "../support/gpu.js";
import { RawTensors } from "../support/raw-tensors.js";

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => gpu.close());

/**
 * Allowed against float64. A value stored as half is off by up to 2^-11; three times as much where Winograd's transforms of such
 * values are multiplied (bench/NOTES.md), and as the root of their number, here some thirty on the way to a gradient and back: 8e-3.
 * Scalars are sums of terms that cancel: the recording's README allows them fifty times what it allows tensors, this ten times.
 */
const ALLOWED = { value: 3e-3, tensor: 3 * 2 ** -11 * Math.sqrt(30), scalar: 30 * 2 ** -11 * Math.sqrt(30) };

const micro = new RawTensors("training/edm2-micro.safetensors");
const teacher = new Map(micro.names.map((tensor) => [tensor, micro.f32(tensor)]));
const config = JSON.parse(micro.metadata.config!);
const SHORT = { score: "score", discriminator: "disc", generator: "gen" } as const;

/** Compares gradients with those recorded under a prefix, and says the worst. */
function compare(
  what: string,
  ours: ReadonlyMap<string, Float32Array>,
  file: RawTensors,
  prefix: string,
  allowed: Pick<typeof ALLOWED, "tensor" | "scalar"> = ALLOWED,
) {
  const found = file.names.flatMap((key) => {
    if (!key.startsWith(`${prefix}.`) || !key.endsWith(".f64")) return [];
    const truth = file.values(key);
    const tensor = key.slice(prefix.length + 1, -".f64".length);
    // What is exactly 0 is so in halves.
    if (truth.every((v) => v === 0)) expect([...new Set(ours.get(tensor)!)], key).toEqual([0]);
    return [{ key, scalar: truth.length === 1, error: relativeError(ours.get(tensor)!, truth) }];
  });
  expect(found.length).toBeGreaterThan(24);
  const worst = (scalar: boolean) => Math.max(...found.map((one) => (one.scalar === scalar ? one.error : 0)));
  const median = found.map(({ error }) => error).sort((a, b) => a - b)[found.length >> 1]!;
  console.info(`${what}: ${found.length}, median ${median}, worst tensor ${worst(false)}, worst scalar ${worst(true)}`);
  for (const { key, scalar, error } of found)
    expect(error, key).toBeLessThanOrEqual(scalar ? allowed.scalar : allowed.tensor);
}

const loss = new RawTensors("training/edm2-micro.loss.safetensors");
const { n, P_mean, P_std, loss_scaling } = JSON.parse(loss.metadata.config!);
const round = {
  images: loss.f32("images"),
  labels: loss.f32("labels"),
  rndNormal: loss.f32("rnd_normal"),
  noise: loss.f32("noise"),
};
const open = (options: Partial<TrainingOptions> = {}) =>
  openTraining(gpu, {
    ...{ network: teacher, config, batch: n, lossScaling: loss_scaling, pMean: P_mean, pStd: P_std, precision: "f16" },
    lr: { refLr: 0.01 },
    ...options,
  });

describe("activations in f16", () => {
  it("a teacher's loss and gradients are those recorded", async () => {
    const training = await open();
    const { recorded } = await training.step({ rounds: [round], record: true });
    for (const key of ["D", "loss"])
      expect(relativeError(recorded!.get(key)!, loss.values(`${key}.f64`)), key).toBeLessThan(ALLOWED.value);
    compare("edm2-micro, f16", await training.gradients(), loss, "grad");
    expect(await training.zeroedGradients()).toBe(0);
    training.close();
  });

  it("so are those of a distillation", async () => {
    const init = new RawTensors("training/ncvsd-micro.init.safetensors");
    const file = new RawTensors("training/ncvsd-micro.iterations.safetensors");
    const gradients = new RawTensors("training/ncvsd-micro.gradients.safetensors");
    const own = JSON.parse(file.metadata.config!);
    const under = (recording: RawTensors, prefix: string) =>
      recording.names.flatMap((key) =>
        key.startsWith(`${prefix}.`) ? [[key.slice(prefix.length + 1), recording.f32(key)] as const] : [],
      );
    const distillation = await openDistillation(gpu, {
      ...{ teacher, config, precision: "f16", gamma: own.gamma, batch: own.batch, batchGpu: own.batch_gpu },
      networks: Object.fromEntries(DISTILLED.map((net) => [net, new Map(under(init, SHORT[net]))])),
      ...{ gLrScaling: own.g_lr_scaling, dLrScaling: own.d_lr_scaling, ganLossScaling: own.gan_loss_scaling },
      ...{
        ganWarmupBatches: own.gan_warmup_batches,
        lossScaling: own.loss_scaling,
        lossSigmaData: own.loss_sigma_data,
      },
      ...{ pMean: own.P_mean, pStd: own.P_std, emaStds: own.stds },
      lr: { refLr: own.lr.ref_lr, refBatches: own.lr.ref_batches, rampupMimg: own.lr.rampup_Mimg },
    });
    const step = DISTILLED.map((net) => {
      const at = (what: string) => file.f32(`iter0.${SHORT[net]}.${what}`);
      const shared = { images: at("images"), labels: at("labels"), sigma: at("sigma"), t: at("t"), z: at("z") };
      const noises =
        net === "discriminator"
          ? { realNoise: at("real_noise"), fakeNoise: at("fake_noise") }
          : { xtNoise: at("xt_noise") };
      return [net, [{ ...shared, yNoise: at("y_noise"), ...noises }]] as const;
    });
    await distillation.step(Object.fromEntries(step));
    // By the recording's README what every convolution is off by is 140 times as much in the generator's gradient, which is made of a
    // difference of two networks, and 50 times in the others'.
    for (const net of DISTILLED) {
      const own = (net === "generator" ? 140 : 50) * 2 ** -11;
      const bounds = { tensor: own, scalar: 10 * own };
      compare(`${net}, f16`, await distillation.gradients(net), gradients, `iter0.${SHORT[net]}.grad`, bounds);
    }
    distillation.close();
  });

  it("what overflows is counted and taken for 0", async () => {
    const training = await open({ lossScaling: 1e9 });
    await training.step({ rounds: [round] });
    expect(await training.zeroedGradients()).toBeGreaterThan(0);
    for (const [name, values] of await training.parameters()) expect(values.every(Number.isFinite), name).toBe(true);
    training.close();
  });

  it("another precision is refused", async () => {
    await expect(open({ precision: "bf16" as "f16" })).rejects.toThrow("precision must be f32 or f16, got bf16");
  });
});
