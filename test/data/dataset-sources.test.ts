import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateRawSync, gzipSync } from "node:zlib";
import { encode } from "fast-png";
import { afterAll, describe, expect, it } from "vitest";
import { openPictureSource } from "../../src/data/dataset-sources.js";
import { type RawImage, toChannels } from "../../src/image/pixels.js";
import { encodePng } from "../../src/image/png.js";
import { folderOf, npy, picture, zipOf } from "../support/dataset.js";
import { zipFile } from "../support/pickle-torch.js";

const root = mkdtempSync(join(tmpdir(), "sources-"));
afterAll(() => rmSync(root, { recursive: true }));
let made = 0;
function file(bytes: Uint8Array, name: string): string {
  const dir = join(root, String(++made));
  mkdirSync(dir);
  writeFileSync(join(dir, name), bytes);
  return join(dir, name);
}

async function read(path: string, labels?: string) {
  const source = await openPictureSource(path, labels);
  try {
    const found: { where: string; label: unknown; image: RawImage }[] = [];
    for await (const { where, label, image } of source.pictures()) {
      const { width, height, channels, data } = await image();
      found.push({ where, label, image: { width, height, channels, data: new Uint8Array(data) } });
    }
    expect(found).toHaveLength(source.count);
    return { found, kind: source.kind, classes: source.classes, left: source.left };
  } finally {
    await source.close();
  }
}

const labelsOf = ({ found }: { found: readonly { label: unknown }[] }) => found.map(({ label }) => label);
const imagesOf = ({ found }: { found: readonly { image: RawImage }[] }) => found.map(({ image }) => image);

const words = (...values: number[]) => {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [i, value] of values.entries()) bytes.writeUInt32BE(value, 4 * i);
  return bytes;
};
const join2 = (...parts: Uint8Array[]) => new Uint8Array(Buffer.concat(parts));

describe("folders and archives of pictures", () => {
  const pictures = [0, 1, 2, 3].map((i) => picture(i));
  const png = pictures.map((image) => encodePng(image));
  const members = {
    "dog/1.png": png[0]!,
    "cat/b/2.PNG": png[1]!,
    "cat/10.png": png[2]!,
    "cat/2.png": png[3]!,
  };

  it("come in order of their paths, labelled by their top folders", async () => {
    for (const path of [folderOf(join(root, "tree"), members), file(zipOf(members), "tree.zip")]) {
      const made = await read(path);
      expect(made.found.map(({ where }) => where.slice(-11))).toEqual([
        expect.stringMatching(/cat\/10\.png$/),
        expect.stringMatching(/cat\/2\.png$/),
        expect.stringMatching(/cat\/b\/2\.PNG$/),
        expect.stringMatching(/dog\/1\.png$/),
      ]);
      expect(labelsOf(made)).toEqual([0, 0, 0, 1]);
      expect(made.classes).toEqual(["cat", "dog"]);
      expect(imagesOf(made)).toEqual([pictures[2], pictures[3], pictures[1], pictures[0]]);
    }
  });

  it("of 16 bits keep the upper 8, as Pillow reads them", async () => {
    const data = Uint16Array.of(0x12ff, 0x00ff, 0xffff, 0x8000, 0x7f80, 0x0100);
    const deep = encode({ width: 2, height: 1, channels: 3, depth: 16, data });
    const [made] = imagesOf(await read(folderOf(join(root, "deep"), { "deep.png": deep })));
    expect([...made!.data]).toEqual([0x12, 0, 0xff, 0x80, 0x7f, 1]);
  });

  it("have the labels of their dataset.json, and none in a single folder", async () => {
    const json = new TextEncoder().encode('{"labels": [["cat/2.png", 5], ["dog/1.png", 7]]}');
    expect(labelsOf(await read(file(zipOf({ ...members, "dataset.json": json }), "own.zip")))).toEqual([
      undefined,
      5,
      undefined,
      7,
    ]);
    expect(labelsOf(await read(file(zipOf({ "a/1.png": png[0]!, "a/2.png": png[1]! }), "one.zip")))).toEqual([
      undefined,
      undefined,
    ]);
    // Pictures at the top are a class of their own beside folders.
    expect(labelsOf(await read(file(zipOf({ "1.png": png[0]!, "a/2.png": png[1]! }), "top.zip")))).toEqual([0, 1]);
  });

  it("pass over what is hidden, and say what is not read", async () => {
    const more = { "__MACOSX/x.png": png[0]!, ".hidden/y.png": png[0]!, "._z.png": png[0]! };
    expect((await read(file(zipOf({ ...members, ...more }), "mac.zip"))).found).toHaveLength(4);
    const { left } = await read(folderOf(join(root, "webp"), { ...members, "cat/3.webp": Uint8Array.of(0) }));
    expect(left).toMatch(/not read: cat\/3\.webp/);
  });

  it("name the file that is damaged", async () => {
    const cut = { ...members, "cat/2.png": png[3]!.slice(0, 50) };
    await expect(read(file(zipOf(cut), "cut.zip"))).rejects.toThrow(/cut\.zip: cat\/2\.png is cut off/);
    await expect(read(folderOf(join(root, "none"), { "a.txt": Uint8Array.of(1) }))).rejects.toThrow("has no pictures");
  });
});

describe("IDX, the MNIST family", () => {
  const side = 28;
  const pixels = Uint8Array.from({ length: 3 * side * side }, (_, i) => (3 * i) & 255);
  const idx = join2(words(0x803, 3, side, side), pixels);
  const labels = join2(words(0x801, 3), Uint8Array.of(9, 0, 4));

  it.each(["", ".gz"])("with the labels beside it, and a border of two pixels (%s)", async (ending) => {
    const packed = (bytes: Uint8Array) => (ending ? gzipSync(bytes) : bytes);
    const path = file(packed(idx), `train-images-idx3-ubyte${ending}`);
    writeFileSync(join(path, `../train-labels-idx1-ubyte${ending}`), packed(labels));
    for (const given of [path, join(path, "..")]) {
      const made = await read(given);
      expect([made.kind, ...labelsOf(made)]).toEqual(["IDX", 9, 0, 4]);
      const { width, height, channels, data } = made.found[1]!.image;
      expect([width, height, channels]).toEqual([32, 32, 1]);
      const inside = data.filter((_, p) => [p % 32, p >> 5].every((at) => at >= 2 && at < 30));
      expect(inside).toEqual(pixels.subarray(side * side, 2 * side * side));
      expect(data.reduce((a, b) => a + b, 0)).toBe(inside.reduce((a, b) => a + b, 0));
    }
  });

  it("without labels, or with those of another name", async () => {
    const path = file(idx, "pictures.idx");
    expect(labelsOf(await read(path))).toEqual([undefined, undefined, undefined]);
    expect(labelsOf(await read(path, file(labels, "numbers.idx")))).toEqual([9, 0, 4]);
  });

  it.each<[string, Uint8Array, RegExp]>([
    ["too short", idx.slice(0, -1), /cut off: 1 bytes/],
    ["too long", join2(idx, Uint8Array.of(0)), /longer than its header says/],
    ["labels", labels, /no IDX file of pictures/],
    ["no pictures", join2(words(0x803, 0, 28, 28)), /0 pictures/],
    ["a claimed size", join2(words(0x803, 1, 2 ** 31, 2 ** 31)), /is damaged: its header says/],
    ["an end in its header", idx.slice(0, 9), /cut off: 7 bytes/],
  ])("refuses %s", async (_, bytes, message) => {
    await expect(read(file(bytes, "x-images-idx3-ubyte"))).rejects.toThrow(message);
  });

  it("refuses labels of others, and what cannot be unpacked", async () => {
    const path = file(idx, "pictures.idx");
    await expect(read(path, file(join2(words(0x801, 2), Uint8Array.of(1, 2)), "l"))).rejects.toThrow("2 labels for 3");
    await expect(read(path, file(idx, "l"))).rejects.toThrow("no IDX file of labels");
    await expect(read(path, join(root, "nowhere"))).rejects.toThrow("is not there");
    await expect(read(file(gzipSync(idx).fill(7, 20, 60), "a.gz"))).rejects.toThrow(/a\.gz is damaged/);
    await expect(read(file(gzipSync(idx).subarray(0, 200), "a.gz"))).rejects.toThrow(/a\.gz is (damaged|cut off)/);
  });
});

describe("CIFAR's binary files", () => {
  const record = (seed: number, ...labels: number[]) => {
    const { data } = picture(seed, 32);
    const planes = Uint8Array.from({ length: 3072 }, (_, k) => data[(k % 1024) * 3 + (k >> 10)]!);
    return join2(Uint8Array.from(labels), planes);
  };

  it("of ten classes, batch after batch", async () => {
    const path = file(join2(record(0, 3), record(1, 9)), "data_batch_1.bin");
    writeFileSync(join(path, "../data_batch_2.bin"), record(2, 0));
    const made = await read(join(path, ".."));
    expect([made.kind, ...labelsOf(made)]).toEqual(["CIFAR-10", 3, 9, 0]);
    expect(imagesOf(made)).toEqual([0, 1, 2].map((seed) => picture(seed, 32)));
    // A file that begins with zeros is no IDX file for that.
    expect(labelsOf(await read(file(record(0, 0).fill(0, 0, 4), "test_batch.bin")))).toEqual([0]);
  });

  it("of a hundred classes: the fine label", async () => {
    const path = file(join2(record(0, 3, 77), record(1, 9, 99)), "train.bin");
    const made = await read(path);
    expect([made.kind, ...labelsOf(made)]).toEqual(["CIFAR-100", 77, 99]);
    expect(imagesOf(made)).toEqual([0, 1].map((seed) => picture(seed, 32)));
  });

  it("refuses what are no whole records", async () => {
    for (const bytes of [record(0, 3).slice(1), new Uint8Array(0)])
      await expect(read(file(bytes, "data_batch_1.bin"))).rejects.toThrow("no whole records");
  });
});

describe("npz", () => {
  const pictures = [0, 1, 2].map((i) => picture(i, 4));
  const grey = [0, 1, 2].map((i) => picture(i, 4, 1));
  const last = join2(...pictures.map(({ data }) => data));
  const planes = join2(
    ...pictures.map(({ data }) => Uint8Array.from(data, (_, k) => data[(k % 16) * 3 + Math.floor(k / 16)]!)),
  );
  const labels = npy([3, 1], Uint8Array.of(4, 0, 2), "|u1");

  it.each<[string, Uint8Array, readonly RawImage[]]>([
    ["[N, H, W, C]", npy([3, 4, 4, 3], last, "|u1"), pictures],
    ["[N, C, H, W]", npy([3, 3, 4, 4], planes, "|u1"), pictures],
    ["[N, 3*S*S]", npy([3, 48], planes, "|u1"), pictures],
    ["[N, H, W]", npy([3, 4, 4], join2(...grey.map(({ data }) => data)), "|u1"), grey],
  ])("%s, stored and deflated", async (_, array, expected) => {
    const members = { "train_images.npy": array, "train_labels.npy": labels };
    for (const bytes of [zipOf(members), zipFile(members, { pack: (data) => deflateRawSync(data) })]) {
      const made = await read(file(bytes, "a.npz"));
      expect([made.kind, ...labelsOf(made)]).toEqual(["npz", 4, 0, 2]);
      expect(imagesOf(made)).toEqual(expected);
    }
  });

  it.each<[string, Record<string, Uint8Array>, RegExp]>([
    ["no pictures", { "labels.npy": labels }, /has no array called images/],
    ["floats", { "images.npy": npy([1, 2, 2], new Float32Array(4)) }, /of f4: pictures are bytes/],
    ["two channels", { "images.npy": npy([1, 2, 2, 2], new Uint8Array(8), "|u1") }, /pictures are bytes/],
    ["a claimed shape", { "images.npy": npy([9, 2, 2], new Uint8Array(4), "|u1") }, /do not fill its shape/],
    [
      "other labels",
      { "images.npy": npy([1, 2, 2], new Uint8Array(4), "|u1"), "labels.npy": labels },
      /3 labels for 1/,
    ],
    [
      "labels that are no classes",
      { "images.npy": npy([1, 2, 2], new Uint8Array(4), "|u1"), "labels.npy": npy([1], Float32Array.of(0.5)) },
      /label 0 is 0.5/,
    ],
  ])("refuses %s", async (_, members, message) => {
    await expect(read(file(zipOf(members), "a.npz"))).rejects.toThrow(message);
  });
});

describe("what is no source", () => {
  it("is named", async () => {
    await expect(read(join(root, "nowhere"))).rejects.toThrow("nowhere is not there");
    await expect(read(file(Uint8Array.of(1, 2, 3), "a.tar.gz"))).rejects.toThrow("unpack it");
    await expect(read(file(Uint8Array.of(1, 2, 3), "a.bmp"))).rejects.toThrow("is no folder, zip archive, IDX file");
    await expect(read(file(zipOf({}), "a.zip"), "labels")).rejects.toThrow("--label-file goes with an IDX file");
  });
});

describe("pictures of so many channels", () => {
  it("grey is repeated, transparency dropped, grey of colours weighted", () => {
    const one = { width: 2, height: 1, channels: 1 as const, data: Uint8Array.of(7, 200) };
    expect([...toChannels(one, 3).data]).toEqual([7, 7, 7, 200, 200, 200]);
    const four = { width: 1, height: 1, channels: 4 as const, data: Uint8Array.of(10, 200, 90, 0) };
    expect([...toChannels(four, 3).data]).toEqual([10, 200, 90]);
    // 0.299 * 10 + 0.587 * 200 + 0.114 * 90 = 130.65
    expect([...toChannels(four, 1).data]).toEqual([131]);
    expect([...toChannels(toChannels(one, 3), 1).data]).toEqual([...one.data]);
  });
});
