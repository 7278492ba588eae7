import type { ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { openCheckpoint } from "../../src/checkpoint/index.js";
import type { ImageResult, SummaryRow } from "../../src/cli/restore/report.js";
import { psnr, ssim } from "../../src/image/metrics.js";
import { imagesFromValues } from "../../src/image/pixels.js";
import { encodePng } from "../../src/image/png.js";
import { adapter, cli, cliOk, filesIn, png, scratch } from "../support/cli.js";
import { fixturePath } from "../support/fixtures.js";

/** Files are named relative to the scratch folder. */
const place = scratch();
const cwd = place("work");
const out = (name: string) => join(cwd, name);
mkdirSync(cwd, { recursive: true });

/** A run that has to succeed; its `--json` object. */
async function restored(
  ...args: string[]
): Promise<{ made: number; kept: number; nfe: number; summary: SummaryRow[] }> {
  return JSON.parse((await cliOk(["restore", ...args, "--json", ...adapter], { cwd })).stdout);
}

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
  beforeAll(async () => {
    await restored("--task", "box_inpainting", ...FAST, "--outdir", "box");
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
        const stored = png(join(dir, `sample-0${run}.png`));
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
    await restored("--task", "box_inpainting", ...FAST, "--images", "1", "--batch", "1", "--outdir", "alone");
    const [a, b] = [await values("box", "000001"), await values("alone", "000001")];
    for (const key of Object.keys(a)) {
      const far = a[key]!.reduce((most, v, i) => Math.max(most, Math.abs(v - b[key]![i]!)), 0);
      expect(far).toBeLessThan(2e-4);
    }
    expect(a.samples!.subarray(0, 1024)).not.toEqual(a.samples!.subarray(1024));
  });

  test("the same options keep finished images; a damaged file or other options make them anew", async () => {
    const at = (name: string) => statSync(join(out("box"), name, "result.json")).mtimeMs;
    const before = [at("000000"), at("000001")];
    const again = await restored("--task", "box_inpainting", ...FAST, "--outdir", "box");
    expect([again.made, again.kept]).toEqual([0, 2]);
    expect([at("000000"), at("000001")]).toEqual(before);
    writeFileSync(join(out("box"), "000001", "mean.png"), "damaged");
    const repaired = await restored("--task", "box_inpainting", ...FAST, "--outdir", "box");
    expect([repaired.made, repaired.kept, at("000000")]).toEqual([1, 1, before[0]]);
    png(join(out("box"), "000001", "mean.png"));
    const other = await restored("--task", "box_inpainting", ...FAST, "--runs", "1", "--outdir", "box");
    expect([other.made, other.kept]).toEqual([2, 0]);
    expect(existsSync(join(out("box"), "000000", "sample-01.png"))).toBe(false);
    expect(existsSync(join(out("box"), "000000", "std.png"))).toBe(false);
  });

  test("a measurement without the truth is restored and judged by chi^2", async () => {
    await restored("--task", "super_resolution", ...FAST, "--factor", "2", "--images", "4", "--outdir", "super");
    const given = join(out("super"), "000004", "values.safetensors");
    const { summary } = await restored(
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
    ["super_resolution", ["--factor", "4", "--likelihood", "langevin", "--ula-steps", "10"], [1, 8, 8]],
    ["phase_retrieval", ["--ula-steps", "10", "--ts", "10,22"], [1, 64, 64]],
  ])("%s runs from one command", async (task, more, shape) => {
    const short = "--steps 3 --runs 1 --images 0".split(" ");
    const { nfe, summary } = await restored("--task", task, ...more, ...short, "--outdir", task);
    expect(nfe).toBe(task === "phase_retrieval" ? 4 : 2);
    expect((await values(task, "000000")).measurement).toHaveLength(shape.reduce((a, b) => a * b));
    for (const row of summary) expect(Number.isFinite(row.psnr)).toBe(true);
  });

  test("a colour network takes colour pictures from a folder, and a class for all of them", async () => {
    mkdirSync(out("photos"));
    for (const name of ["b", "a"]) {
      const data = Uint8Array.from({ length: 16 * 16 * 3 }, (_, i) => (i * (name === "a" ? 3 : 5)) & 255);
      writeFileSync(out(`photos/${name}.png`), encodePng({ width: 16, height: 16, channels: 3, data }));
    }
    const line = ["--net", fixturePath("ncvsd-tiny.safetensors"), "--data", "photos", "--class", "3", "--steps", "3"];
    const { summary } = await restored("--task", "gaussian_deblur_circ", ...line, "--runs", "1", "--outdir", "colour");
    expect(summary.map((row) => row.images)).toEqual([2, 2, 2]);
    const metrics = JSON.parse(readFileSync(out("colour/metrics.json"), "utf8"));
    expect(Object.keys(metrics.images)).toEqual(["a", "b"]);
    expect(metrics.images.a.label).toBe(3);
    for (const file of ["truth", "measurement", "sample-00", "mean"])
      expect(png(out(`colour/b/${file}.png`))).toMatchObject({ width: 16, height: 16, channels: 3 });
    const original = png(out("photos/b.png"));
    expect(Buffer.compare(png(out("colour/b/truth.png")).data, original.data)).toBe(0);
  });

  test("an operator of one's own is a module whose default export makes it", async () => {
    // High dynamic range: twice the brightness, clipped.
    writeFileSync(
      out("hdr.mjs"),
      `export default (gpu, { shape }) => {
        const clip = (v) => Math.max(-1, Math.min(1, 2 * v));
        return {
          name: "clipped to half the range", shape, measurementShape: shape,
          forward: async (x) => x.map(clip),
          energyGradient: async ({ x, y }) => x.map((v, i) => (Math.abs(v) < 0.5 ? 4 * (2 * v - y[i]) : 0)),
        };
      };`,
    );
    const { summary } = await restored("--operator", "hdr.mjs", ...FAST, "--ula-steps", "5", "--outdir", "hdr");
    expect(summary.map((row) => row.method)).toContain("measurement");
    expect(result("hdr", "000000").samples).toHaveLength(2);
    const metrics = JSON.parse(readFileSync(join(out("hdr"), "metrics.json"), "utf8"));
    expect([metrics.task, metrics.description]).toEqual(["hdr", "clipped to half the range"]);
  });

  test("Ctrl-C leaves whole files only and exits with 130; the same command goes on from there", async () => {
    const args = "--task gaussian_deblur_circ --steps 6 --runs 2 --batch 2 --images 0-9 --outdir stop".split(" ");
    const started = join(out("stop"), "000001", "result.json");
    const onStart = (child: ChildProcess) => {
      const timer = setInterval(() => {
        if (existsSync(started) && child.exitCode === null) child.kill("SIGINT");
        if (existsSync(started) || child.exitCode !== null) clearInterval(timer);
      }, 20);
    };
    const { code, stderr } = await cli(["restore", ...args, ...adapter], { cwd, onStart });
    expect(code, stderr).toBe(130);
    expect(stderr).toMatch(/Stopped: \d of 10 images are in stop/);
    const files = filesIn(out("stop"));
    const finished = files.filter((name) => name.endsWith("result.json"));
    expect(finished.length).toBeLessThan(10);
    for (const name of files.filter((n) => n.endsWith(".png"))) png(join(out("stop"), name));
    const metrics = JSON.parse(readFileSync(join(out("stop"), "metrics.json"), "utf8"));
    expect(metrics.complete).toBe(false);
    expect(Object.keys(metrics.images)).toHaveLength(finished.length);
    const rest = await restored(...args);
    expect([rest.kept, rest.made]).toEqual([finished.length, 10 - finished.length]);
  });
});
