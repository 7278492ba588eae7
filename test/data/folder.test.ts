import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { zipSync } from "fflate";
import { describe, expect, it } from "vitest";
import { inRange, readArray } from "../../src/data/arrays.js";
import { listFolder } from "../../src/data/folder.js";
import { readKernel } from "../../src/data/inputs.js";
import { pairPictures, readPicture } from "../../src/data/pictures.js";
import { encodePng } from "../../src/image/png.js";
import { scratch } from "../support/cli.js";
import { fixturePath } from "../support/fixtures.js";

const place = scratch();
const picture = encodePng({
  width: 4,
  height: 4,
  channels: 1,
  data: Uint8Array.from({ length: 16 }, (_, i) => 16 * i),
});
const silent = () => {};

function folder(name: string, files: Record<string, Uint8Array | string>): string {
  const dir = place(name);
  mkdirSync(dir, { recursive: true });
  for (const [file, content] of Object.entries(files)) {
    mkdirSync(join(dir, file, ".."), { recursive: true });
    writeFileSync(join(dir, file), content);
  }
  return dir;
}

/** A .npy file of version 1. */
function npy(descr: string, shape: readonly number[], data: ArrayBufferView): Uint8Array {
  const header = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape.join(", ")}${shape.length === 1 ? "," : ""}), }\n`;
  const head = Buffer.from(`\x93NUMPY\x01\0..${header}`, "latin1");
  head.writeUInt16LE(header.length, 8);
  return Buffer.concat([head, Buffer.from(data.buffer, data.byteOffset, data.byteLength)]);
}

describe("folders", () => {
  it("hidden files are passed over, links are followed, loops entered once, pipes never opened, the rest is told", () => {
    const dir = folder("mixed", {
      "0.png": picture,
      "._0.png": "mac",
      ".hidden/1.png": picture,
      "sub/2.JPG": picture,
      "photo.webp": "",
      "scan.tiff": "",
      "notes.txt": "",
      "caf\u0065\u0301.png": picture,
    });
    symlinkSync(".", join(dir, "sub/loop"));
    symlinkSync("sub", join(dir, "again"));
    symlinkSync("nowhere.png", join(dir, "dangling.png"));
    execFileSync("mkfifo", [join(dir, "pipe.png")]);
    const elsewhere = folder("elsewhere", { "3.png": picture });
    symlinkSync(elsewhere, join(dir, "linked"));
    const { files, left } = listFolder(dir, [".png", ".jpg"], true);
    expect(files.map(({ name }) => name)).toEqual(["0", "again/2", "café", "linked/3"].sort());
    expect(left).toMatch(/mixed: not read: dangling\.png, photo\.webp, pipe\.png, scan\.tiff/);
    const flat = listFolder(dir, [".png"], false);
    expect(flat.files.map(({ name }) => name)).toEqual(["0", "café"]);
    expect(flat.left).toContain("again/");
  });

  it("many names that are left are counted; a file and nothing are refused", () => {
    const dir = folder("many", Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`${i}.gif`, ""])));
    expect(listFolder(dir, [".png"], true).left).toMatch(/0\.gif, 1\.gif, 2\.gif, 3\.gif, 4\.gif and 4 more$/);
    expect(() => listFolder(join(dir, "0.gif"), [], true)).toThrow("is a file: name a folder");
    expect(() => listFolder(join(dir, "x"), [], true)).toThrow("is not there");
  });

  it("pairs have the same name in any Unicode form, and any ending", () => {
    const said: string[] = [];
    const one = folder("one", { "caf\u00e9.png": picture, "b/c.png": picture, "x.bmp": "" });
    const two = folder("two", { "cafe\u0301.png": picture, "b/c.npy": npy("|u1", [4, 4], new Uint8Array(16)) });
    const pairs = pairPictures(one, two, (line) => said.push(line));
    expect(pairs.map(({ name }) => name)).toEqual(["b/c", "café"]);
    expect(said).toEqual([expect.stringContaining("x.bmp")]);
    expect(() => pairPictures(one, folder("three", { "b/c.png": picture }), silent)).toThrow(/one has "café" without/);
  });

  it("a pipe that is named is refused at once, too", async () => {
    const dir = folder("pipes", {});
    execFileSync("mkfifo", [join(dir, "p.png")]);
    await expect(readArray(join(dir, "p.png"), [])).rejects.toThrow("is a pipe or a device");
    await expect(readArray("/dev/zero", [])).rejects.toThrow(/kind that is not read|a pipe or a device/);
  });
});

describe("arrays", () => {
  const dir = folder("arrays", {});
  const put = (name: string, bytes: Uint8Array) => {
    writeFileSync(join(dir, name), bytes);
    return join(dir, name);
  };

  it("16 bits of a PNG stay 16 bits, in pictures and kernels", async () => {
    copyFileSync(fixturePath("png16/kernel.png"), join(dir, "kernel.png"));
    const { kernel } = await readKernel(join(dir, "kernel.png"), 32);
    const exact = JSON.parse(readFileSync(fixturePath("png16/kernel.json"), "utf8")) as number[];
    const sum = exact.reduce((a, b) => a + b, 0);
    kernel.forEach((v, i) => {
      expect(v).toBeCloseTo(exact[i]! / sum, 7);
    });
    const { values, kind } = await readArray(join(dir, "kernel.png"), []);
    expect(kind).toBe("bytes");
    expect(values[5]).toBeCloseTo((exact[5]! * 255) / 65535, 4);
    expect(values[5]! % 1).not.toBe(0);
  });

  it("a large picture takes at most three times its own size to read", () => {
    const [width, height] = [3000, 3000];
    const data = new Uint8Array(width * height * 3).fill(7);
    const path = put("large.png", encodePng({ width, height, channels: 3, data }));
    const reads = `import { readPicture } from ${JSON.stringify(new URL("../../dist/src/data/pictures.js", import.meta.url))};
      const before = process.resourceUsage().maxRSS;
      await readPicture(process.argv[1], undefined, () => {});
      console.log(1024 * (process.resourceUsage().maxRSS - before));`;
    const peak = Number(
      execFileSync(process.execPath, ["--input-type=module", "-e", reads, path], { encoding: "utf8" }),
    );
    expect(peak).toBeLessThanOrEqual(3 * data.length + 2 ** 26);
  });

  it("an archive of arrays is read member by member, and none that claims too much or lies about its checksum", async () => {
    const floats = new Float32Array(16).fill(0.25);
    const archive = zipSync({
      "other.npy": npy("<f4", [2], floats.subarray(0, 2)),
      "images.npy": npy(">f4", [4, 4], floats),
    });
    expect((await readArray(put("a.npz", archive), ["images"])).shape).toEqual([4, 4]);
    await expect(readArray(put("b.npz", archive), ["nothing"])).rejects.toThrow(/no array called nothing: it has/);
    const damaged = Buffer.from(archive);
    const stored = zipSync({ "images.npy": npy("<f4", [4, 4], floats) }, { level: 0 });
    const wrong = Buffer.from(stored);
    wrong[wrong.indexOf("\n", 60, "latin1") + 5]! ^= 1;
    await expect(readArray(put("c.npz", wrong), [])).rejects.toThrow(/checksum is wrong/);
    await expect(readArray(put("d.npz", damaged.subarray(0, 60)), [])).rejects.toThrow(/is damaged/);
  });

  it.each([
    [
      "a header of megabytes",
      Buffer.concat([Buffer.from("\x93NUMPY\x02\0\xff\xff\xff\x00", "latin1"), Buffer.alloc(100)]),
    ],
    ["more elements than bytes", npy("<f4", [1_000_000_000], new Float32Array(1))],
    ["a size beyond numbers", npy("<f8", [2 ** 40, 2 ** 40], new Float32Array(1))],
    ["a shape of negative extents", npy("<f4", [-1, -1], new Float32Array(1))],
    ["a long type", npy("x".repeat(5000), [1], new Float32Array(1))],
  ])("%s is refused in a short sentence", async (name, bytes) => {
    const message = await readArray(put(`${name.replace(/ /g, "-")}.npy`, bytes), []).then(
      () => "",
      (error: Error) => error.message,
    );
    expect(message).toContain(".npy");
    expect(message.length).toBeLessThan(300);
  });

  it("pictures of NumPy: bytes or numbers, colours first or last", async () => {
    const grey = Float32Array.from({ length: 12 }, (_, i) => i / 11);
    const said: string[] = [];
    const say = (line: string) => said.push(line);
    const image = await readPicture(put("unit.npy", npy("<f4", [3, 4], grey)), [0, 1], say);
    expect([image.width, image.height, image.channels]).toEqual([4, 3, 1]);
    expect([image.data[0], image.data[11]]).toEqual([0, 255]);
    expect(said).toEqual([]);
    await readPicture(put("unit.npy", npy("<f4", [3, 4], grey)), undefined, say);
    expect(said).toEqual([
      expect.stringMatching(/unit\.npy has values from 0\.00 to 1\.00: taken for -1.*--range 0,1$/),
    ]);
    const last = await readPicture(
      put(
        "last.npy",
        npy(
          "|u1",
          [2, 2, 3],
          Uint8Array.from({ length: 12 }, (_, i) => i),
        ),
      ),
      undefined,
      say,
    );
    const first = await readPicture(
      put("first.npy", npy("|u1", [3, 2, 2], Uint8Array.of(0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11))),
      undefined,
      say,
    );
    expect(first).toEqual(last);
    expect([...last.data]).toEqual(Array.from({ length: 12 }, (_, i) => i));
    await expect(
      readPicture(put("odd.npy", npy("|u1", [2, 2, 5], new Uint8Array(20))), undefined, say),
    ).rejects.toThrow("one picture is");
  });

  it("numbers outside of their range are refused, and the range can be said", () => {
    const values = Float32Array.of(0, 128, 255);
    expect(() => inRange(values, "x.npy", undefined, silent)).toThrow(/from 0\.00 to 255: .*say --range 0,255/);
    expect([...inRange(values, "x.npy", [0, 255], silent)]).toEqual([-1, expect.closeTo(0.0039, 3), 1]);
    expect([...inRange(values, "x.npy", [255, 0], silent)]).toEqual([1, expect.closeTo(-0.0039, 3), -1]);
    expect(() => inRange(Float32Array.of(-0.5), "x.npy", [0, 1], silent)).toThrow("--range says 0 to 1");
    // Measurements have noise.
    expect([...inRange(Float32Array.of(1.5), "y.npy", undefined, silent, "measurements")]).toEqual([1.5]);
  });
});
