import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { writeSafetensors } from "../../src/checkpoint/index.js";
import { readArray } from "../../src/data/arrays.js";
import { readInputs, readKernel, readMask } from "../../src/data/inputs.js";
import { fromByte } from "../../src/image/pixels.js";
import { encodePng } from "../../src/image/png.js";
import { folderOf, zipOf } from "../support/dataset.js";
import { weightsPath } from "../support/fixtures.js";

const root = mkdtempSync(join(tmpdir(), "ncvsd-restore-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

function put(name: string, bytes: Uint8Array): string {
  const path = join(root, name);
  writeFileSync(path, bytes);
  return path;
}

/** A .npy file as NumPy writes it. */
function npy(descr: string, shape: readonly number[], data: ArrayBufferView, order = "False"): Uint8Array {
  const text = `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': (${shape.join(", ")}${shape.length === 1 ? "," : ""}), }`;
  const header = Buffer.from(`${text.padEnd(Math.ceil((text.length + 11) / 64) * 64 - 11)}\n`, "latin1");
  const start = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length & 255, header.length >> 8]);
  return Buffer.concat([start, header, Buffer.from(data.buffer, data.byteOffset, data.byteLength)]);
}

const grey = (side: number, value = (i: number) => i & 255) =>
  encodePng({
    width: side,
    height: side,
    channels: 1,
    data: Uint8Array.from({ length: side * side }, (_, i) => value(i)),
  });
/** What is told beside the result. */
const said: string[] = [];
const say = (line: string) => void said.push(line);
const images = { shape: [1, 4, 4], what: "images", whose: "the checkpoint x", say } as const;

describe("arrays", () => {
  test("every .npy type that is read gives its values", async () => {
    const values = [0, 1, 2.5, -3];
    const path = (name: string, bytes: Uint8Array) => put(`${name}.npy`, bytes);
    const f4 = await readArray(path("f4", npy("<f4", [2, 2], Float32Array.from(values))), []);
    expect([f4.kind, f4.shape, [...f4.values]]).toEqual(["values", [2, 2], values]);
    const f8 = await readArray(path("f8", npy("<f8", [4], Float64Array.from(values))), []);
    expect([f8.shape, [...f8.values]]).toEqual([[4], values]);
    const f2 = await readArray(path("f2", npy("<f2", [4], Uint16Array.of(0, 0x3c00, 0x4100, 0xc200))), []);
    expect([...f2.values]).toEqual(values);
    const tiny = await readArray(path("f2s", npy("<f2", [1], Uint16Array.of(1))), []);
    expect(tiny.values[0]).toBe(2 ** -24);
    const u1 = await readArray(path("u1", npy("|u1", [1, 3], Uint8Array.of(0, 7, 255))), []);
    expect([u1.kind, [...u1.values]]).toEqual(["bytes", [0, 7, 255]]);
  });

  test.each([
    ["fortran", npy("<f4", [2, 2], new Float32Array(4), "True"), /Fortran order/],
    ["type", npy("<c8", [2], new Float32Array(4)), /elements of type "<c8"/],
    ["short", npy("<f4", [3], new Float32Array(2)), /8 bytes of data do not fill the shape/],
    ["nan", npy("<f4", [2], Float32Array.of(0, Number.NaN)), /is NaN \(element 1\)/],
    ["foreign", new Uint8Array(20), /not a .npy file/],
  ])("a .npy file that is no use is refused: %s", async (name, bytes, message) => {
    await expect(readArray(put(`bad-${name}.npy`, bytes), [])).rejects.toThrow(message);
  });

  test("a file of another kind, a missing one and a folder are named", async () => {
    await expect(readArray(put("a.webp", new Uint8Array(3)), [])).rejects.toThrow(
      /a.webp is of a kind that is not read/,
    );
    await expect(readArray(join(root, "none.png"), [])).rejects.toThrow(/none.png is not there/);
    await expect(readArray(join(root, "none.safetensors"), [])).rejects.toThrow(/none.safetensors is not there/);
    mkdirSync(join(root, "folder.png"));
    await expect(readArray(join(root, "folder.png"), [])).rejects.toThrow(/is a folder/);
  });
});

describe("images", () => {
  test("a folder gives its files in order of name, bytes as values of the network's range", async () => {
    const dir = join(root, "photos");
    mkdirSync(dir);
    for (const name of ["10", "9", "b"]) writeFileSync(join(dir, `${name}.png`), grey(4));
    writeFileSync(join(dir, "c.npy"), npy("<f4", [4, 4], new Float32Array(16).fill(-0.5)));
    writeFileSync(join(dir, "notes.txt"), "");
    const all = await readInputs(dir, images);
    expect(all.map(({ name }) => name)).toEqual(["9", "10", "b", "c"]);
    expect([...all[0]!.values]).toEqual(Array.from({ length: 16 }, (_, i) => fromByte(i)));
    expect(all[3]!.values[0]).toBe(-0.5);
    expect((await readInputs(dir, images, [2, 0])).map(({ name }) => name)).toEqual(["b", "9"]);
    await expect(readInputs(dir, images, [4])).rejects.toThrow(/--images 4: .*photos has images 0 to 3/);
  });

  test("the bundled images come with their classes, named by their place", async () => {
    const expected = { shape: [1, 32, 32], what: "images", whose: "it", say } as const;
    const some = await readInputs(weightsPath("fashion32-test64.safetensors"), expected, [3, 12]);
    expect(some.map(({ name, label }) => [name, label])).toEqual([["000003", 3], ["000012", 2]]); // biome-ignore format: pairs
  });

  test("wrong sizes, channels, ranges, names and empty folders are one clear sentence", async () => {
    await expect(readInputs(put("big.png", grey(8)), images)).rejects.toThrow(
      /big.png is 8x8 with 1 channel, but the checkpoint x takes images of 4x4 with 1 channel: resize/,
    );
    const rgb = encodePng({ width: 4, height: 4, channels: 3, data: new Uint8Array(48) });
    await expect(readInputs(put("rgb.png", rgb), images)).rejects.toThrow(/4x4 with 3 channels/);
    const rgba = encodePng({ width: 4, height: 4, channels: 4, data: new Uint8Array(64) });
    await expect(readInputs(put("rgba.png", rgba), images)).rejects.toThrow(/alpha channel/);
    const range = put("range.npy", npy("<f4", [4, 4], new Float32Array(16).fill(255)));
    await expect(readInputs(range, images)).rejects.toThrow(/values from 255 to 255.*range/);
    const empty = join(root, "empty");
    mkdirSync(empty);
    await expect(readInputs(empty, images)).rejects.toThrow(/empty has no images/);
    await expect(readInputs(join(root, "nowhere"), images)).rejects.toThrow(/nowhere is not there/);
    const twice = join(root, "twice");
    mkdirSync(twice);
    writeFileSync(join(twice, "a.png"), grey(4));
    writeFileSync(join(twice, "a.npy"), npy("<f4", [4, 4], new Float32Array(16)));
    await expect(readInputs(twice, images)).rejects.toThrow(/two images called a/);
  });

  test("with a fit photographs of any size and colour are taken, from subfolders and archives, and this is said", async () => {
    const lines: string[] = [];
    const expected = { ...images, fit: "crop", say: (line: string) => lines.push(line) } as const;
    const deep = encodePng({ width: 9, height: 6, channels: 3, data: new Uint8Array(162).fill(200) });
    const clear = encodePng({ width: 4, height: 4, channels: 4, data: new Uint8Array(64) });
    const members = {
      "a/img2.png": grey(4),
      "a/img10.png": deep,
      "b/clear.png": clear,
      "dataset.json": new TextEncoder().encode(JSON.stringify({ labels: [["a/img2.png", 3]] })),
    };
    for (const path of [folderOf(join(root, "tree"), members), put("tree.zip", zipOf(members))]) {
      lines.length = 0;
      const [first, second, third] = await readInputs(path, expected);
      expect([first, second, third].map((input) => [input!.name, input!.label])).toEqual([
        ["img2", 3],
        ["img10", undefined],
        ["clear", undefined],
      ]);
      expect([...first!.values]).toEqual(Array.from({ length: 16 }, (_, i) => fromByte(i)));
      expect(second!.values).toEqual(new Float32Array(16).fill(fromByte(200)));
      // What is transparent lies over white.
      expect(third!.values).toEqual(new Float32Array(16).fill(1));
      expect(lines).toEqual(["2 of the pictures (9x6 RGB and 1 other size) resized and cropped to 4x4 with 1 channel"]);
    }
    const padded = await readInputs(join(root, "tree/a/img10.png"), { ...expected, fit: "pad" });
    const rows = [0, 4, 8, 12].map((at) => [...padded[0]!.values.subarray(at, at + 4)]);
    expect(rows).toEqual([-1, fromByte(200), fromByte(200), fromByte(200)].map((v) => Array(4).fill(v)));
    const strict = readInputs(join(root, "tree"), { ...expected, fit: "none" });
    await expect(strict).rejects.toThrow(/img10.png is 9x6, but 4x4 is wanted: take --fit crop or pad/);
  });

  test("of two pictures of one name in two subfolders the path names the results", async () => {
    const dir = folderOf(join(root, "same"), { "a/1.png": grey(4), "b/1.png": grey(4) });
    expect((await readInputs(dir, { ...images, fit: "crop" })).map(({ name }) => name)).toEqual(["a-1", "b-1"]);
  });

  test("measurements may be of any shape and range; amplitudes cannot be bytes", async () => {
    const expected = { shape: [1, 2, 2], what: "measurements", whose: "phase_retrieval", say, scale: "own" } as const;
    const data = Float32Array.of(0, 1, 20, 3);
    const bytes = writeSafetensors([
      { name: "measurement", dtype: "F32", shape: [1, 2, 2], data },
      { name: "other", dtype: "F32", shape: [1], data: new Float32Array(1) },
    ]);
    const [one] = await readInputs(put("values.safetensors", bytes), expected);
    expect([one!.name, [...one!.values]]).toEqual(["values", [...data]]);
    await expect(readInputs(put("amp.png", grey(2)), expected)).rejects.toThrow(/holds bytes/);
  });
});

describe("masks and kernels", () => {
  test("white is known; sizes, values and an empty mask are checked", async () => {
    const mask = await readMask(
      put(
        "mask.png",
        grey(4, (i) => (i % 2 ? 255 : 0)),
      ),
      [1, 4, 4],
    );
    expect([...mask]).toEqual(Array.from({ length: 16 }, (_, i) => i % 2));
    const ones = await readMask(put("mask.npy", npy("|u1", [4, 4], new Uint8Array(16).fill(1))), [3, 4, 4]);
    expect(ones).toHaveLength(16);
    await expect(
      readMask(
        put(
          "m8.png",
          grey(8, () => 255),
        ),
        [1, 4, 4],
      ),
    ).rejects.toThrow(/8x8.*4x4.*must fit/);
    await expect(readMask(put("soft.png", grey(4)), [1, 4, 4])).rejects.toThrow(/black and white/);
    await expect(
      readMask(
        put(
          "black.png",
          grey(4, () => 0),
        ),
        [1, 4, 4],
      ),
    ).rejects.toThrow(/no pixel is known/);
  });

  test("a kernel is normalised; shape, size and sum are checked", async () => {
    const { kernel, kernelSize } = await readKernel(put("k.npy", npy("<f4", [3, 3], new Float32Array(9).fill(2))), 8);
    expect(kernelSize).toBe(3);
    for (const v of kernel) expect(v).toBeCloseTo(1 / 9, 7);
    expect(
      (
        await readKernel(
          put(
            "k.png",
            grey(5, () => 9),
          ),
          8,
        )
      ).kernelSize,
    ).toBe(5);
    await expect(
      readKernel(
        put(
          "k9.png",
          grey(9, () => 1),
        ),
        8,
      ),
    ).rejects.toThrow(/9x9, larger than the images of 8x8/);
    await expect(
      readKernel(
        put(
          "k0.png",
          grey(3, () => 0),
        ),
        8,
      ),
    ).rejects.toThrow(/sums to 0/);
    const flat = put("flat.npy", npy("<f4", [2, 3], new Float32Array(6).fill(1)));
    await expect(readKernel(flat, 8)).rejects.toThrow(/square/);
  });
});
