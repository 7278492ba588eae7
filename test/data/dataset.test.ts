import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateRawSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import { Dataset } from "../../src/data/dataset.js";
import { order } from "../../src/data/order.js";
import { fromByte } from "../../src/image/pixels.js";
import { encodePng } from "../../src/image/png.js";
import { files, folderOf, npy, picture, zipOf } from "../support/dataset.js";
import { zipFile } from "../support/pickle-torch.js";

const root = mkdtempSync(join(tmpdir(), "dataset-"));
afterAll(() => rmSync(root, { recursive: true }));
let made = 0;
const path = (ending = "") => join(root, `${++made}${ending}`);

function zip(members: Record<string, Uint8Array>): string {
  const file = path(".zip");
  writeFileSync(file, zipOf(members));
  return file;
}

const name = (i: number) => `00000/img0000000${i}.png`;
const pictures = [0, 1, 2, 3, 4].map((i) => picture(i));
const labels = [2, 0, 1, 2, 0].map((label, i) => [name(i), label]);
const members = files(pictures, labels);

const planar = (i: number) => {
  const { data, width, height } = pictures[i]!;
  const plane = width * height;
  return Float32Array.from(data, (_, k) => fromByte(data[(k % plane) * 3 + Math.floor(k / plane)]!));
};

async function opened<T>(file: string, options: Parameters<typeof Dataset.open>[1], use: (set: Dataset) => Promise<T>) {
  const set = await Dataset.open(file, options);
  try {
    return await use(set);
  } finally {
    await set.close();
  }
}

describe("a data set", () => {
  it.each(["folder", "zip"])("of pictures in a %s", async (kind) => {
    const file = kind === "zip" ? zip(members) : folderOf(path(), members);
    await opened(file, {}, async (set) => {
      expect([set.length, set.kind, set.shape.join(), set.labels.dim]).toEqual([5, "pictures", "3,8,8", 3]);
      for (const i of [3, 0, 3, 4]) {
        const { image, label, name: where } = await set.item(i);
        expect(image).toEqual(planar(i));
        expect([...label]).toEqual([0, 1, 2].map((c) => Number(c === labels[i]![1])));
        expect(where).toContain(name(i));
        // What is given out is the caller's own.
        image.fill(9);
      }
    });
  });

  it("reads an archive that is deflated, pass after pass", async () => {
    const file = path(".zip");
    writeFileSync(file, zipFile(members, { pack: (data) => deflateRawSync(data) }));
    await opened(file, { cacheBytes: 0 }, async (set) => {
      for (let pass = 0; pass < 10; pass++)
        for (let i = 0; i < 5; i++) expect((await set.item(i)).image).toEqual(planar(i));
    });
  });

  it("has no labels where there are none, or none are wanted", async () => {
    const { "dataset.json": _, ...bare } = members;
    for (const [file, options] of [
      [zip(bare), {}],
      [zip({ ...members, "dataset.json": new TextEncoder().encode('{"labels": null}') }), {}],
      [zip(members), { labels: false }],
    ] as const)
      await opened(file, options, async (set) => {
        expect(set.labels.dim).toBe(0);
        expect((await set.item(2)).label).toHaveLength(0);
      });
  });

  it("takes lists of numbers as they are, and names in another form", async () => {
    const rows = [0, 1, 2, 3, 4].map((i) => [name(i).replace("/", "\\"), [0.5 * i, -1]]);
    await opened(zip(files(pictures, rows)), {}, async (set) => {
      expect(set.labels.dim).toBe(2);
      expect([...(await set.item(3)).label]).toEqual([1.5, -1]);
    });
  });

  it("of latents: means, then standard deviations", async () => {
    const values = Float32Array.from({ length: 8 * 6 }, (_, i) => i / 7);
    const latents = { "00000/img-mean-std-00000000.npy": npy([8, 2, 3], values) };
    await opened(zip(latents), {}, async (set) => {
      expect([set.kind, set.shape.join()]).toEqual(["latents", "8,2,3"]);
      expect((await set.item(0)).image).toEqual(values);
    });
  });

  it("keeps within its memory, and gives the same whatever is kept", async () => {
    const file = zip(members);
    const all: Float32Array[][] = [];
    for (const cacheBytes of [0, 2 * 192, 1e6])
      await opened(file, { cacheBytes }, async (set) => {
        const images: Float32Array[] = [];
        for (const i of [0, 1, 2, 3, 4, 4, 3, 2, 1, 0]) images.push((await set.item(i)).image);
        all.push(images);
      });
    expect(all[1]).toEqual(all[0]);
    expect(all[2]).toEqual(all[0]);
  });
});

describe("a data set that is damaged", () => {
  const cut = { ...members, [name(2)]: members[name(2)]!.slice(0, 60) };

  it("names the picture, or takes the next", async () => {
    await opened(zip(cut), {}, async (set) => {
      await expect(set.item(2)).rejects.toThrow(/\.zip: 00000\/img00000002\.png is cut off/);
      expect((await set.item(1)).image).toEqual(planar(1));
    });
    const said: string[] = [];
    await opened(zip(cut), { skipBad: true, say: (line) => said.push(line) }, async (set) => {
      for (let i = 0; i < 2; i++) {
        const { image, label, name: where } = await set.item(2);
        expect(image).toEqual(planar(3));
        expect([...label]).toEqual([0, 0, 1]);
        expect(where).toContain(name(3));
      }
    });
    expect(said).toEqual([expect.stringMatching(/img00000002\.png is cut off.*the next picture is taken/)]);
    const bad = Object.fromEntries([0, 1].map((i) => [name(i), Uint8Array.of(1)]));
    await expect(Dataset.open(zip(bad), { skipBad: true })).rejects.toThrow("is not a PNG file");
  });

  it("skips a damaged first picture, too", async () => {
    const file = zip({ ...members, [name(0)]: Uint8Array.of(137, 80) });
    await expect(Dataset.open(file)).rejects.toThrow("img00000000.png is not a PNG file");
    await opened(file, { skipBad: true }, async (set) => {
      expect((await set.item(0)).image).toEqual(planar(1));
    });
  });

  it.each<[string, Record<string, Uint8Array>, RegExp]>([
    ["another size", { [name(4)]: encodePng(picture(4, 16)) }, /img00000004\.png is 16x16 .*the first is 8x8/],
    ["grey among colours", { [name(4)]: encodePng(picture(4, 8, 1)) }, /is 8x8 with 1 channel,/],
    [
      "a latent among pictures",
      { "00000/z.npy": npy([8, 1, 1], new Float32Array(8)) },
      /z\.npy is 1x1 with 8 channels, but/,
    ],
  ])("%s", async (_, change, message) => {
    const { "dataset.json": __, ...bare } = members;
    await opened(zip({ ...bare, ...change }), {}, async (set) => {
      await expect(set.item(set.length - 1)).rejects.toThrow(message);
    });
  });

  it.each<[string, Record<string, Uint8Array>, RegExp]>([
    ["a wrong shape", { "a.npy": npy([4, 2, 2], new Float32Array(16)) }, /latents are floats of \(8, H, W\)/],
    ["a claimed size", { "a.npy": npy([8, 2 ** 20, 2 ** 20], new Float32Array(8)) }, /too large/],
    ["too few values", { "a.npy": npy([8, 2, 2], new Float32Array(8)) }, /do not fill its shape/],
    ["NaN", { "a.npy": npy([8, 1, 1], new Float32Array(8).fill(Number.NaN)) }, /has a value that is NaN/],
    ["nothing", { "readme.txt": Uint8Array.of(65) }, /has no pictures/],
  ])("latents: %s", async (_, given, message) => {
    await expect(Dataset.open(zip(given))).rejects.toThrow(message);
  });

  it.each<[string, string, RegExp]>([
    ["no JSON", "{", /dataset\.json is no JSON/],
    ["a list", "[]", /no JSON object/],
    ["an odd entry", `{"labels": [["a.png", -1]]}`, /entry 0 of "labels"/],
    ["a huge class", `{"labels": [["a.png", 1e9]]}`, /entry 0 of "labels"/],
    ["a missing label", JSON.stringify({ labels: labels.slice(1) }), /has no label for "00000\/img00000000.png"/],
    ["mixed kinds", JSON.stringify({ labels: [...labels.slice(1), [name(0), [1, 2]]] }), /of another length/],
  ])("labels: %s", async (_, json, message) => {
    const file = zip({ ...members, "dataset.json": new TextEncoder().encode(json) });
    await expect(Dataset.open(file)).rejects.toThrow(message);
  });

  it("is no archive, or one whose member is changed", async () => {
    await expect(Dataset.open(join(root, "nowhere"))).rejects.toThrow("is not there");
    const text = path(".zip");
    writeFileSync(text, "no archive");
    await expect(Dataset.open(text)).rejects.toThrow("neither a folder nor a zip archive");
    const bytes = zipOf(members);
    bytes[bytes.indexOf(0x89) + 40]! ^= 1;
    const changed = path(".zip");
    writeFileSync(changed, bytes);
    await expect(Dataset.open(changed)).rejects.toThrow("checksum is wrong");
    writeFileSync(changed, bytes.subarray(0, bytes.length - 30));
    await expect(Dataset.open(changed)).rejects.toThrow(/cannot be read: .*directory/);
  });
});

describe("a data set's fingerprint", () => {
  const of = (file: string, options = {}) => opened(file, options, (set) => set.fingerprint());

  it("is that of the contents, not of the container", async () => {
    const print = await of(zip(members));
    expect(print).toMatch(/^[0-9a-f]{64}$/);
    expect(await of(folderOf(path(), members))).toBe(print);
    expect(await of(zip(Object.fromEntries(Object.entries(members).reverse())))).toBe(print);
  });

  it("changes with every picture, name and label", async () => {
    const { [name(4)]: last, ...fewer } = members;
    const relabelled = files(pictures, [...labels.slice(0, 4), [name(4), 1]]);
    const prints = await Promise.all([
      of(zip(members)),
      of(zip(members), { labels: false }),
      of(zip({ ...members, [name(1)]: encodePng(picture(9)) })),
      of(zip({ ...fewer, "00000/img00000005.png": last! }), { labels: false }),
      of(zip(fewer)),
      of(zip(relabelled)),
    ]);
    expect(new Set(prints).size).toBe(6);
  });
});

describe("the endless order", () => {
  const pass = (seed: number, n: number, k: number) => Array.from({ length: n }, (_, i) => order(seed, n, k * n + i));

  it("has every item once in a pass, in another order each time", () => {
    const seen = new Set<string>();
    for (const seed of [0, 1, 0xffffffff])
      for (const k of [0, 1, 2, 2 ** 33]) {
        const list = pass(seed, 37, k);
        expect([...list].sort((a, b) => a - b)).toEqual(Array.from({ length: 37 }, (_, i) => i));
        seen.add(list.join());
      }
    expect(seen.size).toBe(12);
    expect(pass(3, 1, 5)).toEqual([0]);
  });

  it("is a function of seed and place alone", () => {
    const forwards = Array.from({ length: 100 }, (_, i) => order(7, 11, i));
    const backwards = Array.from({ length: 100 }, (_, i) => order(7, 11, 99 - i)).reverse();
    expect(backwards).toEqual(forwards);
    // Written down: a change of the order would change what a resumed run sees.
    expect(forwards.slice(0, 22).join()).toBe("9,6,1,5,10,4,8,3,0,7,2,9,2,6,8,10,4,3,1,5,0,7");
  });

  it("puts every item everywhere about as often", () => {
    const counts = new Float64Array(25);
    for (let k = 0; k < 5000; k++) for (const [i, item] of pass(k % 10, 5, k).entries()) counts[5 * i + item]!++;
    // 1000 each, standard deviation 28.
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });

  it("refuses what is no place", () => {
    expect(() => order(-1, 5, 0)).toThrow("seed -1");
    expect(() => order(0, 0, 0)).toThrow("0 items");
    expect(() => order(0, 5, -1)).toThrow("place -1");
    expect(() => order(0, 5, 0.5)).toThrow("place 0.5");
  });
});
