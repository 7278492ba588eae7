import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Gpu } from "../../src/gpu/device.js";
import { loadModel } from "../../src/networks/edm2/model.js";
import { parseSnapshotName } from "../../src/train/snapshot-name.js";
import { openTraining, type Training, type TrainingOptions } from "../../src/train/training.js";
import { fixturePath } from "../support/fixtures.js";
import { openTestGpu } from "../support/gpu.js";
import { RawTensors } from "../support/raw-tensors.js";
import { playedByTwo } from "../support/two-processes.js";

const root = mkdtempSync(join(tmpdir(), "ncvsd-resume-"));
let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => {
  gpu.close();
  rmSync(root, { recursive: true, force: true });
});

const path = fixturePath("training/edm2-micro.safetensors");
const config = JSON.parse(new RawTensors("training/edm2-micro.safetensors").metadata.config!);
const images = Array.from({ length: 7 }, (_, k) =>
  Array.from({ length: 3 * 8 * 8 }, (_, i) => Math.sin((k + 1) * (0.3 + 0.07 * i))),
);
const data = {
  fingerprint: "seven waves",
  batch: async (positions: readonly number[]) => ({
    images: Float32Array.from(positions.flatMap((p) => images[p % images.length]!)),
    labels: positions.map((p) => p % 5),
  }),
};
/** Eight images in four rounds, which three workers share; an average that is far from the parameters. */
const options: TrainingOptions = {
  network: path,
  batch: 8,
  batchGpu: 2,
  workers: 3,
  pMean: -0.8,
  lr: { refLr: 0.02, refBatches: 2, rampupMimg: 8e-6 },
  emaStds: [0.1, 0.25],
  seed: 5,
  data,
};

async function everything(training: Training): Promise<Map<string, Float32Array>> {
  const all = new Map<string, Float32Array>();
  for (const [name, values] of await training.parameters()) all.set(`parameter ${name}`, values);
  for (const [name, values] of await training.gradients()) all.set(`gradient ${name}`, values);
  for (const std of options.emaStds!)
    for (const [name, values] of await training.ema(std)) all.set(`average ${std} ${name}`, values);
  return all;
}

/** Values that differ in their bits. */
function differing(a: ReadonlyMap<string, Float32Array>, b: ReadonlyMap<string, Float32Array>): number {
  expect([...a.keys()]).toEqual([...b.keys()]);
  let count = 0;
  for (const [name, values] of a) {
    const [x, y] = [values, b.get(name)!].map((v) => new Uint32Array(v.buffer, v.byteOffset, v.length));
    expect(x!.length).toBe(y!.length);
    for (let i = 0; i < x!.length; i++) if (x![i] !== y![i]) count++;
  }
  return count;
}

/** SHA-256 of weights, moments and averages as they were saved. */
const sums = (dir: string) => JSON.parse(readFileSync(join(dir, "state.json"), "utf8")).files;

describe("a training that was saved and opened again", () => {
  it("goes on to the bits of one that never stopped, and refuses what would not", async () => {
    const dir = join(root, "state");
    const losses: number[][] = [];
    const whole = await openTraining(gpu, options);
    // One update has images that are no numbers: its gradients count as 0.
    const broken = { images: new Float32Array(2 * 3 * 8 * 8).fill(Number.NaN), labels: [0, 1] };
    const inputs = [{}, { rounds: [{}, broken, {}, {}] }, {}];
    for (let k = 0; k < 6; k++) losses.push((await whole.step(inputs[k])).losses);
    expect(losses[1]![1]).toBeNaN();
    const zeroed = await whole.zeroedGradients();
    expect(zeroed).toBeGreaterThan(1000);
    const wanted = await everything(whole);
    await whole.save(join(root, "whole"));
    whole.close();

    const short = { images: new Float32Array(3) };
    let unreadable = false;
    const batch: typeof data.batch = (positions) =>
      unreadable ? Promise.reject(new Error("unreadable")) : data.batch(positions);
    const first = await openTraining(gpu, { ...options, data: { ...data, batch } });
    for (const input of inputs) {
      // Steps that fail leave no trace.
      const before = await first.parameters();
      await expect(first.step({ rounds: [{}, short, {}, {}] })).rejects.toThrow("a round's images [2,3,8,8] must be");
      unreadable = true;
      await expect(first.step()).rejects.toThrow("unreadable");
      await expect(first.accumulate({ worker: 0 })).rejects.toThrow("unreadable");
      unreadable = false;
      expect(differing(await first.parameters(), before)).toBe(0);
      // Nor do workers' parts that nobody takes.
      if (input === inputs[2]) for (const worker of [0, 1]) await first.accumulate({ worker });
      await first.step(input);
    }
    await expect(first.accumulate({ worker: 0, rounds: [short, short] })).rejects.toThrow("a round's images");
    await first.save(dir);
    // What comes after the save does not matter.
    await first.step();
    await first.accumulate({ worker: 0 });
    await expect(first.save(dir)).rejects.toThrow("an update has begun");
    first.close();

    for (const [change, message] of [
      [{ batch: 16 }, "trained with batch 8, not 16"],
      [{ batchGpu: 4, workers: 2 }, "trained with batchGpu 2, not 4"],
      [{ workers: 4 }, "trained with workers 3, not 4"],
      [{ pMean: -0.4 }, "trained with pMean -0.8, not -0.4"],
      [{ lr: { refLr: 0.02, refBatches: 2 } }, "trained with lr.rampupMimg 0.000008, not 10"],
      [{ emaStds: [0.1] }, "trained with emaStds [0.1,0.25], not [0.1]"],
      [{ seed: 6 }, "trained with seed 5, not 6"],
      [{ config: { ...config, clip_act: 128 } }, "trained with config.clip_act 256, not 128"],
      [{ config: { ...config, dropout: 0.1 } }, "trained with dropout 0, not 0.1"],
      [{ data: { ...data, fingerprint: "eight waves" } }, "the data set is another than it was trained on"],
    ] as const)
      await expect(openTraining(gpu, { ...options, ...change, resume: dir })).rejects.toThrow(message);

    // The network's arguments are in the state.
    const { network, ...others } = options;
    const second = await openTraining(gpu, { ...others, resume: dir });
    expect(second.images).toBe(24);
    for (let k = 3; k < 6; k++) {
      const step = await second.step();
      expect(step.losses).toEqual(losses[k]);
      expect(step.images).toBe(8 * (k + 1));
    }
    expect(await second.zeroedGradients()).toBe(zeroed);
    const resumed = await everything(second);
    expect(differing(resumed, wanted)).toBe(0);
    await second.save(dir);
    expect(sums(dir)).toEqual(sums(join(root, "whole")));
    // The comparison sees a difference.
    await second.step();
    expect(differing(await everything(second), wanted)).toBeGreaterThan(1000);
    second.close();
  });
});

describe("snapshots", () => {
  it("are networks that loadModel opens, in 16 bits", async () => {
    const training = await openTraining(gpu, options);
    await training.step();
    const labels = ["a", "b", "c", "d", "e"];
    const { name, bytes } = await training.snapshot(0.25, { labels });
    expect(name).toBe("network-snapshot-0000000-0.250.safetensors");
    expect(parseSnapshotName("network-snapshot-0000000-0.250")).toEqual({
      kind: "network-snapshot",
      time: 0,
      std: 0.25,
    });
    const average = await training.ema(0.25);
    training.close();
    const model = await loadModel(gpu, bytes);
    try {
      expect(model.labels).toEqual(labels);
      expect(model.config).toEqual(training.config);
      for (const [tensor, values] of average) {
        expect(model.checkpoint.tensors.get(tensor)!.dtype).toBe("F16");
        const stored = await model.checkpoint.readF32(tensor);
        const worst = stored.reduce((most, v, i) => Math.max(most, Math.abs(v - values[i]!) / Math.abs(values[i]!)), 0);
        expect(worst || 0, tensor).toBeLessThan(2 ** -10);
      }
    } finally {
      model.close();
    }
  });
});

describe("four virtual workers", () => {
  it("in one process and in two that exchange their sums through files: no value differs", async () => {
    const updates = 20;
    const { data: _, ...plain } = { ...options, batchGpu: 1, workers: 4, seed: 9 };
    const played = playedByTwo({ opens: "openTraining", options: plain, images, updates });
    const training = await openTraining(gpu, { ...plain, data });
    for (let k = 0; k < updates; k++) await training.step();
    const wanted = new Map<string, Float32Array>();
    for (const [name, values] of await training.parameters()) wanted.set(`undefined ${name}`, values);
    for (const [name, values] of await training.ema(0.1)) wanted.set(`average ${name}`, values);
    training.close();
    for (const theirs of await played) expect(differing(theirs, wanted)).toBe(0);
  });
});

describe("a step that fails", () => {
  it("can be made again: nothing of it is in the gradients or the losses", async () => {
    const training = await openTraining(gpu, options);
    const start = await training.parameters();
    const round = (k: number) => ({
      images: Float32Array.from([...images[k]!, ...images[k + 1]!]),
      labels: [k, 4 - k],
      rndNormal: [0.3 * k, -0.2],
      noise: Float32Array.from({ length: 2 * 192 }, (_, i) => Math.sin(i * (k + 2))),
    });
    const rounds = [0, 1, 2, 3].map(round);
    const { losses } = await training.step({ rounds });
    const wanted = await training.gradients();
    await training.setParameters(start);
    for (let failures = 0; failures < 3; failures++) {
      const short = { ...rounds[3]!, images: new Float32Array(5) };
      await expect(training.step({ rounds: [...rounds.slice(0, 3), short] })).rejects.toThrow("must be a Float32Array");
    }
    const again = await training.step({ rounds });
    expect(again.losses).toEqual(losses);
    expect(differing(await training.gradients(), wanted)).toBe(0);
    training.close();
  });
});
