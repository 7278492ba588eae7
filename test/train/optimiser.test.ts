import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Gpu } from "../../src/gpu/device.js";
import { relativeError } from "../../src/graph/run-kernel.js";
import { Bank, BankLayout, type BankPart } from "../../src/train/bank.js";
import { RowTable } from "../../src/train/bank-rows.js";
import { Optimiser } from "../../src/train/optimiser.js";
import { learningRate } from "../../src/train/schedule.js";
import { WorkerSum } from "../../src/train/sums.js";
import { openTestGpu } from "../support/gpu.js";
import { RawTensors } from "../support/raw-tensors.js";

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => gpu.close());

describe("five recorded steps of a teacher", () => {
  const weights = new RawTensors("training/edm2-micro.safetensors");
  const file = new RawTensors("training/edm2-micro.steps.safetensors");
  const config = JSON.parse(file.metadata.config!);
  const recordedError: Record<string, number> = JSON.parse(file.metadata.fp32_vs_fp64_rel_err_by_tensor!);
  const { batch, stds } = config as { batch: number; stds: number[] };
  const layout = new BankLayout(weights.shapes);
  const trained = layout.entries.filter((entry) => entry.kind !== "buffer");
  const rate = { refLr: config.lr.ref_lr, refBatches: config.lr.ref_batches, rampupMimg: config.lr.rampup_Mimg };
  const stepOf = (k: number) => ({ lr: learningRate(rate, k * batch, batch), images: k * batch, batch });
  const recorded = (prefix: string) =>
    new Map(trained.map(({ name }) => [name, file.f32(`${prefix}.${name}.f64`)] as const));
  const start = new Map(weights.names.map((name) => [name, weights.f32(name)]));
  let optimiser: Optimiser;
  beforeAll(async () => {
    optimiser = await Optimiser.create(gpu, layout, { label: "teacher", stds });
  });
  afterAll(() => optimiser.destroy());

  /** Every tensor against the recording, by the recording's own rule of tolerances. */
  async function compare(bank: Bank, prefix: string): Promise<void> {
    const ours = await bank.download();
    for (const { name, length } of trained) {
      const key = `${prefix}.${name}`;
      const allowed = Math.max(length > 1 ? 2e-6 : 1e-4, 10 * (recordedError[key] ?? recordedError[`${key}.f64`] ?? 0));
      expect(relativeError(ours.get(name)!, file.values(`${key}.f64`)), key).toBeLessThanOrEqual(allowed);
    }
  }

  it("the layout has the 88 parameters and the 4 buffers, each at a multiple of 256 bytes", () => {
    expect([trained.length, layout.entries.length]).toEqual([88, 92]);
    expect(layout.entries.filter((entry) => entry.kind === "gain").length).toBe(16);
    expect(layout.entries.every(({ offset }) => offset % 64 === 0)).toBe(true);
    const { kind, rows, rowLength } = layout.entry("unet.enc.8x8_conv.weight");
    expect([kind, rows, rowLength]).toEqual(["weight", 4, 36]);
    const weightRows = trained.reduce((sum, { shape }) => sum + (shape.length > 0 ? shape[0]! : 0), 0);
    const { ranges } = new RowTable(layout, layout.parts(Infinity));
    expect(ranges.reduce((sum, { weights, range }) => sum + (weights ? range.count : 0), 0)).toBe(weightRows);
  });

  it("step 0: normalised twice, rate 0, moments of the first gradient", async () => {
    optimiser.parameters.upload(start);
    const round = new Bank(gpu, "round", layout);
    round.upload(recorded("step0.grad"));
    await optimiser.normalise();
    await optimiser.normalise();
    await optimiser.addGradients(round);
    expect(stepOf(0).lr).toBe(0);
    await optimiser.update(stepOf(0));
    await compare(optimiser.parameters, "step0.param");
    const [m, v] = [await optimiser.m.download(), await optimiser.v.download()];
    for (const { name } of trained) {
      const g = file.values(`step0.grad.${name}.f64`);
      const [first, second] = [g.map((x) => 0.1 * x), g.map((x) => 0.01 * x * x)];
      expect(relativeError(m.get(name)!, first), name).toBeLessThan(2e-7);
      expect(relativeError(v.get(name)!, second), name).toBeLessThan(2e-7);
    }
    // The first average is the parameters to the bit, buffers included.
    for (const { bank } of optimiser.averages) {
      expect(await bank.download()).toEqual(await optimiser.parameters.download());
    }
    expect((await optimiser.parameters.download()).get("logvar_fourier.freqs")).toEqual(
      start.get("logvar_fourier.freqs"),
    );
    round.destroy();
  });

  it("averages of the recorded parameters", async () => {
    for (let k = 0; k < 5; k++) {
      // A rate of 0 leaves the parameters as they are.
      optimiser.parameters.upload(recorded(`step${k}.param`));
      await optimiser.update({ ...stepOf(k), lr: 0 });
      if (k !== 2 && k !== 4) continue;
      for (const { std, bank } of optimiser.averages) await compare(bank, `step${k}.ema-${std.toFixed(3)}`);
    }
  });

  it("step 4: the recorded moments move the parameters as recorded, and the update itself agrees", async () => {
    // Gradients of step 4 are not recorded: any gradient does, with moments before it that lead to the recorded ones.
    const gradients = new Map([...recorded("step3.grad")].map(([name, g]) => [name, g.map((x) => 0.5 * x)]));
    const momentsBefore = (which: string, keep: number, add: (g: number) => number) =>
      new Map(
        [...recorded(`step4.adam_${which}`)].map(([name, values]) => [
          name,
          values.map((x, i) => (x - add(gradients.get(name)![i]!)) / keep),
        ]),
      );
    optimiser.m.upload(momentsBefore("m", 0.9, (g) => 0.1 * g));
    optimiser.v.upload(momentsBefore("v", 0.99, (g) => 0.01 * g * g));
    optimiser.gradients.upload(gradients);
    optimiser.parameters.upload(recorded("step3.param"));
    for (const { std, bank } of optimiser.averages) bank.upload(recorded(`step2.ema-${std.toFixed(3)}`));
    optimiser.updates = 3;
    // Step 3's average, its parameters and moments left alone.
    const kept = { m: await optimiser.m.download(), v: await optimiser.v.download() };
    await optimiser.update({ ...stepOf(3), lr: 0 });
    optimiser.m.upload(kept.m);
    optimiser.v.upload(kept.v);
    await optimiser.normalise();
    await optimiser.normalise();
    const from = await optimiser.stored();
    await optimiser.update(stepOf(4));
    expect(optimiser.updates).toBe(5);
    await compare(optimiser.m, "step4.adam_m");
    await compare(optimiser.v, "step4.adam_v");
    await compare(optimiser.parameters, "step4.param");
    for (const { std, bank } of optimiser.averages) await compare(bank, `step4.ema-${std.toFixed(3)}`);
    const after = await optimiser.parameters.download();
    for (const { name, length } of trained) {
      const old = from.get(name)!;
      const move = after.get(name)!.map((x, i) => x - old[i]!);
      const theirs = file.values(`step4.param.${name}.f64`).map((x, i) => x - old[i]!);
      expect(relativeError(move, theirs), name).toBeLessThan(length > 1 ? 1e-4 : 1e-3);
    }
    expect(await optimiser.zeroedGradients()).toBe(0);
  });

  it("parts cover the bank once, with whole rows, at places that can be bound", () => {
    const places = (parts: BankPart[]) => {
      const { table, ranges } = new RowTable(layout, parts);
      const found: [first: number, length: number, place: number][] = [];
      for (const { part, weights, range } of ranges)
        for (let row = range.first; row < range.first + range.count; row++) {
          const [first, length, place, weight] = table.slice(4 * row, 4 * row + 4) as unknown as number[];
          expect(weight).toBe(Number(weights));
          expect(first! + length!).toBeLessThanOrEqual(part.elements);
          if (range.lanes === 4) expect([first! % 4, length! % 4]).toEqual([0, 0]);
          if (weights) found.push([first! + part.first, length!, place!]);
        }
      return found.sort((a, b) => a[0] - b[0]);
    };
    const whole = places(layout.parts(Infinity));
    for (const largest of [2240, 2624, 10_000, layout.elements]) {
      const parts = layout.parts(largest);
      expect(parts.length).toBeGreaterThanOrEqual(layout.elements / largest);
      expect(parts.length).toBeLessThan(3 * (layout.elements / largest));
      let at = 0;
      for (const part of parts) {
        expect([part.first, part.first % 64, part.elements % 64]).toEqual([at, 0, 0]);
        expect(part.elements).toBeLessThanOrEqual(largest);
        at += part.elements;
      }
      expect(at).toBe(layout.elements);
      // The smallest cut a tensor, too.
      const inside = parts.some(({ first }) => layout.entries.every(({ offset }) => offset !== first));
      expect(inside).toBe(largest === 2240);
      expect(places(parts)).toEqual(whole);
    }
    expect(() => layout.parts(512)).toThrow(/rows of unet\..* do not fit parts of 512/);
  });

  it("updates in parts give the bits of updates as a whole", async () => {
    const states: Map<string, Float32Array>[][] = [];
    for (const largest of [layout.elements, 2240]) {
      const one = await Optimiser.create(gpu, layout, { label: "parts", stds, largest });
      const round = new Bank(gpu, "round", layout);
      one.parameters.upload(start);
      for (const k of [1, 2]) {
        await one.normalise();
        for (const step of [0, 3]) {
          round.upload(recorded(`step${step}.grad`));
          round.upload(new Map([["unet.out_gain", Float32Array.of(Number.NaN)]]));
          await one.addGradients(round);
        }
        await one.update(stepOf(k));
      }
      expect(await one.zeroedGradients()).toBe(2);
      const banks = [one.parameters, one.gradients, one.m, one.v, ...one.averages.map(({ bank }) => bank)];
      states.push(await Promise.all(banks.map((bank) => bank.download())));
      round.destroy();
      one.destroy();
    }
    expect(states[1]).toEqual(states[0]);
  });

  it("padding stays 0 in all banks", async () => {
    const inside = new Set(
      layout.entries.flatMap(({ offset, length }) => Array.from({ length }, (_, i) => offset + i)),
    );
    expect(inside.size).toBeLessThan(layout.elements - 1000);
    const { parameters, gradients, m, v, averages } = optimiser;
    for (const bank of [parameters, gradients, m, v, ...averages.map((average) => average.bank)]) {
      const values = await gpu.readF32(bank.buffer, layout.elements);
      expect(values.some((x, i) => !inside.has(i) && x !== 0)).toBe(false);
    }
  });
});

describe("an optimiser", () => {
  const shapes: [string, number[]][] = [
    ["dec.additional_x_weight", [1]],
    ["dec.additional_skips_weight", [3]],
    ["enc.conv.weight", [2, 70]],
    ["enc.emb_gain", []],
    ["logvar_fourier.freqs", [2]],
  ];
  const layout = new BankLayout(shapes);
  const UPDATE = { lr: 0.1, images: 0, batch: 4 };

  it("normalises rows and clips mixing weights, and nothing else", async () => {
    const optimiser = await Optimiser.create(gpu, layout, { label: "mix" });
    optimiser.parameters.upload(
      new Map([
        ["dec.additional_x_weight", Float32Array.of(1.5)],
        ["dec.additional_skips_weight", Float32Array.of(-0.1, 0.25, 1)],
        ["enc.conv.weight", Float32Array.from({ length: 140 }, (_, i) => (i < 70 ? 3 : 0))],
        ["enc.emb_gain", Float32Array.of(7)],
        ["logvar_fourier.freqs", Float32Array.of(-30, 30)],
      ]),
    );
    await optimiser.normalise();
    const got = await optimiser.stored();
    expect([...got.get("dec.additional_x_weight")!]).toEqual([1]);
    expect([...got.get("dec.additional_skips_weight")!]).toEqual([0, 0.25, 1]);
    expect([...got.get("enc.emb_gain")!, ...got.get("logvar_fourier.freqs")!]).toEqual([7, -30, 30]);
    const weight = [...got.get("enc.conv.weight")!];
    expect(relativeError(weight.slice(0, 70), Array(70).fill(3 / 3.0001))).toBeLessThan(1e-7);
    expect(weight.slice(70)).toEqual(Array(70).fill(0));
    // Between normalisation and Adam as well, what is given is what is stored, and the rest stays.
    const given = Float32Array.from({ length: 140 }, (_, i) => (i < 70 ? 2 : -4));
    await optimiser.store(new Map([["enc.conv.weight", given]]));
    expect((await optimiser.stored()).get("enc.conv.weight")).toEqual(given);
    await optimiser.store(new Map([["enc.emb_gain", Float32Array.of(5)]]));
    await optimiser.normalise();
    await optimiser.store(new Map([["enc.emb_gain", Float32Array.of(6)]]));
    const after = [...(await optimiser.stored()).get("enc.conv.weight")!];
    expect(relativeError(after, [...Array(70).fill(2 / 2.0001), ...Array(70).fill(-4 / 4.0001)])).toBeLessThan(1e-7);
    optimiser.destroy();
  });

  it("adds the rounds in order, replaces them after an update, counts what is not finite", async () => {
    const optimiser = await Optimiser.create(gpu, layout, { label: "rounds" });
    const round = new Bank(gpu, "round", layout);
    const give = async (...values: number[]) => {
      round.upload(new Map([["dec.additional_skips_weight", Float32Array.from(values)]]));
      await optimiser.addGradients(round);
    };
    const gradient = async () => [...(await optimiser.gradients.download()).get("dec.additional_skips_weight")!];
    // In another order the small one would be lost: 1e8 + 1 is 1e8 in f32.
    await give(1e8, 1, Number.NaN);
    await give(-1e8, 2, 1);
    await give(1, 3, 1);
    expect(await gradient()).toEqual([1, 6, Number.NaN]);
    await optimiser.update(UPDATE);
    expect(await optimiser.zeroedGradients()).toBe(1);
    expect((await optimiser.parameters.download()).get("dec.additional_skips_weight")![2]).toBe(0);
    await give(Infinity, 5, -Infinity);
    expect(await gradient()).toEqual([Infinity, 5, -Infinity]);
    await optimiser.update({ ...UPDATE, images: 4 });
    expect(await optimiser.zeroedGradients()).toBe(3);
    round.destroy();
    optimiser.destroy();
  });

  it("gives its memory back", async () => {
    const before = gpu.allocatedBytes;
    const optimiser = await Optimiser.create(gpu, layout, { label: "memory", stds: [0.05, 0.1] });
    expect(gpu.allocatedBytes).toBeGreaterThan(before + 6 * 4 * layout.elements);
    optimiser.destroy();
    expect(gpu.allocatedBytes).toBe(before);
  });

  it("where memory runs short, too", async () => {
    const small = await openTestGpu({ memoryLimit: 64 * 1024 });
    const large = new BankLayout([["enc.conv.weight", [64, 64]]]);
    const before = small.allocatedBytes;
    await expect(Optimiser.create(small, large, { label: "memory" })).rejects.toMatchObject({ code: "OUT_OF_MEMORY" });
    expect(small.allocatedBytes).toBe(before);
    const gradients = new Bank(small, "gradients", large);
    const sizes = { rounds: 4, workers: 2 };
    const sum = await WorkerSum.create(small, "memory", { layout: large, gradients }, sizes);
    sum.destroy();
    const filler = small.storage("filler", 20 * 1024);
    const full = small.allocatedBytes;
    const failing = WorkerSum.create(small, "memory", { layout: large, gradients }, sizes);
    await expect(failing).rejects.toMatchObject({ code: "OUT_OF_MEMORY" });
    expect(small.allocatedBytes).toBe(full);
    small.destroyBuffer(filler);
    small.close();
  });

  it("refuses what it cannot do", async () => {
    const optimiser = await Optimiser.create(gpu, layout, { label: "errors", stds: [0.1] });
    const other = new Bank(gpu, "other", new BankLayout([["w.weight", [4, 4]]]));
    await expect(optimiser.addGradients(other)).rejects.toThrow("another layout");
    await expect(optimiser.update({ ...UPDATE, lr: Number.NaN })).rejects.toThrow("lr must be");
    await expect(optimiser.update({ ...UPDATE, batch: 0 })).rejects.toThrow("no update");
    expect(() => optimiser.parameters.upload(new Map([["a.weight", new Float32Array(1)]]))).toThrow("no parameter a");
    expect(() => optimiser.parameters.upload(new Map([["enc.emb_gain", new Float32Array(2)]]))).toThrow(
      "Float32Array of 1 values",
    );
    // Twice the bytes would lie over what comes next; one tensor that cannot be written keeps the others as they were.
    const wide = new Float64Array(1) as unknown as Float32Array;
    expect(() => optimiser.parameters.upload(new Map([["enc.emb_gain", wide]]))).toThrow("Float32Array of 1 values");
    const half = new Map([
      ["enc.emb_gain", Float32Array.of(3)],
      ["enc.conv.weight", new Float32Array(3)],
    ]);
    await expect(optimiser.store(half)).rejects.toThrow("Float32Array of 140 values, got 3");
    expect([...(await optimiser.stored()).get("enc.emb_gain")!]).toEqual([0]);
    expect(() => new BankLayout([["enc.bias", [3]]])).toThrow("enc.bias");
    expect(() => new BankLayout([["a.weight", [3, 0]]])).toThrow("empty");
    expect(() => new BankLayout([...shapes, ...shapes])).toThrow("twice");
    expect(() => new BankLayout([])).toThrow("no parameter");
    other.destroy();
    optimiser.destroy();
  });
});

describe("mixing weights with a rate of their own", () => {
  it("move by its share of Adam's step, the others by all of it", async () => {
    const layout = new BankLayout([
      ["dec.additional_skips_weight", [3]],
      ["dec.out_gain", []],
    ]);
    const moved = async (mixShare: number) => {
      const optimiser = await Optimiser.create(gpu, layout, { label: "mix", mixShare });
      const round = new Bank(gpu, "round", layout);
      optimiser.parameters.upload(new Map([["dec.additional_skips_weight", Float32Array.of(0.5, 0.25, 0.75)]]));
      round.upload(
        new Map([
          ["dec.additional_skips_weight", Float32Array.of(1, -2, 3)],
          ["dec.out_gain", Float32Array.of(4)],
        ]),
      );
      for (const images of [0, 4]) {
        await optimiser.addGradients(round);
        await optimiser.update({ lr: 0.01, images, batch: 4 });
      }
      const stored = await optimiser.parameters.download();
      round.destroy();
      optimiser.destroy();
      return [...stored.get("dec.additional_skips_weight")!]
        .map((v, i) => v - [0.5, 0.25, 0.75][i]!)
        .concat(stored.get("dec.out_gain")![0]!);
    };
    const [whole, slow, still] = [await moved(1), await moved(0.1), await moved(0)];
    for (let i = 0; i < 3; i++) {
      expect(slow[i]! / whole[i]!).toBeCloseTo(0.1, 4);
      expect(Math.abs(still[i]!)).toBeLessThan(1e-7);
    }
    expect([slow[3], still[3]]).toEqual([whole[3], whole[3]]);
  });
});
