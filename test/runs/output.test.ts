import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { NcvsdError } from "../../src/errors.js";
import { decodePng, encodePng } from "../../src/image/png.js";
import { type ImageOrigin, imageText, type Options, runKey } from "../../src/runs/origin.js";
import { alreadyDone, checkpointSha256, imageName, prepareOutdir } from "../../src/runs/output.js";
import { type RunFile, type RunInfo, RunRecord } from "../../src/runs/run-record.js";
import { writeAtomic } from "../../src/runs/whole-file.js";
import { scratch } from "../support/cli.js";

const place = scratch();
let dir = "";
beforeEach(({ task }) => {
  dir = place(task.id);
  mkdirSync(dir);
});

const SHA = "ab".repeat(32);
const OPTIONS: Options = { sampler: "multi-step", ts: [10, 22], zeta: 1, class: null, precision: "f32" };
const origin = (seed: number, more: Partial<ImageOrigin> = {}): ImageOrigin => ({
  seed,
  classIndex: 3,
  className: "Kleid Ω",
  checkpoint: { name: "ncvsd-fashion32.safetensors", sha256: SHA },
  options: OPTIONS,
  adapter: "llvmpipe (LLVM 19.1.7, 256 bits)",
  version: "0.1.0",
  ...more,
});
const image = { width: 8, height: 8, channels: 1 as const, data: Uint8Array.from({ length: 64 }, (_, i) => i * 4) };
const png = (seed: number, more: Partial<ImageOrigin> = {}) => encodePng(image, imageText(origin(seed, more)));

function refusal(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(NcvsdError);
    expect((error as NcvsdError).code).toBe("BAD_ARGUMENT");
    expect((error as Error).message).not.toContain("\n");
    return (error as Error).message;
  }
  throw new Error("was not refused");
}

describe("the output folder", () => {
  test("is made with its parents; the folders go again while nothing is in them", () => {
    const deep = join(dir, "a/b/c");
    const out = prepareOutdir(deep);
    expect(readdirSync(deep)).toEqual([]);
    writeFileSync(join(dir, "a/other"), "");
    out.discardIfEmpty();
    expect(readdirSync(join(dir, "a"))).toEqual(["other"]);

    const used = prepareOutdir(join(dir, "used"));
    writeAtomic(join(used.dir, "x"), "1");
    used.discardIfEmpty();
    expect(readdirSync(join(dir, "used"))).toEqual(["x"]);

    mkdirSync(join(dir, "before"));
    prepareOutdir(join(dir, "before")).discardIfEmpty();
    expect(existsSync(join(dir, "before"))).toBe(true);
  });

  test("a file in its place or on its way, or a folder that refuses, is one clear sentence", () => {
    const file = join(dir, "file");
    writeFileSync(file, "mine");
    expect(refusal(() => prepareOutdir(file))).toBe(`the output folder ${file} is a file: name a folder`);
    expect(refusal(() => prepareOutdir(join(file, "sub")))).toMatch(/cannot be made: a part of the path is a file/);
    expect(readFileSync(file, "utf8")).toBe("mine");
    expect(refusal(() => prepareOutdir(""))).toMatch(/empty name/);
    expect(refusal(() => prepareOutdir(join(dir, "new/deeper", "x".repeat(300))))).toMatch(
      /cannot be made: the name is too long/,
    );
    expect(readdirSync(dir)).toEqual(["file"]);
    // Root may write everywhere but into the kernel's own files.
    const closed = process.getuid?.() === 0 ? "/proc/self" : join(dir, "closed");
    if (closed !== "/proc/self") {
      mkdirSync(closed);
      chmodSync(closed, 0o555);
    }
    expect(refusal(() => prepareOutdir(closed))).toMatch(/cannot be written to: /);
    expect(refusal(() => prepareOutdir(join(closed, "sub")))).toMatch(/cannot be made: /);
  });
});

describe("writing a file", () => {
  test("makes its folder, replaces what was there, leaves nothing beside it", () => {
    const path = join(dir, imageName(1234, true));
    writeAtomic(path, "one");
    writeAtomic(path, Uint8Array.of(65, 66));
    expect(readFileSync(path, "utf8")).toBe("AB");
    expect(readdirSync(join(dir, "001000"))).toEqual(["001234.png"]);
  });

  test("that fails says so and leaves what was there", () => {
    mkdirSync(join(dir, "taken/inside"), { recursive: true });
    expect(refusal(() => writeAtomic(join(dir, "taken"), "x"))).toMatch(/taken cannot be written: /);
    expect(readdirSync(dir)).toEqual(["taken"]);
    writeFileSync(join(dir, "file"), "");
    expect(refusal(() => writeAtomic(join(dir, "file/x"), "x"))).toMatch(/a part of the path is a file/);
  });

  test("image names are those of the reference", () => {
    expect(imageName(12)).toBe("000012.png");
    expect(imageName(12, true)).toBe("000000/000012.png");
    expect(imageName(63_999, true)).toBe("063000/063999.png");
    expect(imageName(4_294_967_295)).toBe("4294967295.png");
  });
});

describe("the run key", () => {
  const key = runKey(OPTIONS, SHA);

  test("is the hash of canonical JSON", () => {
    expect(key).toBe(
      createHash("sha256")
        .update(
          `{"checkpoint":"${SHA}","options":{"class":null,"precision":"f32","sampler":"multi-step","ts":[10,22],"zeta":1},"scheme":1}`,
        )
        .digest("hex"),
    );
  });

  test("does not depend on order, absent entries, or what cannot change an image", () => {
    const same: Options[] = [
      { zeta: 1, precision: "f32", class: null, ts: [10, 22], sampler: "multi-step" },
      { ...OPTIONS, guidance: undefined },
      {
        ...OPTIONS,
        batch: 7,
        outdir: "/tmp/x",
        seeds: "0-9",
        grid: "a.png",
        json: true,
        adapter: "llvmpipe",
        subdirs: true,
        saveRaw: "x",
        force: true,
      },
    ];
    for (const options of same) expect(runKey(options, SHA)).toBe(key);
  });

  test("depends on everything else", () => {
    const others = [
      { zeta: 0.5 },
      { ts: [10] },
      { ts: [22, 10] },
      { class: 3 },
      { precision: "f16" },
      { S_max: Infinity },
      { S_max: "x" },
      { anything: null },
    ];
    const keys = [key, runKey(OPTIONS, "cd".repeat(32)), ...others.map((more) => runKey({ ...OPTIONS, ...more }, SHA))];
    expect(new Set(keys).size).toBe(keys.length);
  });
});

test("checkpoint hashes: one file's own, several together", async () => {
  writeFileSync(join(dir, "a"), "alpha");
  writeFileSync(join(dir, "b"), "beta");
  const sha = (text: string) => createHash("sha256").update(text).digest("hex");
  expect(await checkpointSha256([join(dir, "a")])).toBe(sha("alpha"));
  const both = sha(`${sha("alpha")}  a\n${sha("beta")}  b\n`);
  expect(await checkpointSha256([join(dir, "b"), join(dir, "a")])).toBe(both);
});

describe("images that are there", () => {
  const key = runKey(OPTIONS, SHA);
  const put = (seed: number, bytes: Uint8Array, subdirs = false) =>
    writeAtomic(join(dir, imageName(seed, subdirs)), bytes);

  test("carry all that made them, and the same bytes whatever the batch", () => {
    const { text } = decodePng(png(12));
    expect(text).toMatchObject({
      "ncvsd-gpu:seed": "12",
      "ncvsd-gpu:class": "3",
      "ncvsd-gpu:class-name": "Kleid Ω",
      "ncvsd-gpu:checkpoint-sha256": SHA,
      "ncvsd-gpu:run-key": key,
      "ncvsd-gpu:adapter": "llvmpipe (LLVM 19.1.7, 256 bits)",
      "ncvsd-gpu:version": "0.1.0",
    });
    expect(JSON.parse(text["ncvsd-gpu:options"]!)).toEqual(OPTIONS);
    expect(png(12, { options: { ...OPTIONS, batch: 3, seeds: "0-9" } })).toEqual(png(12));
  });

  test("are kept when whole and of the same options; all others are made anew, in order", () => {
    put(1, png(1));
    put(2, png(2, { options: { ...OPTIONS, zeta: 0 } }));
    put(3, png(3, { checkpoint: { name: "x", sha256: "cd".repeat(32) } }));
    put(4, png(99));
    const cut = png(5);
    put(5, cut.subarray(0, cut.length - 20));
    const flipped = png(6);
    flipped[flipped.length - 25]! ^= 1;
    put(6, flipped);
    put(8, png(8, { adapter: "SwiftShader" }));
    expect(alreadyDone(dir, [8, 7, 6, 5, 4, 3, 2, 1], key)).toEqual({ kept: [8, 1], redo: [7, 6, 5, 4, 3, 2] });
    expect(alreadyDone(dir, [8, 1], key, { force: true })).toEqual({ kept: [], redo: [8, 1] });
  });

  test("are looked for in the folder they would be written to", () => {
    put(1234, png(1234), true);
    expect(alreadyDone(dir, [1234], key, { subdirs: true }).kept).toEqual([1234]);
    expect(alreadyDone(dir, [1234], key).redo).toEqual([1234]);
  });

  test("a file that is not ours is not touched without --force", () => {
    for (const bytes of [encodePng(image), encodePng(image, { Software: "camera" }), Buffer.from("text")]) {
      put(3, bytes);
      expect(refusal(() => alreadyDone(dir, [2, 3], key))).toMatch(
        /000003\.png is there and was not made by ncvsd-gpu: .*--force/,
      );
      expect(alreadyDone(dir, [2, 3], key, { force: true }).redo).toEqual([2, 3]);
      expect(readFileSync(join(dir, "000003.png"))).toEqual(Buffer.from(bytes));
    }
    // A crash or a power cut leaves an empty file, which nobody loses.
    put(3, new Uint8Array(0));
    expect(alreadyDone(dir, [2, 3], key).redo).toEqual([2, 3]);
    mkdirSync(join(dir, "000009.png"));
    expect(refusal(() => alreadyDone(dir, [9], key, { force: true }))).toMatch(/cannot be read: it is a folder/);
  });
});

describe("run.json", () => {
  const info = (seeds: number[], more: Partial<RunInfo> = {}): RunInfo => ({
    version: "0.1.0",
    command: ["ncvsd-gpu", "sample", "--ts", "10,22"],
    options: { ...OPTIONS, batch: 4 },
    checkpoint: { name: "ncvsd-fashion32.safetensors", sha256: SHA, architecture: "ncvsd" },
    adapter: "llvmpipe",
    seeds,
    ...more,
  });
  const read = () => JSON.parse(readFileSync(join(dir, "run.json"), "utf8")) as RunFile;
  const touch = (...seeds: number[]) => {
    for (const seed of seeds) writeFileSync(join(dir, imageName(seed)), "");
  };
  const run = (made: number[], kept: number[] = [], more: Partial<RunInfo> = {}) => {
    const record = RunRecord.open(dir, info([...made, ...kept], more));
    touch(...made);
    for (const seed of made) record.addMade(seed, { class: 3, className: "Dress" });
    for (const seed of kept) record.addKept(seed, { class: 3, className: "Dress" });
    record.write({ seconds: 1.5 }, new Date("2025-01-02T03:04:05Z"));
    return record;
  };

  test("has all that is needed to repeat a run", () => {
    const { key } = run([0, 1, 2]);
    expect(key).toBe(runKey(OPTIONS, SHA));
    expect(read()).toEqual({
      tool: "ncvsd-gpu",
      format: 1,
      settings: { [key]: { options: OPTIONS, checkpoint: info([]).checkpoint } },
      runs: [
        {
          date: "2025-01-02T03:04:05.000Z",
          version: "0.1.0",
          command: ["ncvsd-gpu", "sample", "--ts", "10,22"],
          adapter: "llvmpipe",
          settings: key,
          seeds: "0-2",
          made: 3,
          kept: 0,
          complete: true,
          timings: { seconds: 1.5 },
        },
      ],
      images: Object.fromEntries(
        [0, 1, 2].map((s) => [s, { file: imageName(s), class: 3, className: "Dress", settings: key }]),
      ),
    });
    // One line an image, readable by eye.
    expect(readFileSync(join(dir, "run.json"), "utf8")).toContain('\n    "1": {"file":"000001.png",');
  });

  test("grows when a run is extended, and stays as it is when all was there", () => {
    const first = run([0, 1]);
    run([2, 3], [0, 1]);
    const file = read();
    expect(Object.keys(file.images)).toEqual(["0", "1", "2", "3"]);
    expect(file.runs.map(({ seeds, made, kept }) => ({ seeds, made, kept }))).toEqual([
      { seeds: "0-1", made: 2, kept: 0 },
      { seeds: "0-3", made: 2, kept: 2 },
    ]);
    const before = readFileSync(first.path);
    run([], [0, 1, 2, 3]);
    expect(readFileSync(first.path)).toEqual(before);
  });

  test("keeps settings apart, replaces seeds made again, forgets images deleted since", () => {
    const one = run([0, 1, 2]);
    rmSync(join(dir, imageName(2)));
    const two = run([1], [], { options: { ...OPTIONS, zeta: 0 } });
    const { images, settings } = read();
    expect(Object.keys(images)).toEqual(["0", "1"]);
    expect(images["0"]!.settings).toBe(one.key);
    expect(images["1"]!.settings).toBe(two.key);
    expect(Object.keys(settings).sort()).toEqual([one.key, two.key].sort());
  });

  test("an interrupted run is not complete, and a kept image without an entry gets one", () => {
    const record = RunRecord.open(dir, info([0, 1, 2]));
    touch(0, 1);
    record.addMade(0);
    record.addKept(1);
    record.write({});
    expect(read().runs[0]).toMatchObject({ made: 1, kept: 1, complete: false });
    expect(Object.keys(read().images)).toEqual(["0", "1"]);
  });

  test("two runs at once in one folder do not lose each other's images", () => {
    const a = RunRecord.open(dir, info([0]));
    const b = RunRecord.open(dir, info([1]));
    touch(0, 1);
    a.addMade(0);
    b.addMade(1);
    a.write({});
    b.write({});
    expect(Object.keys(read().images)).toEqual(["0", "1"]);
    expect(read().runs).toHaveLength(2);
  });

  test("infinities survive, as text", () => {
    const { key } = run([0], [], { options: { S_max: Infinity } });
    expect(read().settings[key]!.options).toEqual({ S_max: "Infinity" });
  });

  test("somebody else's run.json is refused before anything is done, unless forced", () => {
    const path = join(dir, "run.json");
    for (const text of ["{", "[]", "null", '{"tool":"other"}', '{"tool":"ncvsd-gpu","format":1}']) {
      writeFileSync(path, text);
      expect(refusal(() => RunRecord.open(dir, info([0])))).toMatch(
        /run\.json is there and is no record of ncvsd-gpu: .*--force/,
      );
      expect(readFileSync(path, "utf8")).toBe(text);
    }
    writeFileSync(path, '{"tool":"ncvsd-gpu","format":2}');
    expect(refusal(() => RunRecord.open(dir, info([0])))).toMatch(/written by a newer ncvsd-gpu/);
    RunRecord.open(dir, info([0]), { force: true }).write({});
    expect(read().format).toBe(1);
  });
});
