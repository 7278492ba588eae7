import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Gpu } from "../../src/gpu/device.js";
import { relativeError } from "../../src/graph/run-kernel.js";
import { loadModel } from "../../src/networks/edm2/model.js";
import { expectedTensors } from "../../src/networks/edm2/names.js";
import { BankLayout, largestPart } from "../../src/train/bank.js";
import { type Distillation, openDistillation } from "../../src/train/distillation.js";
import { DISTILLED } from "../../src/train/distillation-settings.js";
import { fixturePath } from "../support/fixtures.js";
import { openTestGpu } from "../support/gpu.js";
import { RawTensors } from "../support/raw-tensors.js";
import { playedByTwo } from "../support/two-processes.js";
import { Verdict } from "../support/verdict.js";

const teacher = new RawTensors("training/edm2-micro.safetensors");
const init = new RawTensors("training/ncvsd-micro.init.safetensors");
const file = new RawTensors("training/ncvsd-micro.iterations.safetensors");
const gradients = new RawTensors("training/ncvsd-micro.gradients.safetensors");
const parameters = new RawTensors("training/ncvsd-micro.parameters.safetensors");
const config = JSON.parse(file.metadata.config!);
const SHORT = { score: "score", discriminator: "disc", generator: "gen" } as const;

const under = (recording: RawTensors, prefix: string) =>
  new Map(
    recording.names.flatMap((key) =>
      key.startsWith(`${prefix}.`)
        ? [[key.slice(prefix.length + 1).replace(/\.f64$/, ""), recording.f32(key)] as const]
        : [],
    ),
  );

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => gpu.close());

const open = ({
  gan = config.gan_warmup_batches as number,
  gamma = config.gamma as number,
} = {}): Promise<Distillation> =>
  openDistillation(gpu, {
    teacher: new Map(teacher.names.map((name) => [name, teacher.f32(name)])),
    config: JSON.parse(teacher.metadata.config!),
    networks: Object.fromEntries(DISTILLED.map((net) => [net, under(init, SHORT[net])])),
    batch: config.batch,
    batchGpu: config.batch_gpu,
    gamma,
    gLrScaling: config.g_lr_scaling,
    dLrScaling: config.d_lr_scaling,
    ganLossScaling: config.gan_loss_scaling,
    ganWarmupBatches: gan,
    lossScaling: config.loss_scaling,
    lossSigmaData: config.loss_sigma_data,
    pMean: config.P_mean,
    pStd: config.P_std,
    lr: { refLr: config.lr.ref_lr, refBatches: config.lr.ref_batches, rampupMimg: config.lr.rampup_Mimg },
    emaStds: config.stds,
  });

const stepOf = (k: number) => ({
  ...Object.fromEntries(
    DISTILLED.map((net) => {
      const at = (what: string) => {
        const key = `iter${k}.${SHORT[net]}.${what}`;
        return file.has(key) ? file.f32(key) : undefined;
      };
      const round = {
        images: at("images")!,
        labels: at("labels")!,
        sigma: at("sigma")!,
        t: at("t")!,
        yNoise: at("y_noise")!,
        z: at("z")!,
        ...(net === "discriminator"
          ? { realNoise: at("real_noise")!, fakeNoise: at("fake_noise")! }
          : { xtNoise: at("xt_noise")! }),
      };
      return [net, [round]];
    }),
  ),
  record: true,
});

/** Of the generator: ten times what a relative error of 1e-6 in every convolution does; less for the others. */
const bound = (net: string) => (net === "generator" ? 1.4e-3 : 5e-4);

describe("recorded iterations", () => {
  it("start from the teacher, and what it does not give is fresh", async () => {
    const distillation = await openDistillation(gpu, {
      teacher: new Map(teacher.names.map((name) => [name, teacher.f32(name)])),
      config: JSON.parse(teacher.metadata.config!),
      batch: 2,
      lr: { refLr: 0.01 },
    });
    for (const net of DISTILLED) {
      const recorded = under(init, SHORT[net]);
      const own = await distillation.parameters(net);
      expect([...own.keys()].sort()).toEqual([...recorded.keys()].sort());
      for (const [name, values] of recorded) {
        const fresh = name.startsWith("logvar_") || name === "out_conv.weight";
        expect([...own.get(name)!].join() === [...values].join(), name).toBe(!fresh);
      }
    }
    expect((await distillation.parameters("score")).get("logvar_linear.weight")).not.toEqual(
      (await distillation.parameters("generator")).get("logvar_linear.weight"),
    );
    distillation.close();
  });

  it("with gamma 0 the generator starts as the teacher at the level itself", async () => {
    const [images, sigma, yNoise] = ["images", "sigma", "y_noise"].map((what) => file.f32(`iter0.score.${what}`));
    const entries = images!.length / sigma!.length;
    const y = images!.map((v, i) => v + sigma![Math.floor(i / entries)]! * yNoise![i]!);
    const model = await loadModel(gpu, fixturePath("training/edm2-micro.safetensors"));
    const wanted = await model.denoise({ x: y, sigma: sigma!, labels: file.f32("iter0.score.labels") });
    await model.close();
    const distillation = await open({ gamma: 0 });
    const { recorded } = await distillation.step(stepOf(0));
    distillation.close();
    expect(relativeError(recorded!.get("score.x")!, wanted)).toBeLessThan(2e-6);
  });

  it("the first and the last from the recorded parameters before them: quantities, losses, gradients", async () => {
    const [seen, found] = [new Verdict(file), new Verdict(gradients)];
    const distillation = await open();
    // Gradients were recorded in these two; the second needs the images that the first one saw before it.
    for (const k of [0, 3]) {
      if (k > 0) {
        for (const skipped of [1, 2]) await distillation.step({ ...stepOf(skipped), record: false });
        for (const net of DISTILLED)
          await distillation.setParameters(under(parameters, `iter${k - 1}.${SHORT[net]}.param`), net);
      }
      // The generator sees a score model and a discriminator that were updated a moment ago.
      const { recorded, lr } = await distillation.step(stepOf(k));
      expect(lr).toBeCloseTo(file.values(`iter${k}.score.lr`)[0]!, 12);
      for (const key of file.names) {
        const [, what] = /^iter\d+\.(.*)\.f64$/.exec(key) ?? [];
        if (!key.startsWith(`iter${k}.`) || !what) continue;
        expect(recorded!.has(what), what).toBe(true);
        seen.compare(key.replace(/\.f64$/, ""), recorded!.get(what)!, 2e-5);
      }
      for (const net of DISTILLED) {
        const ours = await distillation.gradients(net);
        for (const tensor of under(gradients, `iter${k}.${SHORT[net]}.grad`).keys())
          found.compare(`iter${k}.${SHORT[net]}.grad.${tensor}`, ours.get(tensor)!, bound(net));
      }
    }
    distillation.close();
    seen.end("quantities");
    found.end("gradients");
  });

  it("with the adversarial loss from the first iteration on: the generator's gradient", async () => {
    const found = new Verdict(gradients);
    const distillation = await open({ gan: 0 });
    await distillation.step(stepOf(0));
    const ours = await distillation.gradients("generator");
    for (const tensor of under(gradients, "iter0.gen_gan.grad").keys())
      found.compare(`iter0.gen_gan.grad.${tensor}`, ours.get(tensor)!, bound("generator"));
    distillation.close();
    found.end("gradients with the adversarial loss");
  });

  it("all in a row: quantities, parameters and averages", async () => {
    const [seen, verdict] = [new Verdict(file), new Verdict(parameters)];
    const distillation = await open();
    for (let k = 0; k < config.iters; k++) {
      const { recorded } = await distillation.step(stepOf(k));
      for (const key of file.names) {
        const [, what] = new RegExp(`^iter${k}\\.(.*)\\.f64$`).exec(key) ?? [];
        if (what) seen.compare(key.replace(/\.f64$/, ""), recorded!.get(what)!, 5e-5);
      }
      for (const net of DISTILLED) {
        const ours = await distillation.parameters(net);
        for (const tensor of under(parameters, `iter${k}.${SHORT[net]}.param`).keys())
          verdict.compare(`iter${k}.${SHORT[net]}.param.${tensor}`, ours.get(tensor)!, 2e-4);
      }
      for (const std of config.stds as number[]) {
        const prefix = `iter${k}.ema-${std.toFixed(3)}`;
        if (!parameters.names.some((key) => key.startsWith(`${prefix}.`))) continue;
        const ours = await distillation.ema(std);
        for (const tensor of under(parameters, prefix).keys())
          verdict.compare(`${prefix}.${tensor}`, ours.get(tensor)!, 2e-4);
      }
    }
    distillation.close();
    seen.end("quantities");
    verdict.end("parameters and averages");
  });
});

/** Two images a round, two rounds an update, of a data set of seven. */
function waves() {
  const images = Array.from({ length: 7 }, (_, k) =>
    Array.from({ length: 192 }, (_, i) => Math.sin(0.37 * (192 * k + i))),
  );
  const data = {
    fingerprint: "waves",
    batch: async (positions: readonly number[]) => ({
      images: Float32Array.from(positions.flatMap((p) => images[p % 7]!)),
      labels: positions.map((p) => p % 5),
    }),
  };
  const options = {
    teacher: new Map(teacher.names.map((name) => [name, teacher.f32(name)])),
    config: JSON.parse(teacher.metadata.config!),
    batch: 4,
    batchGpu: 2,
    gLrScaling: 0.25,
    dLrScaling: 0.5,
    ganWarmupBatches: 2,
    lr: { refLr: 0.02, refBatches: 2, rampupMimg: 8e-6 },
    seed: 3,
    data,
  };
  return { data, images, options };
}

const hex = (values: Float32Array) => Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString("hex");

const gradientsOf = async (distillation: Distillation) => {
  const all = new Map<string, Float32Array>();
  for (const net of DISTILLED)
    for (const [name, values] of await distillation.gradients(net)) all.set(`${net} ${name}`, values);
  return all;
};

describe("blocks computed twice, and dropout", () => {
  const { options } = waves();
  /** Gradients and quantities of one iteration, with the adversarial loss; rates are 0, so that all networks are those of the start. */
  const iteration = async (more: { dropout?: number; recompute?: boolean; batchGpu?: number }) => {
    const { dropout = 0, ...others } = more;
    const config = { ...options.config, dropout };
    const rates = { lr: { refLr: 0 }, ganWarmupBatches: 0 };
    const distillation = await openDistillation(gpu, { ...options, config, ...rates, ...others });
    const { recorded } = await distillation.step({ record: true });
    const { activations } = distillation;
    const gradients = await gradientsOf(distillation);
    distillation.close();
    return { recorded: recorded!, gradients, activations };
  };

  let halved: ReturnType<typeof iteration>;
  beforeAll(() => {
    halved = iteration({ dropout: 0.2 });
  });

  it("give the same bits with and without recomputation, in less memory", async () => {
    const [whole, twice] = [await halved, await iteration({ dropout: 0.2, recompute: true })];
    expect(twice.gradients).toEqual(whole.gradients);
    expect(twice.activations.bytes).toBeLessThan(0.7 * whole.activations.bytes);
    expect(twice.activations.needed).toBeLessThanOrEqual(twice.activations.bytes);
  });

  it("is of the network that is updated alone, hangs on the images' numbers, and belongs to the state", async () => {
    const [without, hardly] = [await iteration({}), await iteration({ dropout: 1e-12 })];
    // The discriminator's condition is computed for each image then.
    for (const [name, values] of hardly.gradients)
      expect(relativeError(values, without.gradients.get(name)!), name).toBeLessThan(1e-4);
    const [halves, whole] = [await halved, await iteration({ dropout: 0.2, batchGpu: 4 })];
    // Made by a generator that is not updated, in the other two networks' rounds.
    for (const evaluated of ["score.x", "disc.x"])
      expect(halves.recorded.get(evaluated), evaluated).toEqual(without.recorded.get(evaluated));
    for (const updated of ["score.s", "disc.real_logits", "disc.fake_logits", "gen.x"]) {
      const values = halves.recorded.get(updated)!;
      expect(relativeError(values, without.recorded.get(updated)!), updated).toBeGreaterThan(0.01);
      expect(values, updated).toEqual(whole.recorded.get(updated)!.slice(0, values.length));
    }
    const dir = mkdtempSync(join(tmpdir(), "ncvsd-distil-"));
    const config = { ...options.config, dropout: 0.2 };
    const distillation = await openDistillation(gpu, { ...options, config });
    await distillation.save(dir);
    distillation.close();
    await expect(openDistillation(gpu, { ...options, resume: dir })).rejects.toThrow("config.dropout 0.2, not 0");
    rmSync(dir, { recursive: true });
  });
});

describe("a distillation that was saved and opened again", () => {
  const { data, options } = waves();
  const everything = async (distillation: Distillation) => {
    const all: [string, string][] = [];
    for (const net of DISTILLED)
      for (const [name, values] of await distillation.parameters(net)) all.push([`${net} ${name}`, hex(values)]);
    for (const [name, values] of await distillation.ema(0.1)) all.push([`average ${name}`, hex(values)]);
    return new Map(all);
  };

  it("goes on to the bits of one that never stopped, on the same draws and images", async () => {
    const dir = mkdtempSync(join(tmpdir(), "ncvsd-distil-"));
    try {
      const whole = await openDistillation(gpu, options);
      // All rounds are ready, and that with the adversarial loss takes the place of the one without.
      const before = whole.activations;
      expect(before.bytes).toBeGreaterThan(0);
      const losses = [];
      for (let k = 0; k < 4; k++) {
        losses.push((await whole.step()).losses);
        if (k === 1) await whole.save(dir);
        if (k === 1) expect(whole.activations).toEqual(before);
      }
      // Were both kept, there would be a third more.
      expect(whole.activations.bytes).toBeLessThan(1.2 * before.bytes);
      expect(Object.keys(losses[0]!)).toEqual(["dsm_loss", "real_loss", "fake_loss", "vsd_loss"]);
      expect(Object.keys(losses[2]!)).toContain("gan_loss");
      const resumed = await openDistillation(gpu, { ...options, resume: dir });
      expect(resumed.images).toBe(8);
      // One that fails at the generator goes on there.
      const short = Array.from({ length: resumed.settings.rounds }, () => ({ images: new Float32Array(3) }));
      await expect(resumed.step({ generator: [{}, ...short.slice(1)] })).rejects.toThrow("a round's images");
      for (const k of [2, 3]) expect((await resumed.step()).losses).toEqual(losses[k]);
      expect(await everything(resumed)).toEqual(await everything(whole));
      const snapshot = await resumed.snapshot(0.1);
      const model = await loadModel(gpu, snapshot.bytes);
      expect([model.architecture, model.config.gamma]).toEqual(["ncvsd", 0.414]);
      await model.close();
      const changed = await openDistillation(gpu, { ...options, gLrScaling: 0.5, resume: dir });
      expect(changed.changes).toEqual(["gLrScaling 0.25 -> 0.5"]);
      for (const [other, says] of [
        [{ ...options, seed: 4 }, "seed"],
        [{ ...options, teacher: new Map([...options.teacher, ["unet.out_gain", Float32Array.of(2)]]) }, "teacher"],
        [{ ...options, data: { ...data, fingerprint: "others" } }, "data"],
      ] as const)
        await expect(openDistillation(gpu, { ...other, resume: dir })).rejects.toThrow(says);
      for (const each of [whole, resumed, changed]) each.close();
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });

  it("has the same bits whoever plays the workers: one process, or two that exchange their sums through files", async () => {
    const iterations = 3;
    const { data, images, options: two } = waves();
    const { teacher: _, data: __, ...others } = { ...two, batchGpu: 1, ganWarmupBatches: 1 };
    const plain = { ...others, teacher: fixturePath("training/edm2-micro.safetensors") };
    const played = playedByTwo({ opens: "openDistillation", options: plain, images, updates: 3 * iterations });
    const distillation = await openDistillation(gpu, { ...plain, data });
    for (let k = 0; k < iterations; k++) await distillation.step();
    const wanted = await everything(distillation);
    // The turns of the networks, said and not; what is left of an iteration is a step, too.
    await expect(distillation.accumulate({ net: "generator", worker: 0 })).rejects.toThrow("it is the turn of score");
    const sums = [];
    for (const worker of [0, 1, 2, 3]) sums.push(await distillation.accumulate({ net: "score", worker }));
    const [name] = [...sums[0]!.keys()].filter((key) => key.endsWith(".weight"));
    const lacking = new Map([...sums[1]!].filter(([key]) => key !== name));
    await expect(distillation.update([sums[0]!, lacking, sums[2]!, sums[3]!])).rejects.toThrow(
      `the sums of worker 1 are without ${name}`,
    );
    await distillation.update(sums, "score");
    await expect(distillation.update(sums, "score")).rejects.toThrow("it is the turn of discriminator, not of score");
    expect((await distillation.step()).images).toBe(4 * iterations + 4);
    distillation.close();
    for (const theirs of await played)
      expect(new Map([...theirs].map(([name, values]) => [name, hex(values)]))).toEqual(wanted);
  });
});

it("has the same bits where a device binds parts of the parameters", async () => {
  const { options } = waves();
  const after = async (device: Gpu) => {
    const distillation = await openDistillation(device, { ...options, ganWarmupBatches: 0, ctrlLrScaling: 0.5 });
    for (let k = 0; k < 2; k++) await distillation.step();
    const all = await gradientsOf(distillation);
    for (const net of DISTILLED)
      for (const [name, values] of await distillation.parameters(net)) all.set(`${net} stored ${name}`, values);
    for (const [name, values] of await distillation.ema(0.1)) all.set(`average ${name}`, values);
    distillation.close();
    const layout = new BankLayout(expectedTensors("ncvsd", distillation.config));
    return { all, parts: layout.parts(largestPart(device)).length };
  };
  const differing = (ours: ReadonlyMap<string, Float32Array>, theirs: ReadonlyMap<string, Float32Array>) =>
    [...theirs].flatMap(([name, values]) => (hex(values) === hex(ours.get(name)!) ? [] : [name]));
  const small = await openTestGpu();
  const { limits } = small.device;
  const own = { maxStorageBufferBindingSize: 48 * 1024 };
  Object.defineProperty(small.device, "limits", {
    value: new Proxy(limits, { get: (all, name) => Reflect.get(name in own ? own : all, name) }),
  });
  const [parts, whole] = [await after(small), await after(gpu)];
  expect([whole.parts, parts.parts > 3]).toEqual([1, true]);
  expect(differing(parts.all, whole.all)).toEqual([]);
  small.close();
});

it("says the losses of the rounds that it computed itself", async () => {
  const { options } = waves();
  const [whole, ...halves] = await Promise.all([1, 2, 3].map(() => openDistillation(gpu, options)));
  // A step that failed records nothing of what comes next.
  const failed = halves[0]!.step({ score: [{ images: new Float32Array(3) }, {}], record: true });
  await expect(failed).rejects.toThrow("a round's images");
  for (let k = 0; k < 3; k++) {
    const { losses } = await whole!.step();
    const found: Record<string, number>[] = [];
    for (const net of DISTILLED) {
      const sums: Map<string, Float32Array>[] = [];
      for (const [worker, half] of halves.entries()) sums.push(await half.accumulate({ net, worker }));
      for (const half of halves) {
        const result = await half.update(sums, net);
        expect(result ?? {}).not.toHaveProperty("recorded");
        if (result) found.push(result.losses);
      }
    }
    const mean = Object.keys(losses).map((name) => [name, (found[0]![name]! + found[1]![name]!) / 2]);
    expect(Object.fromEntries(mean)).toEqual(losses);
  }
  for (const each of [whole!, ...halves]) each.close();
});

it("refuses arguments that cannot be right in one sentence, before anything is made", async () => {
  const options = { teacher: fixturePath("training/edm2-micro.safetensors"), batch: 4, lr: { refLr: 0.01 } };
  for (const [wrong, says] of [
    [{ batchGpu: 3 }, "batch 4 must be a multiple of batchGpu"],
    [{ gamma: -0.1 }, "gamma must be a number of at least 0"],
    [{ ganLossScaling: Number.NaN }, "ganLossScaling must be a number of at least 0"],
    [{ config: { num_blocks: -1 } }, "num_blocks in its config is -1"],
    [{ config: { model_channels: 8 } }, "their arguments must agree"],
    [{ config: { dropout: 1 } }, "dropout must be a number from 0 to less than 1"],
    [{ teacher: fixturePath("ncvsd-tiny.safetensors") }, "is a network of NCVSD, but one of EDM2 is needed"],
    [{ gLrScalin: 1 }, "did you mean gLrScaling?"],
  ] as const)
    await expect(openDistillation(gpu, { ...options, ...(wrong as object) }), says).rejects.toThrow(says);
  const distillation = await openDistillation(gpu, options);
  await expect(distillation.step()).rejects.toThrow("opened without data");
  await expect(distillation.parameters("teacher" as never)).rejects.toThrow("there is no network teacher");
  await expect(distillation.ema(0.2)).rejects.toThrow("there is no average of std 0.2");
  distillation.close();
  await expect(distillation.parameters()).rejects.toThrow("The distillation is closed");
});
