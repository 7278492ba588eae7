import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { normals } from "../../kernels/lib/philox.js";
import { Dataset } from "../../src/data/dataset.js";
import { order } from "../../src/data/order.js";
import { relativeError } from "../../src/graph/run-kernel.js";
import { batchesOf } from "../../src/train/dataset-batches.js";
import { imageKey } from "../../src/train/draws.js";
import { openTraining } from "../../src/train/training.js";
import { files, npy, picture, zipOf } from "../support/dataset.js";
import { openTestGpu } from "../support/gpu.js";
import { fixturePath } from "../support/safetensors-fixture.js";

const root = mkdtempSync(join(tmpdir(), "batches-"));
afterAll(() => rmSync(root, { recursive: true }));
let made = 0;
const sets: Dataset[] = [];
afterAll(() => Promise.all(sets.map((set) => set.close())));

async function open(members: Record<string, Uint8Array>): Promise<Dataset> {
  const path = join(root, `${++made}.zip`);
  writeFileSync(path, zipOf(members));
  const set = await Dataset.open(path);
  sets.push(set);
  return set;
}

const pictures = Array.from({ length: 70 }, (_, i) => picture(i));
const name = (i: number) => `00000/img${String(i).padStart(8, "0")}.png`;
const labels = pictures.map((_, i) => [name(i), (i * 3) % 5]);
const network = { seed: 4, shape: [3, 8, 8], labelDim: 5 } as const;

describe("batches of a data set", () => {
  it("are the items of the endless order, wherever a run begins", async () => {
    const set = await open(files(pictures, labels));
    const data = await batchesOf(set, network);
    const whole = await data.batch(Array.from({ length: 150 }, (_, i) => i));
    for (const position of [0, 1, 69, 70, 149]) {
      const item = order(4, 70, position);
      const { images, labels: own } = await data.batch([position]);
      expect(images).toEqual((await set.item(item)).image);
      expect(own).toEqual([(item * 3) % 5]);
      expect(whole.images.subarray(192 * position, 192 * (position + 1))).toEqual(images);
      expect((whole.labels as number[])[position]).toBe(own![0]);
    }
  });

  it("read ahead what comes next, and give what is asked for whatever comes", async () => {
    const set = await open(files(pictures, labels));
    const asked: number[] = [];
    const spied = new Proxy(set, {
      get(target, key) {
        if (key === "item")
          return (i: number) => {
            asked.push(i);
            return target.item(i);
          };
        const value = Reflect.get(target, key);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const data = await batchesOf(spied, network);
    const one = (position: number) => order(4, 70, position);
    const batches = [
      [0, 1],
      [2, 3],
      [8, 9],
      [14, 15],
      [20, 21],
      [20, 21],
    ];
    for (const positions of batches) {
      const { images } = await data.batch(positions);
      expect(images.subarray(0, 192)).toEqual((await set.item(one(positions[0]!))).image);
      expect(images.subarray(192)).toEqual((await set.item(one(positions[1]!))).image);
    }
    // Read ahead: 2, 4 (in vain), 20 (of two steps of six), 26 (in vain).
    const read = [0, 2, 4, 8, 14, 20, 26, 20].flatMap((position) => [one(position), one(position + 1)]);
    expect(asked).toEqual(read);
  });

  it("that could not be read ahead are read again when they are asked for again", async () => {
    const set = await open(files(pictures, labels));
    let broken = false;
    const shaky = new Proxy(set, {
      get(target, key) {
        if (key === "item")
          return (i: number) => (broken ? Promise.reject(new Error("the disk is away")) : target.item(i));
        const value = Reflect.get(target, key);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const data = await batchesOf(shaky, network);
    broken = true;
    await expect(data.batch([0, 1])).rejects.toThrow("the disk is away");
    broken = false;
    await data.batch([0, 1]);
    broken = true;
    // Read ahead as a whole while the disk was there; what follows is not.
    await data.batch([2, 3]);
    await expect(data.batch([4, 5])).rejects.toThrow("the disk is away");
    broken = false;
    expect(await data.batch([4, 5])).toEqual(await (await batchesOf(set, network)).batch([4, 5]));
  });

  it("have no labels, or rows of numbers, where the data set has", async () => {
    const one = { ...network, labelDim: 2 };
    expect(await (await batchesOf(await open(files(pictures, null)), one)).batch([0])).not.toHaveProperty("labels");
    const rows = pictures.map((_, i) => [name(i), [i, -i]]);
    const { labels: found } = await (await batchesOf(await open(files(pictures, rows)), one)).batch([3, 9]);
    const [a, b] = [order(4, 70, 3), order(4, 70, 9)];
    expect(found).toEqual(Float32Array.of(a, -a, b, -b));
  });

  it("of latents are drawn anew for every position", async () => {
    const stored = Float32Array.from({ length: 8 * 6 }, (_, i) => Math.sin(i));
    const set = await open({ "a.npy": npy([8, 2, 3], stored) });
    const latents = { scale: [1, 2, 3, 4], bias: [0, 0.1, 0.2, 0.3] };
    const data = await batchesOf(set, { seed: 4, shape: [4, 2, 3], labelDim: 0, latents });
    const { images } = await data.batch([17, 18]);
    for (const [k, position] of [17, 18].entries()) {
      const z = normals(imageKey(4, position), 0, 24);
      const expected = Array.from({ length: 24 }, (_, i) => {
        const c = Math.floor(i / 6);
        return (stored[i]! + stored[24 + i]! * z[i]!) * latents.scale[c]! + latents.bias[c]!;
      });
      expect(relativeError(images.subarray(24 * k, 24 * (k + 1)), expected)).toBeLessThan(1e-6);
    }
    expect(images.subarray(0, 24)).not.toEqual(images.subarray(24));
    await expect(batchesOf(set, { seed: 4, shape: [4, 2, 3], labelDim: 0 })).rejects.toThrow("scale and bias");
  });

  it("refuse a network that takes others", async () => {
    const set = await open(files(pictures, labels));
    await expect(batchesOf(set, { ...network, shape: [1, 8, 8] })).rejects.toThrow("the network takes [1,8,8]");
    await expect(batchesOf(set, { ...network, labelDim: 4 })).rejects.toThrow(
      "has labels of 5, but the network takes 4",
    );
    await batchesOf(set, { ...network, labelDim: 9 });
  });

  it("train a teacher as the same images given by hand", async () => {
    const gpu = await openTestGpu();
    try {
      const data = await batchesOf(await open(files(pictures, labels)), network);
      const options = {
        network: fixturePath("training/edm2-micro.safetensors"),
        batch: 4,
        batchGpu: 2,
        lr: { refLr: 0.01, rampupMimg: 0 },
        seed: 4,
      };
      const losses: number[][] = [];
      const given = async (...positions: number[]) => {
        const { images, labels: own } = await data.batch(positions);
        return { images, labels: own! };
      };
      for (const rounds of [undefined, [await given(0, 1), await given(2, 3)]]) {
        const training = await openTraining(gpu, { ...options, ...(rounds ? {} : { data }) });
        losses.push((await training.step(rounds ? { rounds } : {})).losses);
        training.close();
      }
      expect(losses[0]).toEqual(losses[1]);
      expect(losses[0]!.every((loss) => loss > 0)).toBe(true);
    } finally {
      gpu.close();
    }
  });

  it("go on where a saved training stopped, and refuse to with a data set that has changed", async () => {
    const gpu = await openTestGpu();
    const dir = join(root, "state");
    const options = {
      network: fixturePath("training/edm2-micro.safetensors"),
      ...{ batch: 2, batchGpu: 2, lr: { refLr: 0.01, rampupMimg: 0 }, seed: 4 },
    };
    const training = async (members: Record<string, Uint8Array>, resume?: string) => {
      const data = await batchesOf(await open(members), network);
      return openTraining(gpu, { ...options, data, ...(resume ? { resume } : {}) });
    };
    try {
      const members = files(pictures, labels);
      const whole = await training(members);
      await whole.step();
      await whole.save(dir);
      const { losses } = await whole.step();
      const resumed = await training(members, dir);
      expect((await resumed.step()).losses).toEqual(losses);
      expect(await resumed.parameters()).toEqual(await whole.parameters());
      whole.close();
      resumed.close();
      const changed = { ...members, [name(3)]: members[name(4)]! };
      await expect(training(changed, dir)).rejects.toThrow(/data/);
    } finally {
      gpu.close();
    }
  });
});
