import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { Gpu } from "../../src/gpu/device.js";
import { imagesFromValues, type RawImage } from "../../src/image/pixels.js";
import { decodePng } from "../../src/image/png.js";
import { loadModel } from "../../src/networks/edm2/model.js";
import { drawnClass } from "../../src/runs/labels.js";
import type { RunFile } from "../../src/runs/run-record.js";
import { sampleHeun } from "../../src/sample/heun.js";
import { sampleMultiStep } from "../../src/sample/multi-step.js";
import { adapter, cli, cliOk, filesIn, png, CLI as program, rawImages, run, scratch } from "../support/cli.js";
import { withTestGpu } from "../support/gpu.js";
import { fixturePath, weightsPath } from "../support/safetensors-fixture.js";

const BUNDLED = "ncvsd-fashion32.safetensors";
const BUNDLED_SHA256 = "6437587cd1bbce992ed61804f9313b70c7d78f4724b0e3d3113f7bbf47f5c29c";
const TINY = fixturePath("ncvsd-tiny.safetensors");
const TEACHER = fixturePath("edm2-tiny.safetensors");
const place = scratch();

let gpu: Gpu;
withTestGpu((own) => (gpu = own));

const sample = (...args: string[]) => cliOk(["sample", ...adapter, ...args]);
const readRun = (dir: string) => JSON.parse(readFileSync(join(dir, "run.json"), "utf8")) as RunFile;
const pngBytes = (dir: string, seed: number) => readFileSync(join(dir, `${String(seed).padStart(6, "0")}.png`));

/** Where `small`, every pixel enlarged `scale` times, lies in `sheet`; undefined: nowhere. */
function find(small: RawImage, scale: number, sheet: RawImage): { x: number; y: number } | undefined {
  const matches = (x0: number, y0: number) => {
    for (let y = 0; y < small.height * scale; y++) {
      for (let x = 0; x < small.width * scale; x++) {
        const grey = small.data[Math.floor(y / scale) * small.width + Math.floor(x / scale)];
        if (sheet.data[sheet.channels * ((y0 + y) * sheet.width + x0 + x)] !== grey) return false;
      }
    }
    return true;
  };
  for (let y = 0; y + small.height * scale <= sheet.height; y++)
    for (let x = 0; x + small.width * scale <= sheet.width; x++) if (matches(x, y)) return { x, y };
  return undefined;
}

describe("sample with the bundled checkpoint", () => {
  const seeds = [3, 0, 1, 100];
  const dir = place("bundled");
  const grid = place("sheets/grid.png");
  const strips = place("sheets/strips.svg");
  const raw = place("raw/images.safetensors");
  const options = ["--ts", "10,22,39", "--seeds", "3,0-1,100", "--batch", "3", "--outdir", dir];
  let stdout = "";
  let stderr = "";
  beforeAll(async () => {
    const sheets = ["--grid", grid, "--steps-grid", strips];
    ({ stdout, stderr } = await sample(...options, ...sheets, "--save-raw", raw, "--json"));
  });

  it("writes one PNG per seed and run.json, and nothing else", () => {
    expect(filesIn(dir)).toEqual(["000000.png", "000001.png", "000003.png", "000100.png", "run.json"]);
    for (const seed of seeds)
      expect(png(join(dir, `${String(seed).padStart(6, "0")}.png`))).toMatchObject({
        width: 32,
        height: 32,
        channels: 1,
      });
  });

  it("--json prints one object and nothing else, on either stream", () => {
    expect(stderr).toBe("");
    expect(stdout.endsWith("}\n")).toBe(true);
    expect(stdout.trimEnd()).not.toContain("\n");
    expect(JSON.parse(stdout)).toMatchObject({
      outdir: dir,
      made: 4,
      kept: 0,
      evaluationsPerImage: 2,
      architecture: "ncvsd",
      checkpoint: { name: BUNDLED, sha256: BUNDLED_SHA256 },
      adapter: gpu.info.name,
      precision: "f32",
      grid,
      raw,
    });
    const { seconds, secondsPerImage, secondsPerEvaluation } = JSON.parse(stdout);
    expect(seconds).toBeGreaterThan(0);
    expect(secondsPerEvaluation).toBeCloseTo(secondsPerImage / 2, 9);
  });

  it("every PNG says seed, class, checkpoint, options and adapter", () => {
    for (const seed of seeds) {
      const { text } = png(join(dir, `${String(seed).padStart(6, "0")}.png`));
      expect(text).toMatchObject({
        "ncvsd-gpu:seed": String(seed),
        "ncvsd-gpu:class": String(drawnClass(seed, 10)),
        "ncvsd-gpu:checkpoint": BUNDLED,
        "ncvsd-gpu:checkpoint-sha256": BUNDLED_SHA256,
        "ncvsd-gpu:adapter": gpu.info.name,
      });
      expect(JSON.parse(text["ncvsd-gpu:options"]!)).toEqual({
        class: null,
        precision: "f32",
        sampler: "multi-step",
        ts: [10, 22],
        zeta: 1,
      });
    }
    expect(png(join(dir, "000003.png")).text["ncvsd-gpu:class-name"]).toBe("Sandal");
  });

  it("run.json has what repeats the run", () => {
    const { settings, runs, images } = readRun(dir);
    expect(runs).toHaveLength(1);
    expect(runs[0]).toMatchObject({ seeds: "0-1,3,100", made: 4, kept: 0, complete: true, adapter: gpu.info.name });
    expect(runs[0]!.command.slice(0, 2)).toEqual(["ncvsd-gpu", "sample"]);
    expect(runs[0]!.command).toContain("10,22,39");
    const key = runs[0]!.settings;
    expect(settings[key]!.checkpoint).toEqual({ name: BUNDLED, sha256: BUNDLED_SHA256, architecture: "ncvsd" });
    expect(Object.keys(images)).toEqual(["0", "1", "3", "100"]);
    expect(images["100"]).toEqual({
      file: "000100.png",
      class: drawnClass(100, 10),
      className: expect.any(String),
      settings: key,
    });
    expect(png(join(dir, "000100.png")).text["ncvsd-gpu:run-key"]).toBe(key);
  });

  it("--save-raw is the library's result bit for bit, in the order of the seeds, and the PNGs are its rounding", async () => {
    const { shape, values } = await rawImages(raw);
    expect(shape).toEqual([4, 1, 32, 32]);
    const model = await loadModel(gpu, weightsPath(BUNDLED));
    const labels = seeds.map((seed) => drawnClass(seed, 10));
    const { images } = await sampleMultiStep(model, { seeds, labels, ts: [10, 22] });
    await model.close();
    expect(Buffer.from(values.buffer).equals(Buffer.from(images.buffer))).toBe(true);
    for (const [i, image] of imagesFromValues(values, [4, 1, 32, 32]).entries()) {
      const { data } = png(join(dir, `${String(seeds[i]).padStart(6, "0")}.png`));
      expect(Buffer.from(data).equals(Buffer.from(image.data))).toBe(true);
    }
  });

  it("--steps-grid shows a row for each seed, a picture a step, the last as it was written", () => {
    const svg = readFileSync(strips, "utf8");
    const pictures = [...svg.matchAll(/data:image\/png;base64,([^"]*)/g)].map(([, text]) =>
      decodePng(Buffer.from(text!, "base64")),
    );
    expect(pictures).toHaveLength(2 * seeds.length);
    for (const [row, seed] of seeds.entries()) {
      const [first, last] = pictures.slice(2 * row, 2 * row + 2);
      expect(last!.data).toEqual(png(join(dir, `${String(seed).padStart(6, "0")}.png`)).data);
      expect(first!.data).not.toEqual(last!.data);
    }
    expect([...svg.matchAll(/>sigma ([^<]*)</g)]).toHaveLength(2);
  });

  it("--grid shows every image, class by class", () => {
    const sheet = png(grid);
    const byClass = [...seeds].sort((a, b) => drawnClass(a, 10) - drawnClass(b, 10));
    // Three times their size on a sheet that is drawn at twice its own.
    const places = byClass.map((seed) => {
      const found = find(png(join(dir, `${String(seed).padStart(6, "0")}.png`)), 6, sheet);
      expect(found, `seed ${seed}`).toBeDefined();
      return found!;
    });
    const reading = [...places].sort((a, b) => a.y - b.y || a.x - b.x);
    expect(places).toEqual(reading);
  });

  it("the images are pictures, not noise or a flat grey", () => {
    for (const seed of seeds) {
      const { data } = png(join(dir, `${String(seed).padStart(6, "0")}.png`));
      const black = data.filter((v) => v < 16).length;
      const light = data.filter((v) => v > 64).length;
      // A piece of clothing on a black ground.
      expect(black).toBeGreaterThan(200);
      expect(light).toBeGreaterThan(60);
    }
  });

  it("an image depends on its seed alone: other batches, seeds and orders give the same bits and the same file", async () => {
    const image = (values: Float32Array, i: number) => Buffer.from(values.slice(1024 * i, 1024 * (i + 1)).buffer);
    const first = (await rawImages(raw)).values;
    for (const [batch, list] of [
      [1, [100, 3]],
      [2, [0, 1, 3]],
      [16, [97, 98, 99, 100, 101, 3, 2, 1, 0]],
    ] as const) {
      const [other, path] = [place(`batch-${batch}`), place(`batch-${batch}.safetensors`)];
      const args = ["--ts", "10,22", "--seeds", list.join(), "--batch", String(batch), "--outdir", other];
      await sample(...args, "--save-raw", path, "--quiet");
      const { values } = await rawImages(path);
      for (const [i, seed] of list.entries()) {
        if (!seeds.includes(seed)) continue;
        expect(image(values, i).equals(image(first, seeds.indexOf(seed))), `seed ${seed}, batch ${batch}`).toBe(true);
        expect(pngBytes(other, seed).equals(pngBytes(dir, seed)), `seed ${seed}, batch ${batch}`).toBe(true);
      }
    }
  });
});

describe("classes", () => {
  it("by name (capitals do not matter) and by number mean the same run", async () => {
    const dir = place("classes");
    await sample("--class", "ankle BOOT", "--seeds", "0-1", "--outdir", dir);
    const { kept, made } = JSON.parse(
      (await sample("--class", "9", "--seeds", "0-1", "--outdir", dir, "--json")).stdout,
    );
    expect({ kept, made }).toEqual({ kept: 2, made: 0 });
    for (const seed of ["0", "1"])
      expect(readRun(dir).images[seed]).toMatchObject({ class: 9, className: "Ankle boot" });
  });

  it("asking for the class that a seed draws gives the same picture; another class another", async () => {
    const [drawn, asked, other] = [place("drawn"), place("asked"), place("other")];
    const label = drawnClass(5, 10);
    await sample("--net", TINY, "--seeds", "5", "--outdir", drawn);
    await sample("--net", TINY, "--seeds", "5", "--outdir", asked, "--class", String(label));
    await sample("--net", TINY, "--seeds", "5", "--outdir", other, "--class", String((label + 1) % 10));
    const pixels = (dir: string) => Buffer.from(png(join(dir, "000005.png")).data);
    expect(pixels(asked).equals(pixels(drawn))).toBe(true);
    expect(pixels(other).equals(pixels(drawn))).toBe(false);
  });
});

describe("sample's other options", () => {
  it("--subdirs puts every thousand seeds into a folder", async () => {
    const dir = place("subdirs");
    const args = ["--net", TINY, "--seeds", "7,1999,123456", "--subdirs", "--outdir", dir];
    await sample(...args, "--grid", place("subdirs.png"));
    expect(filesIn(dir)).toEqual(["000000/000007.png", "001000/001999.png", "123000/123456.png", "run.json"]);
    expect(readRun(dir).images["1999"]!.file).toBe("001000/001999.png");
    expect(JSON.parse((await sample(...args, "--json")).stdout)).toMatchObject({ kept: 3, made: 0 });
  });

  it("--zeta changes the picture", async () => {
    const [a, b] = [place("zeta1"), place("zeta0")];
    await sample("--net", TINY, "--seeds", "0", "--ts", "10,22", "--outdir", a);
    await sample("--net", TINY, "--seeds", "0", "--ts", "10,22", "--zeta", "0", "--outdir", b);
    expect(pngBytes(a, 0).equals(pngBytes(b, 0))).toBe(false);
  });

  it("without --ts it evaluates once, at init_sigma: the library's one-step result", async () => {
    const path = place("one-step.safetensors");
    await sample("--net", TINY, "--seeds", "4,2", "--outdir", place("one-step"), "--save-raw", path);
    const model = await loadModel(gpu, TINY);
    const { images } = await sampleMultiStep(model, { seeds: [4, 2], labels: [drawnClass(4, 10), drawnClass(2, 10)] });
    await model.close();
    expect((await rawImages(path)).values).toEqual(images);
  });

  it("--precision f16 is near f32 and not the same; the images say which kind of f16 it was", async () => {
    const path = place("half.safetensors");
    const args = [
      "--net",
      TINY,
      "--seeds",
      "0-1",
      "--ts",
      "10,22",
      "--save-raw",
      path,
      "--outdir",
      place("half"),
      "--precision",
      "f16",
    ];
    const result = await cli(["sample", ...adapter, ...args]);
    expect(result.code, result.stderr).toBe(0);
    const half = (await rawImages(path)).values;
    const model = await loadModel(gpu, TINY);
    const labels = [drawnClass(0, 10), drawnClass(1, 10)];
    const full = (await sampleMultiStep(model, { seeds: [0, 1], labels, ts: [10, 22] })).images;
    await model.close();
    let [error, norm] = [0, 0];
    for (const [i, v] of full.entries()) {
      error += (half[i]! - v) ** 2;
      norm += v ** 2;
    }
    const relative = Math.sqrt(error / norm);
    expect(relative).toBeGreaterThan(1e-6);
    expect(relative).toBeLessThan(2e-2);
    const used = gpu.features.includes("shader-f16") ? "f16" : "f16-weights";
    expect(png(join(place("half"), "000000.png")).text["ncvsd-gpu:options"]).toContain(`"precision":"${used}"`);
  });
});

describe("sample with an EDM2 teacher", () => {
  it("is the library's Heun sampler, with churn and guidance by a second network", async () => {
    const gnet = fixturePath("edm2-tiny-uncond.safetensors");
    const [dir, path] = [place("teacher"), place("teacher.safetensors")];
    const churn = ["--S_churn", "6", "--S_min", "0.01", "--S_max", "50", "--S_noise", "1.003"];
    const levels = ["--steps", "4", "--sigma_min", "0.01", "--sigma_max", "60", "--rho", "6"];
    const args = ["--net", TEACHER, "--gnet", gnet, "--guidance", "1.7", ...churn, ...levels, "--seeds", "2,0"];
    const result = await sample(...args, "--outdir", dir, "--save-raw", path, "--json");
    expect(JSON.parse(result.stdout)).toMatchObject({ made: 2, evaluationsPerImage: 14, architecture: "edm2" });
    const { values, shape } = await rawImages(path);
    expect(shape).toEqual([2, 3, 16, 16]);
    const [model, guide] = [await loadModel(gpu, TEACHER), await loadModel(gpu, gnet)];
    const options = {
      steps: 4,
      sigmaMin: 0.01,
      sigmaMax: 60,
      rho: 6,
      guidance: 1.7,
      S_churn: 6,
      S_min: 0.01,
      S_max: 50,
      S_noise: 1.003,
    };
    const labels = [drawnClass(2, 10), drawnClass(0, 10)];
    const { images } = await sampleHeun(model, { seeds: [2, 0], labels, gnet: guide, ...options });
    expect(values).toEqual(images);
    const unguided = await sampleHeun(model, { seeds: [2, 0], labels, ...options, guidance: 1 });
    expect(values).not.toEqual(unguided.images);
    const stored = JSON.parse(png(join(dir, "000002.png")).text["ncvsd-gpu:options"]!);
    expect(stored).toMatchObject({ sampler: "heun", ...options, gnet: await guide.checkpoint.sha256() });
    await Promise.all([model.close(), guide.close()]);
  });

  it("an image depends on its seed alone", async () => {
    const dirs = [place("heun1"), place("heun3")];
    const churned = ["--net", TEACHER, "--steps", "3", "--S_churn", "3"];
    await sample(...churned, "--seeds", "0-3", "--batch", "1", "--outdir", dirs[0]!);
    await sample(...churned, "--seeds", "9,3,2,1,0", "--batch", "3", "--outdir", dirs[1]!);
    for (const seed of [0, 1, 2, 3]) expect(pngBytes(dirs[0]!, seed).equals(pngBytes(dirs[1]!, seed))).toBe(true);
  });
});

describe("what is said", () => {
  const args = ["sample", ...adapter, "--net", TINY, "--seeds", "0-5", "--batch", "2"];

  it("without a terminal: plain lines on stderr, the results' paths on stdout", async () => {
    const dir = place("plain");
    const { stdout, stderr } = await cliOk([...args, "--outdir", dir, "--grid", place("plain.png")]);
    expect(stdout).toBe(`${dir}\n${place("plain.png")}\n`);
    expect(stderr).toContain(gpu.info.name);
    expect(stderr).toMatch(/^sampling: 6\/6 images, .* images\/s, done after .* s$/m);
    expect(stderr).toMatch(/^made 6 images in .*: .* per image, .* per evaluation$/m);
    expect([...stderr].filter((c) => c < " " && c !== "\n")).toEqual([]);
    for (const line of stderr.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  });

  it("--json over a shell's pipe: JSON and nothing else on both streams, not even of the driver", async () => {
    const words = [process.execPath, program, ...args, "--outdir", place("pipe"), "--json"].map((word) => `'${word}'`);
    const { stdout } = await run("sh", ["-c", `${words.join(" ")} 2>&1 | cat`]);
    expect(JSON.parse(stdout)).toMatchObject({ made: 6 });
  });

  it("--quiet: nothing but the path", async () => {
    const dir = place("quiet");
    const { stdout, stderr } = await cliOk([...args, "--outdir", dir, "--quiet"]);
    expect(stderr).toBe("");
    expect(stdout).toBe(`${dir}\n`);
  });

  it("on a terminal of 80 columns: one bar that redraws in place and is gone at the end", async () => {
    const dir = place("terminal");
    const command = [process.execPath, program, ...args, "--outdir", dir].map((word) => `'${word}'`).join(" ");
    const { code, stdout } = await run("script", ["-qec", `stty cols 80; ${command}`, "/dev/null"], {
      env: { TERM: "xterm-256color", LANG: "C.UTF-8", LC_ALL: "C.UTF-8" },
    });
    expect(code, stdout).toBe(0);
    const bars = stdout
      .split("\r\x1b[2K")
      .slice(1)
      .filter((piece) => piece.startsWith("sampling "));
    expect(bars.length).toBeGreaterThanOrEqual(2);
    for (const bar of bars) {
      expect(bar).not.toContain("\n");
      expect(bar.length).toBeLessThan(80);
    }
    expect(bars.at(-1)).toMatch(/6\/6 images/);
    // What stands on the screen at the end: every line as its last redraw left it.
    const screen = stdout.split("\n").map((line) => line.replaceAll("\r\n", "\n").split("\r\x1b[2K").at(-1)!.trimEnd());
    expect(screen.join("\n")).not.toContain("sampling");
    expect(screen.join("\n")).not.toContain("\x1b");
    expect(screen.filter((line) => line !== "")).toEqual([
      expect.stringMatching(/^ncvsd-tiny\.safetensors \(ncvsd\) on /),
      "6 images, 1 evaluation each",
      expect.stringMatching(/^made 6 images in /),
      dir,
    ]);
  });

  it("--verbose adds the times of the start-up", async () => {
    const { stderr } = await cliOk([...args, "--outdir", place("verbose"), "--verbose"]);
    expect(stderr).toMatch(
      /^first image after \S+ s: start of Node \S+ s, adapter \S+ s, weights \S+ s,\n {2}first batch \S+ s .* in all \S+ s$/m,
    );
  });
});

it("the bundled checkpoint is there for whoever names none", () => {
  expect(existsSync(weightsPath(BUNDLED))).toBe(true);
  expect(statSync(weightsPath(BUNDLED)).size).toBeLessThan(4 << 20);
});
