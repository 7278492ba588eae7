import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { dropout } from "../../kernels/network/dropout/kernel.js";
import type { DropoutParams } from "../../kernels/network/dropout/reference.js";
import type { Gpu } from "../../src/gpu/device.js";
import { Graph } from "../../src/graph/graph.js";
import { relativeError } from "../../src/graph/run-kernel.js";
import { DRAWS, imageKey } from "../../src/train/draws.js";
import { openTraining, type TrainingOptions } from "../../src/train/training.js";
import { evaluate } from "../support/evaluate.js";
import { openTestGpu } from "../support/gpu.js";
import { RawTensors } from "../support/raw-tensors.js";

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => gpu.close());

/** 1 where a value stays. */
async function mask(params: Omit<DropoutParams, "batch">, keys: readonly number[]): Promise<Float32Array> {
  const batch = keys.length;
  const graph = new Graph();
  const x = graph.external("x", [batch, params.elements], "act");
  const its = graph.external("keys", [batch], "u32");
  const { y } = graph.run("dropout", dropout, { ...params, batch }, { x, keys: its }, { y: x.shape });
  const given = new Map<string, ArrayLike<number>>([
    ["x", new Float32Array(x.length).fill(1)],
    ["keys", keys],
  ]);
  const [values] = await evaluate(gpu, graph, given, [y]);
  return Float32Array.from(values!, (v) => (v === 0 ? 0 : 1));
}

describe("masks", () => {
  const elements = 100_003;
  const key = imageKey(7, 11);
  const base = { elements, draw: DRAWS.dropout, layer: 2 };
  const sum = (values: ArrayLike<number>) => Array.from(values).reduce((a, b) => a + b, 0);

  for (const probability of [0.02, 0.1, 0.5, 0.9])
    it(`drop a share of ${probability}`, async () => {
      const kept = sum(await mask({ ...base, probability }, [key]));
      const spread = Math.sqrt(elements * probability * (1 - probability));
      expect(Math.abs(kept - elements * (1 - probability))).toBeLessThan(4 * spread);
    });

  it("of layers, images and draws have nothing to do with each other", async () => {
    const p = { ...base, probability: 0.5 };
    const first = await mask(p, [key]);
    const others = {
      layer: await mask({ ...p, layer: 3 }, [key]),
      image: await mask(p, [imageKey(7, 12)]),
      seed: await mask(p, [imageKey(8, 11)]),
      draw: await mask({ ...p, draw: 4 }, [key]),
      neighbour: Float32Array.from(first, (_, i) => first[(i + 1) % elements]!),
      four: Float32Array.from(first, (_, i) => first[(i + 4) % elements]!),
    };
    for (const [name, other] of Object.entries(others)) {
      const agreeing = sum(first.map((v, i) => (v === other[i] ? 1 : 0)));
      expect(Math.abs(agreeing - elements / 2), name).toBeLessThan(2 * Math.sqrt(elements));
    }
  });

  it("of an image are the same in any batch", async () => {
    const p = { ...base, elements: 1031, probability: 0.3 };
    const keys = [5, 6, 7].map((image) => imageKey(1, image));
    const together = await mask(p, keys);
    for (const [n, own] of keys.entries())
      expect(await mask(p, [own])).toEqual(together.slice(n * p.elements, (n + 1) * p.elements));
  });
});

describe("training with dropout", () => {
  const weights = new RawTensors("training/edm2-micro.safetensors");
  const config = JSON.parse(weights.metadata.config!);
  const network = new Map(weights.names.map((name) => [name, weights.f32(name)]));
  const side = config.img_resolution as number;
  const size = config.img_channels * side * side;
  const images = Float32Array.from({ length: 4 * size }, (_, i) => Math.sin(i * i));
  const labels = [0, 1, 2, 3];
  const optionsOf = (dropout: number): TrainingOptions => ({
    ...{ network, config: { ...config, dropout }, batch: 4, lr: { refLr: 0.01 }, seed: 3 },
  });
  const open = (dropout: number, options: Partial<TrainingOptions> = {}) =>
    openTraining(gpu, { ...optionsOf(dropout), ...options });

  /** What some updates compute: D of the first round of each, and the parameters at the end. */
  async function updates(dropout: number, batchGpu: number, count: number) {
    const training = await open(dropout, { batchGpu, workers: 1 });
    const D: Float32Array[] = [];
    for (let k = 0; k < count; k++) {
      const rounds = Array.from({ length: 4 / batchGpu }, (_, r) => ({
        images: images.slice(r * batchGpu * size, (r + 1) * batchGpu * size),
        labels: labels.slice(r * batchGpu, (r + 1) * batchGpu),
      }));
      const { recorded } = await training.step({ rounds, record: true });
      D.push(recorded!.get("D")!);
    }
    const gradients = await training.gradients();
    training.close();
    return { D, gradients };
  }

  it("hangs on the seed and the images' numbers: not on the round, to the bit", async () => {
    const whole = await updates(0.2, 4, 1);
    const halves = await updates(0.2, 2, 1);
    expect(halves.D[0]).toEqual(whole.D[0]!.slice(0, 2 * size));
    const without = await updates(0, 4, 1);
    expect(whole.D[0]).not.toEqual(without.D[0]);
    // The same nodes as with dropout, and nothing dropped.
    expect(await updates(1e-12, 4, 1)).toEqual(without);
  });

  it("is drawn anew in every update", async () => {
    // With a learning rate of 0 and the same noise, two updates differ in their masks alone.
    const training = await open(0.2, { lr: { refLr: 0 } });
    const round = { rndNormal: [0, 0, 0, 0], noise: new Float32Array(4 * size), images, labels };
    await training.step({ rounds: [round] });
    const [first, second] = [
      await training.step({ rounds: [round], record: true }),
      await training.step({ rounds: [round], record: true }),
    ];
    training.close();
    expect(relativeError(first.recorded!.get("D")!, second.recorded!.get("D")!)).toBeGreaterThan(0.01);
  });

  it("goes on in a resumed run, whose state knows the probability", async () => {
    const dir = join(mkdtempSync(join(tmpdir(), "ncvsd-dropout-")), "state");
    const training = await open(0.2);
    const rounds = [{ images, labels }];
    await training.step({ rounds });
    await training.save(dir);
    await training.step({ rounds });
    const { network: _network, config: _config, ...others } = optionsOf(0.2);
    const resumed = await openTraining(gpu, { ...others, resume: dir });
    await resumed.step({ rounds });
    expect(await resumed.parameters()).toEqual(await training.parameters());
    training.close();
    resumed.close();
    await expect(openTraining(gpu, { ...optionsOf(0.1), resume: dir })).rejects.toThrow("dropout");
    rmSync(dirname(dir), { recursive: true });
  });

  it("refuses what is no probability", async () => {
    for (const dropout of [1, -0.1, Number.NaN])
      await expect(open(dropout)).rejects.toThrow("dropout must be a number");
  });
});
