import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { Dataset } from "../../src/data/dataset.js";
import { transformed } from "../../src/data/transforms.js";
import { fromByte, type RawImage } from "../../src/image/pixels.js";
import { encodePng } from "../../src/image/png.js";
import { Vae } from "../../src/networks/vae/vae.js";
import { cli, cliOk, filesIn, png, scratch, sentence } from "../support/cli.js";
import { files, folderOf, npy, picture, zipOf } from "../support/dataset.js";
import { openTestGpu } from "../support/gpu.js";
import { randomVae, SMALL_VAE } from "../support/random-vae.js";

const place = scratch();
const photos = place("photos");
const pictures = [0, 1, 2, 3].map((i) => picture(i, 20 + i));

beforeAll(() => {
  folderOf(photos, {
    "cat/0.png": encodePng(pictures[0]!),
    "cat/1.png": encodePng(pictures[1]!),
    "dog/0.png": encodePng(pictures[2]!),
    "dog/1.png": encodePng(pictures[3]!),
  });
});

const convert = (...args: string[]) => ["dataset", "convert", ...args];

/** [C, H, W] in [-1, 1]. */
const values = ({ data, width, height, channels }: RawImage) =>
  Float32Array.from(data, (_, k) =>
    fromByte(data[(k % (width * height)) * channels + Math.floor(k / (width * height))]!),
  );

async function opened<T>(path: string, use: (set: Dataset) => Promise<T>): Promise<T> {
  const set = await Dataset.open(path);
  return use(set).finally(() => set.close());
}

describe("ncvsd-gpu dataset convert", () => {
  it("makes a folder and a zip archive of the same pictures and labels", async () => {
    const size = { width: 16, height: 16 };
    const expected = pictures.map((image) => values(transformed(image, "center-crop-dhariwal", size)!));
    const prints: string[] = [];
    for (const dest of [place("set"), place("set.zip")]) {
      const args = convert(photos, "--dest", dest, "--resolution", "16x16", "--transform", "center-crop-dhariwal");
      const result = JSON.parse((await cliOk([...args, "--json"])).stdout);
      expect(result).toMatchObject({
        kind: "folder",
        images: 4,
        skipped: 0,
        shape: [3, 16, 16],
        labelKind: "classes",
        labelDim: 2,
      });
      await opened(dest, async (set) => {
        expect(set.classes).toEqual(["cat", "dog"]);
        for (const [i, values] of expected.entries()) {
          const { image, label } = await set.item(i);
          expect(image).toEqual(values);
          expect([...label]).toEqual(i < 2 ? [1, 0] : [0, 1]);
        }
        prints.push(await set.fingerprint());
      });
    }
    expect(prints[1]).toBe(prints[0]);
    const names = [0, 1, 2, 3].map((i) => `00000/img0000000${i}.png`);
    expect(filesIn(place("set"))).toEqual([...names, "dataset.json"]);
    // What the reference's loader looks at.
    const json = JSON.parse(readFileSync(join(place("set"), "dataset.json"), "utf8"));
    expect(json.labels).toEqual(names.map((name, i) => [name, i >> 1]));
  });

  it("makes the same of a data set that it made", async () => {
    const [first, second] = [place("again.zip"), place("once.zip")];
    await cliOk(convert(photos, "--dest", second, "--resolution", "8x8", "--transform", "center-crop"));
    await cliOk(convert(second, "--dest", first));
    expect(readFileSync(first).equals(readFileSync(second))).toBe(true);
  });

  it("makes grey pictures of the first ones of an IDX file", async () => {
    const head = Buffer.alloc(16);
    for (const [i, value] of [0x803, 3, 28, 28].entries()) head.writeUInt32BE(value, 4 * i);
    const path = place("t10k-images-idx3-ubyte");
    writeFileSync(path, Buffer.concat([head, Buffer.alloc(3 * 784, 99)]));
    const { stdout } = await cliOk(convert(path, "--dest", place("mnist.zip"), "--grey", "--max-images", "2"));
    expect(stdout).toContain("2 pictures of 32x32 with 1 channel from IDX, no labels");
    await opened(place("mnist.zip"), async (set) => {
      expect([set.length, set.shape.join(), set.labels.dim]).toEqual([2, "1,32,32", 0]);
    });
  });

  it("begins a folder anew that was broken off, and no other", async () => {
    const dest = place("broken");
    const args = convert(photos, "--dest", dest, "--resolution", "8x8");
    await cliOk(args);
    const again = await cli(args);
    expect([again.code, sentence(again)]).toEqual([2, expect.stringMatching(/is a data set: .*--force/)]);
    const whole = filesIn(dest).map((name) => readFileSync(join(dest, name)));
    rmSync(join(dest, "dataset.json"));
    cpSync(join(dest, "00000/img00000002.png"), join(dest, "00000/img00000009.png"));
    writeFileSync(join(dest, "00000/img00000001.png"), "");
    await cliOk(args);
    expect(filesIn(dest).map((name) => readFileSync(join(dest, name)))).toEqual(whole);
    await cliOk([...args, "--force", "--max-images", "2"]);
    expect(filesIn(dest)).toEqual(["00000/img00000000.png", "00000/img00000001.png", "dataset.json"]);
    rmSync(join(dest, "dataset.json"));
    writeFileSync(join(dest, "00000/img00000003.png"), encodePng(picture(3)));
    expect((await cli(args)).code).toBe(2);
  });

  it("leaves gaps where center-crop-wide finds pictures too small", async () => {
    const dest = place("wide");
    const wide = ["--resolution", "16x8", "--transform", "center-crop-wide"];
    const { stdout } = await cliOk(convert(photos, "--dest", dest, ...wide));
    expect(stdout).toContain("4 pictures of 16x16");
    const small = folderOf(place("small"), { "0.png": encodePng(picture(0, 8)), "1.png": encodePng(picture(1, 40)) });
    const next = place("gaps");
    const result = JSON.parse((await cliOk(convert(small, "--dest", next, ...wide, "--json"))).stdout);
    expect(result).toMatchObject({ images: 1, skipped: 1 });
    expect(filesIn(next)).toEqual(["00000/img00000001.png", "dataset.json"]);
  });

  it("refuses what it cannot do, in one sentence, and leaves no archive", async () => {
    const cut = folderOf(place("cut"), {
      "0.png": encodePng(pictures[0]!),
      "1.png": encodePng(pictures[1]!).slice(0, 80),
      "2.png": encodePng(pictures[2]!),
    });
    const full = folderOf(place("full"), { "mine.txt": Uint8Array.of(1) });
    writeFileSync(place("mine.zip"), "mine");
    const size = ["--resolution", "16x16"];
    const wide = ["--transform", "center-crop-wide"];
    for (const [args, message, code = 2] of [
      [[photos, "--dest", place("x.zip")], /becomes 20x20, but sides must be powers of two: .*16x16/],
      [[photos, "--dest", place("x.zip"), "--resolution", "16x8"], /becomes 16x8, but pictures to train on are square/],
      [[photos, "--dest", place("x.zip"), "--resolution", "16"], /must be width and height/],
      [[photos, "--dest", place("x.zip"), "--transform", "center-crop"], /needs --resolution/],
      [[photos, "--dest", place("x.zip"), "--resolution", "256x128", ...wide], /no picture is large enough/],
      [[cut, "--dest", place("x.zip"), ...size], /cut\/1\.png is cut off.*: mend it, or leave it out with --skip-bad$/],
      [[photos, "--dest", full, ...size], /holds other files/],
      [[photos, "--dest", place("mine.zip"), ...size], /mine\.zip is there/],
      [[photos, "--dest", photos, ...size], /--dest .* is what <source> reads/],
      [[place("nowhere"), "--dest", place("x.zip")], /nowhere is not there/, 1],
    ] as [string[], RegExp, number?][]) {
      const result = await cli(convert(...args));
      expect([result.code, sentence(result)]).toEqual([code, expect.stringMatching(message)]);
      expect(existsSync(place("x.zip"))).toBe(false);
    }
    const { stdout } = await cliOk(convert(cut, "--dest", place("x.zip"), ...size, "--skip-bad", "--json"));
    const damaged = [expect.stringMatching(/cut\/1\.png is cut off/)];
    expect(JSON.parse(stdout)).toMatchObject({ images: 2, skipped: 0, damaged });
    // What is damaged takes no number, and is not among the first so many.
    const some = convert(cut, "--dest", place("some"), ...size, "--skip-bad", "--max-images");
    await cliOk([...some, "2"]);
    expect(filesIn(place("some"))).toEqual(["00000/img00000000.png", "00000/img00000001.png", "dataset.json"]);
    await cliOk([...some, "1", "--force"]);
    expect(filesIn(place("some"))).toEqual(["00000/img00000000.png", "dataset.json"]);
    expect(filesIn(full)).toEqual(["mine.txt"]);
    expect(readFileSync(place("mine.zip"), "utf8")).toBe("mine");
    await cliOk(convert(photos, "--dest", place("mine.zip"), ...size, "--force"));
  });
});

describe("ncvsd-gpu dataset encode", () => {
  const source = place("to-encode.zip");
  const vae = place("vae.safetensors");
  const encode = (...args: string[]) => ["dataset", "encode", source, "--vae", vae, ...args];
  // More than one call of the encoder takes.
  const squares = Array.from({ length: 17 }, (_, i) => picture(i, 16));

  beforeAll(() => {
    const labels = squares.map((_, i) => [`00000/img${String(i).padStart(8, "0")}.png`, i % 3]);
    writeFileSync(source, zipOf(files(squares, labels)));
    writeFileSync(vae, randomVae(SMALL_VAE, 5, true).file);
  });

  it("stores the means and deviations of every picture's latent, and its label", async () => {
    const gpu = await openTestGpu();
    const open = await Vae.open(gpu, vae);
    const unit = squares.flatMap(({ data }) =>
      [0, 1, 2].flatMap((c) => Array.from({ length: 256 }, (_, p) => data[3 * p + c]! / 255)),
    );
    const { latents, shape } = await open.encode(Float32Array.from(unit), [17, 3, 16, 16]);
    gpu.close();
    for (const dest of [place("latents.zip"), place("latents-folder")]) {
      const result = JSON.parse((await cliOk(encode("--dest", dest, "--json"))).stdout);
      expect(result).toMatchObject({ images: 17, shape: [8, 4, 4], labelDim: 3 });
      await opened(dest, async (set) => {
        expect([set.kind, set.length, set.shape]).toEqual(["latents", 17, shape.slice(1)]);
        for (let i = 0; i < 17; i++) {
          const item = await set.item(i);
          expect(item.image).toEqual(latents.slice(128 * i, 128 * (i + 1)));
          expect(item.class).toBe(i % 3);
        }
      });
    }
    expect(filesIn(place("latents-folder"))[16]).toBe("00000/img-mean-std-00000016.npy");
    const again = await cli(encode("--dest", place("latents-folder")));
    expect([again.code, sentence(again)]).toEqual([2, expect.stringMatching(/is a data set: name another folder/)]);
  });

  it("refuses pictures that the encoder cannot take, and leaves nothing behind", async () => {
    for (const [images, said] of [
      [[picture(1, 12)], /is 12x12, but the encoder takes squares whose side is a multiple of 8/],
      [[picture(1, 16), picture(2, 24)], /is 24x24, but the first is 16x16/],
    ] as const) {
      writeFileSync(place("odd.zip"), zipOf(files(images, null)));
      const refused = await cli([
        "dataset",
        "encode",
        place("odd.zip"),
        "--vae",
        vae,
        "--dest",
        place("odd-latents.zip"),
      ]);
      expect([refused.code, sentence(refused)]).toEqual([2, expect.stringMatching(said)]);
      expect(existsSync(place("odd-latents.zip"))).toBe(false);
    }
  });
});

describe("ncvsd-gpu dataset info", () => {
  const labelled = () => {
    const path = place("labelled.zip");
    const labels = [1, 0, 3, 1, 1].map((label, i) => [`00000/img0000000${i}.png`, label]);
    writeFileSync(
      path,
      zipOf(
        files(
          [0, 1, 2, 3, 4].map((i) => picture(i, 16)),
          labels,
        ),
      ),
    );
    return path;
  };

  it("counts pictures and classes, and shows a row of each", async () => {
    const grid = place("sheet.png");
    const { stdout } = await cliOk(["dataset", "info", labelled(), "--grid", grid, "--fingerprint", "--check"]);
    expect(stdout).toMatch(/pictures +5 of 16x16 with 3 channels/);
    expect(stdout).toMatch(/fingerprint +[0-9a-f]{64}\n/);
    expect(stdout).toMatch(/damaged +0\n/);
    expect(
      stdout
        .split("\n")
        .slice(-5)
        .map((line) => line.trim().split(/ +/)),
    ).toEqual([["0", "1"], ["1", "3"], ["2", "0"], ["3", "1"], [""]]);
    const sheet = png(grid);
    // Three columns and a row for each class that has pictures, of 80 and more, at twice the size.
    expect(sheet.width).toBeGreaterThan(2 * 3 * 80);
    expect(Math.floor(sheet.height / 2 / 88)).toBe(3);
    expect(sheet.text["ncvsd-gpu:sheet"]).toBeDefined();
    const json = JSON.parse((await cliOk(["dataset", "info", labelled(), "--json"])).stdout);
    expect(json).toMatchObject({ kind: "pictures", images: 5, shape: [3, 16, 16], labelDim: 4, counts: [1, 3, 0, 1] });
  });

  it("shows as many classes of large pictures as a sheet can hold", async () => {
    const path = place("large.zip");
    const labels = Array.from({ length: 29 }, (_, i) => Math.max(0, i - 9));
    const blank = { width: 512, height: 512, channels: 1 as const, data: new Uint8Array(2 ** 18) };
    const named = labels.map((label, i) => [`00000/img${String(i).padStart(8, "0")}.png`, label]);
    writeFileSync(path, zipOf(files(new Array(29).fill(blank), named)));
    await cliOk(["dataset", "info", path, "--grid", place("large.svg")]);
    expect(readFileSync(place("large.svg"), "utf8").match(/<image /g)).toHaveLength(18);
  });

  it("names what is damaged, and ends with 1", async () => {
    const path = place("damaged.zip");
    const members = files([picture(0), picture(1), picture(2)], null);
    members["00000/img00000001.png"] = members["00000/img00000001.png"]!.slice(0, 70);
    writeFileSync(path, zipOf(members));
    const result = await cli(["dataset", "info", path, "--check", "--json"]);
    expect(result.code).toBe(1);
    expect(JSON.parse(result.stdout).damaged).toEqual([expect.stringMatching(/img00000001\.png is cut off/)]);
  });

  it("tells of latents, which it cannot show", async () => {
    const dir = place("latents");
    mkdirSync(dir);
    writeFileSync(join(dir, "img-mean-std-00000000.npy"), npy([8, 2, 2], new Float32Array(32)));
    expect((await cliOk(["dataset", "info", dir])).stdout).toMatch(/latents +1 of 2x2 with 8 channels\nlabels +none/);
    const refused = await cli(["dataset", "info", dir, "--grid", place("no.png")]);
    expect([refused.code, sentence(refused)]).toEqual([2, expect.stringMatching(/holds latents/)]);
  });
});
