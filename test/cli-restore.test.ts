import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openCheckpoint } from "../src/checkpoint/index.js";
import type { ImageResult, SummaryRow } from "../src/cli/restore-report.js";
import { psnr, ssim } from "../src/image/metrics.js";
import { imagesFromValues } from "../src/image/pixels.js";
import { decodePng, encodePng } from "../src/image/png.js";
import { TEST_ADAPTER } from "./support/gpu.js";

const project = new URL("..", import.meta.url).pathname;
const main = join(project, "dist/src/cli/main.js");
const root = mkdtempSync(join(tmpdir(), "ncvsd-restore-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const adapter = TEST_ADAPTER ? ["--adapter", TEST_ADAPTER] : [];

beforeAll(async () => {
  const { BUILT_FROM, sourceHash } = await import(new URL("../scripts/lib.mjs", import.meta.url).href);
  const built = join(project, BUILT_FROM);
  if (existsSync(main) && existsSync(built) && readFileSync(built, "utf8") === sourceHash()) return;
  const build = spawnSync(process.execPath, [join(project, "scripts/build.mjs")], { encoding: "utf8" });
  if (build.status !== 0) throw new Error(build.stdout + build.stderr);
});

function restore(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, "restore", ...args, ...adapter], {
    encoding: "utf8",
    cwd: root,
  });
  return { status, stdout, stderr };
}

/** A run that has to succeed; its `--json` object. */
function restored(...args: string[]): { made: number; kept: number; nfe: number; summary: SummaryRow[] } {
  const { status, stdout, stderr } = restore(...args, "--json");
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

const out = (name: string) => join(root, name);
const result = (dir: string, name: string) =>
  JSON.parse(readFileSync(join(out(dir), name, "result.json"), "utf8")) as ImageResult;

async function values(dir: string, name: string): Promise<Record<string, Float32Array>> {
  const file = await openCheckpoint(join(out(dir), name, "values.safetensors"));
  const tensors: Record<string, Float32Array> = {};
  for (const key of file.tensors.keys()) tensors[key] = await file.readF32(key);
  await file.close();
  return tensors;
}

const FAST = ["--steps", "4", "--runs", "2", "--images", "0-1"];

describe("restore", () => {
  beforeAll(() => {
    restored("--task", "box_inpainting", ...FAST, "--outdir", "box");
  });

  test("writes every picture, raw values, sheets and tables, each figure as its definition says", async () => {
    expect(readdirSync(out("box")).sort()).toEqual(["000000", "000001", "metrics.json", "metrics.md", "overview.png"]);
    const names = [
      "baseline-harmonic",
      "baseline-measurement",
      "best",
      "mean",
      "measurement",
      "sample-00",
      "sample-01",
      "sheet",
      "std",
      "truth",
    ];
    for (const image of ["000000", "000001"]) {
      const dir = join(out("box"), image);
      expect(readdirSync(dir).sort()).toEqual(
        [...names.map((n) => `${n}.png`), "result.json", "values.safetensors"].sort(),
      );
      const v = await values("box", image);
      const samples = [v.samples!.subarray(0, 1024), v.samples!.subarray(1024)];
      for (const [run, sample] of samples.entries()) {
        const [picture] = imagesFromValues(sample, [1, 1, 32, 32]);
        const stored = decodePng(readFileSync(join(dir, `sample-0${run}.png`)));
        expect(Buffer.compare(stored.data, picture!.data)).toBe(0);
        expect(stored.text["ncvsd-gpu:image"]).toBe(image);
      }
      const r = result("box", image);
      // Known pixels only: 32 * 32 without the 16 x 16 in the middle.
      const known = (i: number) => !(i >> 5 >= 8 && i >> 5 < 24 && i % 32 >= 8 && i % 32 < 24);
      for (const [run, figures] of r.samples.entries()) {
        const x = samples[run]!;
        expect(figures.psnr).toBeCloseTo(psnr(x, v.truth!, [1, 1, 32, 32])[0]!, 9);
        expect(figures.ssim).toBeCloseTo(ssim(x, v.truth!, [1, 1, 32, 32])[0]!, 9);
        let sum = 0;
        for (let i = 0; i < 1024; i++) if (known(i)) sum += (x[i]! - v.measurement![i]!) ** 2;
        expect(figures.chi2).toBeCloseTo(sum / (768 * 0.05 ** 2), 4);
        expect(figures.nfe).toBe(3);
        expect(figures.seconds).toBeGreaterThan(0);
      }
      expect(r.best).toBe(r.samples[0]!.psnr! >= r.samples[1]!.psnr! ? 0 : 1);
      for (let i = 0; i < 1024; i++) {
        const [a, b] = [samples[0]![i]!, samples[1]![i]!];
        expect(v.mean![i]).toBeCloseTo((a + b) / 2, 5);
        expect(v.std![i]).toBeCloseTo(Math.abs(a - b) / Math.SQRT2, 5);
        if (!known(i)) expect(v.measurement![i]).toBe(0);
      }
      // The truth's own chi^2: 768 squared normals over 768, so 1 +- 5 / sqrt(384).
      let own = 0;
      for (let i = 0; i < 1024; i++) if (known(i)) own += (v.truth![i]! - v.measurement![i]!) ** 2;
      expect(Math.abs(own / (768 * 0.05 ** 2) - 1)).toBeLessThan(0.26);
    }
    const metrics = JSON.parse(readFileSync(join(out("box"), "metrics.json"), "utf8"));
    expect(metrics).toMatchObject({ tool: "ncvsd-gpu", task: "box_inpainting", complete: true });
    expect(Object.keys(metrics.images)).toEqual(["000000", "000001"]);
    const table = readFileSync(join(out("box"), "metrics.md"), "utf8");
    expect(table).toMatch(/\| method \| PSNR \(dB\) \| SSIM \| chi\^2 \| NFE \| seconds \|/);
    const methods = metrics.summary.map((row: SummaryRow) => row.method);
    expect(methods).toEqual([
      "measurement",
      "harmonic",
      "PnP-GD, one sample",
      "PnP-GD, mean of 2",
      "PnP-GD, lowest chi^2 of 2",
      "PnP-GD, best PSNR of 2",
    ]);
    for (const row of metrics.summary as SummaryRow[])
      expect(table).toContain(`| ${row.method} | ${row.psnr!.toFixed(2)} |`);
  });

  test("a sample does not change with the batch, the other images or the place in a folder", async () => {
    restored("--task", "box_inpainting", ...FAST, "--images", "1", "--batch", "1", "--outdir", "alone");
    const [a, b] = [await values("box", "000001"), await values("alone", "000001")];
    for (const key of Object.keys(a)) {
      const far = a[key]!.reduce((most, v, i) => Math.max(most, Math.abs(v - b[key]![i]!)), 0);
      expect(far).toBeLessThan(2e-4);
    }
    expect(a.samples!.subarray(0, 1024)).not.toEqual(a.samples!.subarray(1024));
  });

  test("the same options keep finished images; a damaged file or other options make them anew", () => {
    const at = (name: string) => statSync(join(out("box"), name, "result.json")).mtimeMs;
    const before = [at("000000"), at("000001")];
    const again = restored("--task", "box_inpainting", ...FAST, "--outdir", "box");
    expect([again.made, again.kept]).toEqual([0, 2]);
    expect([at("000000"), at("000001")]).toEqual(before);
    writeFileSync(join(out("box"), "000001", "mean.png"), "damaged");
    const repaired = restored("--task", "box_inpainting", ...FAST, "--outdir", "box");
    expect([repaired.made, repaired.kept, at("000000")]).toEqual([1, 1, before[0]]);
    decodePng(readFileSync(join(out("box"), "000001", "mean.png")));
    const other = restored("--task", "box_inpainting", ...FAST, "--runs", "1", "--outdir", "box");
    expect([other.made, other.kept]).toEqual([2, 0]);
    expect(existsSync(join(out("box"), "000000", "sample-01.png"))).toBe(false);
    expect(existsSync(join(out("box"), "000000", "std.png"))).toBe(false);
  });

  test("a measurement without the truth is restored and judged by chi^2", async () => {
    restored("--task", "super_resolution", ...FAST, "--factor", "2", "--images", "4", "--outdir", "super");
    const given = join(out("super"), "000004", "values.safetensors");
    const { summary } = restored(
      "--task",
      "super_resolution",
      ...FAST,
      "--factor",
      "2",
      "--images",
      "0",
      "--measurement",
      given,
      "--outdir",
      "real",
    );
    expect(summary.map((row) => [row.method, row.psnr])).toEqual([
      ["bicubic", undefined],
      ["PnP-GD, one sample", undefined],
      ["PnP-GD, mean of 2", undefined],
      ["PnP-GD, lowest chi^2 of 2", undefined],
    ]);
    const r = result("real", "values");
    expect(r.best).toBeUndefined();
    expect(r.samples[0]!.chi2).toBeGreaterThan(0);
    const files = readdirSync(join(out("real"), "values"));
    expect(files).toContain("mean.png");
    expect(files).not.toContain("truth.png");
    expect((await values("real", "values")).measurement).toEqual((await values("super", "000004")).measurement);
  });

  test.each([
    ["random_inpainting", ["--fraction", "0.5"], [1, 32, 32]],
    ["gaussian_deblur_circ", [], [1, 32, 32]],
    ["motion_deblur_circ", ["--kernel-size", "9"], [1, 32, 32]],
    ["super_resolution", ["--factor", "4", "--ula-steps", "10"], [1, 8, 8]],
    ["phase_retrieval", ["--ula-steps", "10", "--ts", "10,22"], [1, 64, 64]],
  ])("%s runs from one command", async (task, more, shape) => {
    const { nfe, summary } = restored(
      "--task",
      task,
      ...more,
      "--steps",
      "3",
      "--runs",
      "1",
      "--images",
      "0",
      "--outdir",
      task,
    );
    expect(nfe).toBe(task === "phase_retrieval" ? 4 : 2);
    expect((await values(task, "000000")).measurement).toHaveLength(shape.reduce((a, b) => a * b));
    for (const row of summary) expect(Number.isFinite(row.psnr)).toBe(true);
  });

  test("an operator of one's own is a module whose default export makes it", () => {
    // High dynamic range: twice the brightness, clipped.
    writeFileSync(
      join(root, "hdr.mjs"),
      `export default (gpu, { shape }) => {
        const clip = (v) => Math.max(-1, Math.min(1, 2 * v));
        return {
          name: "clipped to half the range", shape, measurementShape: shape,
          forward: async (x) => x.map(clip),
          energyGradient: async ({ x, y }) => x.map((v, i) => (Math.abs(v) < 0.5 ? 4 * (2 * v - y[i]) : 0)),
        };
      };`,
    );
    const { summary } = restored("--operator", "hdr.mjs", ...FAST, "--ula-steps", "5", "--outdir", "hdr");
    expect(summary.map((row) => row.method)).toContain("measurement");
    expect(result("hdr", "000000").samples).toHaveLength(2);
    const metrics = JSON.parse(readFileSync(join(out("hdr"), "metrics.json"), "utf8"));
    expect([metrics.task, metrics.description]).toEqual(["hdr", "clipped to half the range"]);
  });

  test("Ctrl-C leaves whole files only and exits with 130; the same command goes on from there", async () => {
    const args = [
      "--task",
      "gaussian_deblur_circ",
      "--steps",
      "6",
      "--runs",
      "2",
      "--batch",
      "2",
      "--images",
      "0-9",
      "--outdir",
      "stop",
    ];
    const child = spawn(process.execPath, [main, "restore", ...args, ...adapter], {
      cwd: root,
      stdio: ["ignore", "ignore", "pipe"],
    });
    let stderr = "";
    child.stderr.on("data", (data) => {
      stderr += data;
    });
    const ended = new Promise<number | null>((done) => child.on("close", done));
    while (!existsSync(join(out("stop"), "000001", "result.json")) && child.exitCode === null)
      await new Promise((next) => setTimeout(next, 20));
    child.kill("SIGINT");
    expect(await ended).toBe(130);
    expect(stderr).toMatch(/Stopped: \d of 10 images are in stop/);
    const folders = readdirSync(out("stop")).filter((name) => /^\d{6}$/.test(name));
    expect(folders.length).toBeLessThan(10);
    for (const name of folders)
      for (const file of readdirSync(join(out("stop"), name)))
        if (file.endsWith(".png")) decodePng(readFileSync(join(out("stop"), name, file)));
    const metrics = JSON.parse(readFileSync(join(out("stop"), "metrics.json"), "utf8"));
    expect(metrics.complete).toBe(false);
    const rest = restored(...args);
    expect(rest.kept).toBe(Object.keys(metrics.images).length);
    expect(rest.made + rest.kept).toBe(10);
  });
});

describe("what cannot be restored is said in one sentence, and nothing is written", () => {
  const png = (name: string, side: number, channels: 1 | 3 = 1, byte = 0) =>
    writeFileSync(
      join(root, name),
      encodePng({ width: side, height: side, channels, data: new Uint8Array(side * side * channels).fill(byte) }),
    );
  beforeAll(() => {
    png("big.png", 64);
    png("rgb.png", 32, 3);
    png("mask16.png", 16, 1, 255);
    png("kernel33.png", 33, 1, 1);
    writeFileSync(join(root, "text.png"), "no picture");
    writeFileSync(join(root, "broken.mjs"), "export default 3;");
    writeFileSync(join(root, "throws.mjs"), "export default () => { throw new Error('no lens'); };");
    mkdtempSync(join(root, "empty-"));
  });
  const empty = () => readdirSync(root).find((name) => name.startsWith("empty-"))!;
  const teacher = join(project, "weights/edm2-fashion32.safetensors");
  const cases: [what: string, args: () => string[], status: number, message: RegExp][] = [
    ["no task", () => [], 2, /name a task with --task/],
    ["an unknown task", () => ["--task", "deblur"], 2, /--task "deblur" is not known: there are box_inpainting/],
    [
      "another task's option",
      () => ["--task", "phase_retrieval", "--factor", "2"],
      2,
      /--factor is for super_resolution/,
    ],
    [
      "an option with the wrong value",
      () => ["--task", "super_resolution", "--factor", "3"],
      2,
      /must be 2, 4, 8 or 16/,
    ],
    [
      "an image of another size",
      () => ["--task", "box_inpainting", "--data", "big.png"],
      2,
      /big.png is 64x64 with 1 channel.*32x32/,
    ],
    [
      "an image of other channels",
      () => ["--task", "box_inpainting", "--data", "rgb.png"],
      2,
      /rgb.png is 32x32 with 3 channels/,
    ],
    ["an empty folder", () => ["--task", "box_inpainting", "--data", empty()], 2, /has no images/],
    [
      "a file that is no image",
      () => ["--task", "box_inpainting", "--data", "text.png"],
      2,
      /text.png is not a PNG file/,
    ],
    ["data that are not there", () => ["--task", "box_inpainting", "--data", "nowhere"], 1, /nowhere is not there/],
    [
      "a mask of another size",
      () => ["--task", "box_inpainting", "--mask", "mask16.png"],
      2,
      /mask16.png is 16x16.*32x32.*must fit/,
    ],
    [
      "a kernel larger than the image",
      () => ["--task", "motion_deblur_circ", "--kernel", "kernel33.png"],
      2,
      /33x33, larger than the images of 32x32/,
    ],
    [
      "a kernel size larger than the image",
      () => ["--task", "gaussian_deblur_circ", "--kernel-size", "61"],
      2,
      /--kernel-size 61 is larger than the images of side 32/,
    ],
    [
      "images and measurements at once",
      () => ["--task", "box_inpainting", "--data", "big.png", "--measurement", "big.png"],
      2,
      /exclude each other/,
    ],
    [
      "an image that is not among the bundled ones",
      () => ["--task", "box_inpainting", "--images", "64"],
      2,
      /--images 64: .* has images 0 to 63/,
    ],
    ["a teacher", () => ["--task", "box_inpainting", "--net", teacher], 2, /is an EDM2 teacher/],
    [
      "Langevin options where there is a closed form",
      () => ["--task", "box_inpainting", "--c1", "1"],
      2,
      /--c1 is for Langevin steps/,
    ],
    [
      "classes that are not in the file",
      () => ["--task", "box_inpainting", "--measurement", "mask32.png", "--labels", "file"],
      2,
      /has no class/,
    ],
    ["an operator that is none", () => ["--operator", "broken.mjs"], 2, /broken.mjs must export by default a function/],
    ["an operator that fails", () => ["--operator", "throws.mjs"], 2, /throws.mjs failed: no lens/],
  ];
  test.each(cases)("%s", (_, args, status, message) => {
    png("mask32.png", 32, 1, 255);
    const { status: code, stderr, stdout } = restore(...args(), "--outdir", "nothing", "--steps", "2", "--quiet");
    expect(stderr).toMatch(message);
    expect([code, stdout]).toEqual([status, ""]);
    const lines = stderr.split("\n").filter((line) => line.startsWith("ncvsd-gpu: "));
    expect(lines).toHaveLength(1);
    expect(existsSync(out("nothing"))).toBe(false);
  });

  test("another program's files are not overwritten", () => {
    restored("--task", "box_inpainting", ...FAST, "--steps", "2", "--images", "0", "--outdir", "mine");
    rmSync(join(out("mine"), "000000", "result.json"));
    png("mine/000000/mean.png", 8);
    const refused = restore("--task", "box_inpainting", ...FAST, "--steps", "2", "--images", "0", "--outdir", "mine");
    expect([refused.status, refused.stderr]).toEqual([
      2,
      expect.stringMatching(/mean.png is there and was not made by ncvsd-gpu/),
    ]);
    writeFileSync(join(out("mine"), "metrics.json"), "{}");
    const report = restore("--task", "box_inpainting", ...FAST, "--steps", "2", "--images", "0", "--outdir", "mine");
    expect([report.status, report.stderr]).toEqual([
      2,
      expect.stringMatching(/metrics.json is there and is no report/),
    ]);
    expect(
      restored("--task", "box_inpainting", ...FAST, "--steps", "2", "--images", "0", "--outdir", "mine", "--force")
        .made,
    ).toBe(1);
  });
});
