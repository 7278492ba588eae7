import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Gpu, openGpu } from "../../src/gpu/device.js";
import { openDenoiserVjp } from "../../src/networks/edm2/derivative.js";
import { loadModel, type Model } from "../../src/networks/edm2/model.js";
import { operators } from "../../src/operators/operators.js";
import { datasetPrior } from "../../src/priors/dataset-prior.js";
import { exactModel } from "../../src/priors/exact-model.js";
import { sampleMultiStep } from "../../src/sample/multi-step.js";
import { openDisco } from "../../src/train/disco.js";
import { openDistillation } from "../../src/train/distillation.js";
import { openTraining } from "../../src/train/training.js";
import { fixturePath } from "../support/fixtures.js";
import { openTestGpu } from "../support/gpu.js";

const tiny = fixturePath("ncvsd-tiny.safetensors");

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Which of them are still there after collections in several turns of the event loop. */
async function alive(refs: readonly WeakRef<object>[]): Promise<number> {
  for (let i = 0; i < 10; i++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    collect();
  }
  return refs.filter((ref) => ref.deref() !== undefined).length;
}

it("a device and a model can be disposed, and the device says that it is gone", async () => {
  let lost: Promise<Error>;
  let closed: Model;
  {
    using gpu = await openGpu();
    lost = gpu.lost;
    await using model = await loadModel(gpu);
    expect(model.shape).toEqual([1, 32, 32]);
    closed = model;
  }
  expect(await lost).toMatchObject({ code: "DEVICE_LOST" });
  await expect(closed.generate({ y: new Float32Array(1024), sigma: 1 })).rejects.toThrow(/closed/);
});

it("a model whose loading is stopped half-way leaves nothing on the device", async () => {
  const gpu = await openTestGpu();
  const stop = new AbortController();
  const onProgress = (done: number, total: number) => done > total / 2 && stop.abort(new Error("enough"));
  await expect(loadModel(gpu, tiny, { signal: stop.signal, onProgress })).rejects.toThrow("enough");
  expect(gpu.allocatedBytes).toBeLessThan(1000);
  gpu.close();
});

describe("what is closed can be collected", () => {
  it("a device that was opened, used and closed", async () => {
    const refs: WeakRef<object>[] = [];
    const once = async () => {
      const gpu = await openGpu();
      const model = await loadModel(gpu, tiny);
      await sampleMultiStep(model, { seeds: [0], ts: [22] });
      refs.push(new WeakRef(gpu), new WeakRef(gpu.device), new WeakRef(model));
      gpu.close();
    };
    for (let i = 0; i < 3; i++) await once();
    expect(await alive(refs)).toBe(0);
  });

  it("a model that was loaded, used and closed on a device that stays, and what was waited for", async () => {
    const gpu = await openTestGpu();
    const refs: WeakRef<object>[] = [];
    const once = async () => {
      const model = await loadModel(gpu, tiny);
      const { images } = await sampleMultiStep(model, { seeds: [0], ts: [22] });
      refs.push(new WeakRef(model), new WeakRef(model.checkpoint), new WeakRef(images));
      refs.push(new WeakRef(await gpu.wait(Promise.resolve({ large: new Float32Array(1000) }))));
      await model.close();
    };
    for (let i = 0; i < 3; i++) await once();
    expect(await alive(refs)).toBe(0);
    gpu.close();
  });
});

describe("programs for reuse", () => {
  let gpu: Gpu;
  let model: Model;
  beforeAll(async () => {
    gpu = await openTestGpu();
    model = await loadModel(gpu, tiny);
  });
  afterAll(() => gpu.close());
  const evaluate = (of: Model, batch: number) =>
    of.generate({
      y: new Float32Array(batch * 3 * 16 * 16),
      sigma: 1,
      seeds: Array.from({ length: batch }, (_, i) => i),
    });

  it("are kept for a few batches: the second turn of the same ones prepares no network", async () => {
    const batches = [1, 2, 3, 4, 5, 6];
    for (const batch of batches) await evaluate(model, batch);
    const held = gpu.allocatedBytes;
    const before = gpu.allocations;
    for (const batch of batches) await evaluate(model, batch);
    // Seeds and the number of the draw, for each call.
    expect(gpu.allocations - before).toBeLessThanOrEqual(4 * batches.length);
    expect(gpu.allocatedBytes).toBe(held);
  });

  it("are given back when memory runs short, by other models and operators on the device too", async () => {
    const whole = await openTestGpu();
    await loadModel(whole, tiny);
    const weights = 2 * whole.allocatedBytes;
    whole.close();
    const limit = weights + 4 * 2 ** 20;
    const small = await openTestGpu({ memoryLimit: limit });
    const first = await loadModel(small, tiny);
    const second = await loadModel(small, tiny);
    await evaluate(first, first.largestBatch());
    const held = small.allocatedBytes;
    expect(held).toBeGreaterThan(weights + 2 * 2 ** 20);
    // Not both of these at once.
    const batch = first.largestBatch() + 4;
    await evaluate(second, batch);
    expect(small.allocatedBytes).toBeLessThanOrEqual(limit);
    const operator = operators.gaussianBlur(small, { shape: [3, 16, 16], kernelSize: 5, std: 1 });
    await operator.forward(new Float32Array(3 * 256 * 200));
    small.reclaim();
    expect(small.allocatedBytes).toBeLessThan(held - 2 ** 20);
    small.close();
  });
});

describe("what is closed says so", () => {
  it("model, operator, device", async () => {
    const gpu = await openTestGpu();
    const model = await loadModel(gpu, tiny);
    const operator = operators.inpainting(gpu, { shape: [1, 4, 4], fraction: 0.5 });
    const x = new Float32Array(16);
    await operator.forward(x);
    operator.close();
    await expect(operator.forward(x)).rejects.toThrow(/^inpainting is closed: make the operator again\.$/);
    await expect(operator.open(1)).rejects.toThrow(/^inpainting is closed/);
    await model.close();
    await expect(sampleMultiStep(model, { seeds: [0] })).rejects.toThrow(/ncvsd-tiny.* is closed: load it again/);
    const other = await loadModel(gpu, tiny);
    gpu.close();
    const closed = { code: "DEVICE_LOST", message: expect.stringContaining("is closed") };
    await expect(sampleMultiStep(other, { seeds: [0] })).rejects.toMatchObject(closed);
    await expect(loadModel(gpu, tiny)).rejects.toMatchObject(closed);
    await expect(operators.inpainting(gpu, { shape: [1, 4, 4], fraction: 0.5 }).forward(x)).rejects.toMatchObject(
      closed,
    );
    await other.close();
  });
});

describe("what is closed under a run", () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await openTestGpu();
  });
  afterAll(() => gpu.close());
  const y = new Float32Array(3 * 16 * 16);

  it("ends it as if it were open, leaves nothing, and harms no other model of the device", async () => {
    const other = await loadModel(gpu, tiny);
    const input = { y, sigma: 1, seeds: [0] };
    const right = [await other.generate(input), (await sampleMultiStep(other, { seeds: [0], ts: [10, 22] })).images];
    const before = gpu.allocatedBytes;
    const model = await loadModel(gpu, tiny);
    const steps: number[] = [];
    const onStep = ({ step }: { step: number }) => {
      steps.push(step);
      if (step === 1) void model.close();
    };
    const run = await sampleMultiStep(model, { seeds: [0], ts: [10, 22], onStep });
    expect(run.images).toEqual(right[1]);
    expect(steps).toEqual([1, 2]);
    expect(gpu.allocatedBytes).toBe(before);
    const again = await loadModel(gpu, tiny);
    const evaluation = again.generate(input).then(
      (images) => expect(images).toEqual(right[0]),
      (error) => expect(error).toMatchObject({ code: "BAD_ARGUMENT", message: expect.stringContaining("is closed") }),
    );
    await again.close();
    await evaluation;
    expect(gpu.allocatedBytes).toBe(before);
    expect(await other.generate(input)).toEqual(right[0]);
    await other.close();
  });

  it("an operator, too", async () => {
    const operator = operators.gaussianBlur(gpu, { shape: [3, 16, 16], kernelSize: 5, std: 1 });
    const right = await operator.forward(y);
    const run = operator.forward(y);
    operator.close();
    expect(await run).toEqual(right);
    gpu.check();
  });

  it("a prior, too", async () => {
    const images = Float32Array.from({ length: 4 * 16 }, (_, i) => Math.sin(i));
    const set = await datasetPrior(gpu, { images, shape: [1, 4, 4] });
    const model = await exactModel(gpu, set);
    const input = { x: images.slice(0, 16), sigma: 1 };
    const right = await set.denoise(input);
    const before = gpu.allocatedBytes;
    const runs = [set.denoise(input), model.denoise(input)];
    set.close();
    set.close();
    for (const run of runs) expect(await run).toEqual(right);
    await expect(model.denoise(input)).rejects.toThrow("The prior is closed");
    gpu.check();
    expect(gpu.allocatedBytes).toBe(before - 4 * 4 * 16);
  });

  it("trainings of all kinds, too", async () => {
    const dir = mkdtempSync(join(tmpdir(), "ncvsd-closed-"));
    const image = { images: Float32Array.from({ length: 192 }, (_, i) => Math.sin(i)), labels: [0] };
    const options = { batch: 1, lr: { refLr: 0.01 }, data: { batch: async () => image } };
    const network = fixturePath("training/edm2-micro.safetensors");
    const points = Float32Array.from({ length: 64 }, (_, i) => Math.cos(i));
    for (const open of [
      () => openTraining(gpu, { ...options, network }),
      () => openDistillation(gpu, { ...options, teacher: network }),
      () => openDisco(gpu, { data: points, dims: 2, width: 32, batch: 4 }),
    ]) {
      const left: number[] = [];
      for (let turn = 0; turn < 2; turn++) {
        const training = await open();
        const step = training.step();
        training.close();
        training.close();
        await step;
        await expect(training.step()).rejects.toThrow(/The (training|distillation) is closed: open it again/);
        gpu.check();
        gpu.reclaim();
        left.push(gpu.allocatedBytes);
      }
      // The first turn leaves what the device keeps for all programs.
      expect(left[1]).toBe(left[0]);
    }
    const training = await openTraining(gpu, { ...options, network });
    const calls = Promise.all([training.parameters(), training.save(dir), training.snapshot(0.05)]);
    training.close();
    const [all] = await calls;
    const saved = await openTraining(gpu, { ...options, resume: dir });
    expect(await saved.parameters()).toEqual(all);
    saved.close();
    rmSync(dir, { recursive: true });
  });

  it("says so where its file is closed under what is being read", async () => {
    const teacher = await loadModel(gpu, fixturePath("edm2-tiny.safetensors"));
    const closed = { code: "BAD_ARGUMENT", message: expect.stringContaining("is closed: open it again") };
    const refused = expect(openDenoiserVjp(teacher, 1, undefined)).rejects.toMatchObject(closed);
    await teacher.close();
    await refused;
  });
});
