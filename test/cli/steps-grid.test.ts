import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Gpu } from "../../src/gpu/device.js";
import { type BatchShape, imagesFromValues, type RawImage } from "../../src/image/pixels.js";
import { decodePng } from "../../src/image/png.js";
import { readChunks, writeChunks } from "../../src/image/png-chunks.js";
import { loadModel } from "../../src/networks/edm2/model.js";
import { drawnClass } from "../../src/runs/labels.js";
import { sampleHeun } from "../../src/sample/heun.js";
import { sampleMultiStep } from "../../src/sample/multi-step.js";
import { adapter, cliOk, cliRefused, scratch, sentence } from "../support/cli.js";
import { withTestGpu } from "../support/gpu.js";
import { fixturePath } from "../support/safetensors-fixture.js";

const TINY = fixturePath("ncvsd-tiny.safetensors");
const TEACHER = fixturePath("edm2-tiny.safetensors");
const place = scratch();

let gpu: Gpu;
withTestGpu((own) => (gpu = own));

const sample = (...args: string[]) => ["sample", ...adapter, ...args];

/** The pictures of a sheet, row by row, and its words. */
function sheetOf(path: string) {
  const svg = readFileSync(path, "utf8");
  const found = [...svg.matchAll(/<image x="(\d+)" y="(\d+)".*?base64,([^"]*)"/g)].map(([, x, y, data]) => {
    const { width, height, channels, data: pixels } = decodePng(Buffer.from(data!, "base64"));
    return { x: Number(x), y: Number(y), image: { width, height, channels, data: pixels } };
  });
  const rows = [...new Set(found.map(({ y }) => y))].sort((a, b) => a - b);
  const pictures = rows.map((y) => found.filter((one) => one.y === y).sort((a, b) => a.x - b.x));
  return {
    rows: pictures.map((row) => row.map(({ image }) => image)),
    words: [...svg.matchAll(/<text [^>]*>([^<]*)<\/text>/g)].map(([, words]) => words!),
  };
}

/** Where a picture lies in another, enlarged by so much. */
function placeOf(part: RawImage, whole: RawImage, by: number): number | undefined {
  expect(whole.channels).toBe(part.channels);
  const { width, height, channels, data } = part;
  const row = whole.width * channels;
  for (let at = 0; at + (by * height - 1) * row < whole.data.length; at += channels)
    if (
      data.every((v, i) => {
        const [y, x] = [Math.floor(i / (width * channels)), i % (width * channels)];
        return whole.data[at + by * y * row + by * (x - (x % channels)) + (x % channels)] === v;
      })
    )
      return at;
  return undefined;
}

/** Pictures of one seed after each step, a list a seed. */
const asRows = (steps: readonly Float32Array[], shape: BatchShape) => {
  const columns = steps.map((values) => imagesFromValues(values, shape));
  return Array.from({ length: shape[0] }, (_, i) => columns.map((column) => column[i]!));
};

describe("sample --steps-grid", () => {
  it("of a few-step network: what it takes for the image after one step, and after two", async () => {
    const path = place("steps.svg");
    const dir = place("steps");
    const args = ["--net", TINY, "--ts", "10,22", "--seeds", "5,0-8", "--steps-grid", path, "--outdir", dir];
    const { stdout } = await cliOk(sample(...args));
    expect(stdout).toBe(`${dir}\n${path}\n`);
    // The first eight of nine seeds; with fewer steps the run ends at the same first estimate.
    const seeds = [5, 0, 1, 2, 3, 4, 6, 7];
    const labels = seeds.map((seed) => drawnClass(seed, 10));
    const model = await loadModel(gpu, TINY);
    const one = await sampleMultiStep(model, { seeds, labels, ts: [10] });
    const two = await sampleMultiStep(model, { seeds, labels, ts: [10, 22] });
    await model.close();
    const sheet = sheetOf(path);
    expect(sheet.rows).toEqual(asRows([one.images, two.images], one.shape));
    for (const [i, seed] of seeds.entries()) expect(sheet.words).toContain(`seed ${seed}, ${labels[i]}`);
    expect(sheet.words.filter((words) => words.startsWith("sigma "))).toHaveLength(2);
    expect(sheet.words.join(" ")).toContain("The first 8 of 9 seeds.");
  });

  it("of a teacher by Heun: the denoiser's estimate at every step, and the image at the end", async () => {
    const [path, dir] = [place("heun.svg"), place("heun")];
    const run = ["--net", TEACHER, "--steps", "3", "--seeds", "0,2", "--outdir", dir];
    const { stdout } = await cliOk(sample(...run, "--steps-grid", path, "--json"));
    expect(JSON.parse(stdout)).toMatchObject({ made: 2, stepsGrid: path });
    const model = await loadModel(gpu, TEACHER);
    const estimates: Float32Array[] = [];
    const sigmas: number[] = [];
    const labels = [0, 2].map((seed) => drawnClass(seed, 10));
    const onStep = async ({ sigma, denoised }: { sigma: number; denoised?(): Promise<Float32Array> }) => {
      sigmas.push(sigma);
      estimates.push(await denoised!());
    };
    const { images, shape } = await sampleHeun(model, { seeds: [0, 2], labels, steps: 3, onStep });
    await model.close();
    const { rows, words } = sheetOf(path);
    expect(rows).toEqual(asRows([...estimates.slice(0, 2), images], shape));
    expect(rows[0]![2]).toEqual(imagesFromValues(images, shape)[0]);
    expect(words).toEqual(expect.arrayContaining(sigmas.map((sigma) => `sigma ${Number(sigma.toPrecision(2))}`)));
  });

  it("as a picture that moves: a frame a step, the last with the images", async () => {
    const [path, dir] = [place("steps.apng"), place("moving")];
    await cliOk(sample("--net", TINY, "--ts", "10,22", "--seeds", "0-2", "--steps-grid", path, "--outdir", dir));
    const chunks = readChunks(readFileSync(path), path);
    const [header, end] = [chunks[0]!, chunks.at(-1)!];
    expect(chunks.filter(({ type }) => type === "fcTL")).toHaveLength(2);
    expect(decodePng(readFileSync(path)).text["ncvsd-gpu:sheet"]).toBeDefined();
    const last = chunks
      .filter(({ type }) => type === "fdAT")
      .map(({ data }) => ({ type: "IDAT", data: data.subarray(4) }));
    const frame = decodePng(writeChunks([header, ...last, end]));
    for (const seed of [0, 1, 2]) {
      const image = decodePng(readFileSync(`${dir}/${String(seed).padStart(6, "0")}.png`));
      // 80 pixels wide, drawn at twice the size.
      expect(placeOf(image, frame, 160 / image.width), `seed ${seed}`).toBeDefined();
    }
  });

  it.each([
    [["--steps-grid", place(".")], /^\S+ cannot be written: it is a folder$/],
    [
      ["--steps-grid", place("s.png"), "--shard", "1/2"],
      /^--steps-grid takes all images of a run: leave it out with --shard\.$/,
    ],
    [
      ["--steps-grid", place("x.png"), "--grid", place("x.png")],
      /^--\S+ and --\S+ are both .*x\.png: one would be lost/,
    ],
  ])("%j is refused in a sentence", async (args, says) => {
    const said = sentence(
      await cliRefused(sample("--net", TINY, "--seeds", "0-3", "--outdir", place("none"), ...args)),
    );
    expect(said).toMatch(says);
    expect(existsSync(place("none"))).toBe(false);
  });

  it.each([
    ["png", "sheet"],
    ["apng", "animation"],
  ])("more steps than a %s holds are refused before anything is made", async (ending, what) => {
    const args = ["--net", TEACHER, "--seeds", "0", "--steps", "9000", "--outdir", place("many")];
    const said = sentence(await cliRefused(sample(...args, "--steps-grid", place(`many.${ending}`))));
    expect(said).toMatch(
      /^--steps-grid .*: 9000 steps of 16x16 are too many for one \w+; name fewer seeds or steps\.$/,
    );
    expect(said).toContain(what);
    expect(existsSync(place(`many.${ending}`))).toBe(false);
  });
});
