/** What a user gets from the registry: the packed tarball, installed into an empty folder. */
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { adapter, filesIn, png, run, scratch } from "./support/cli.js";
import { TEST_ADAPTER } from "./support/gpu.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const place = scratch();
const app = place("app");

interface Packed {
  readonly filename: string;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string; readonly mode: number }[];
}
let packed: Packed;

/** npm by its name on the PATH; its settings of a surrounding `npm test` would point it at this project. */
async function npm(args: string[], cwd: string) {
  const own = Object.keys(process.env).filter((name) => /^npm_(config_local_prefix|package_|lifecycle_)/.test(name));
  const env = Object.fromEntries(own.map((name) => [name, ""]));
  const result = await run("npm", [...args, "--loglevel=error"], { cwd, env });
  expect(result.code, `npm ${args.join(" ")}\n${result.stdout}${result.stderr}`).toBe(0);
  return result.stdout;
}

/** What only these tests need. */
const tools = place("tools");
const tool = (name: string) => join(tools, "node_modules", name);

beforeAll(async () => {
  mkdirSync(app);
  mkdirSync(tools);
  packed = JSON.parse(await npm(["pack", "--json", "--pack-destination", place(".")], root))[0];
  writeFileSync(join(app, "package.json"), JSON.stringify({ name: "app", private: true, type: "module" }));
  await npm(["install", "--prefer-offline", "--no-audit", "--no-fund", place(packed.filename)], app);
  const wanted = ["typescript5@npm:typescript@~5.9", "typescript6@npm:typescript@~6", "webpack@5"];
  await npm(["install", "--prefix", tools, "--prefer-offline", "--no-audit", "--no-fund", ...wanted], tools);
});

describe("the packed package", () => {
  it("has the program, the types, the kernels and the bundled weights, and nothing else", () => {
    const sources = (folder: string) =>
      readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((path) => `${folder}/${path}`);
    const built = [...sources("src"), ...sources("kernels")].flatMap((path) => {
      if (path.endsWith(".d.ts")) return [];
      const whole = path.endsWith("/kernel.ts") ? [`dist/${path.slice(0, -9)}whole.js`] : [];
      const older = path.startsWith("src/entries/") ? [`dist/${path.slice(0, -3)}-dom5.d.ts`] : [];
      if (path.endsWith(".ts"))
        return [".js", ".d.ts"].map((end) => `dist/${path.slice(0, -3)}${end}`).concat(whole, older);
      return path.endsWith(".wgsl") ? [`dist/${path}.js`] : [];
    });
    const weights = [
      "edm2-fashion32",
      "ncvsd-fashion32",
      "fashion32-features",
      "fashion32-reference-stats",
      "fashion32-test64",
      "disco-mixtures",
    ];
    const expected = [
      "CHANGELOG.md",
      "CITATION.bib",
      "LICENSE",
      "README.md",
      "package.json",
      "weights/README.md",
      ...weights.map((name) => `weights/${name}.safetensors`),
      "dist/src/index-dom5.d.ts",
      ...built,
    ];
    expect(packed.files.map(({ path }) => path).sort()).toEqual(expected.sort());
    expect(packed.unpackedSize).toBeLessThan(9 * 2 ** 20);
  });

  it("its program can be executed and names no folder of the machine that packed it", () => {
    const inside = join(app, "node_modules/ncvsd-gpu");
    const { bin } = JSON.parse(readFileSync(join(inside, "package.json"), "utf8"));
    const main = packed.files.find(({ path }) => path === bin["ncvsd-gpu"])!;
    expect(main.mode & 0o111).not.toBe(0);
    expect(readFileSync(join(inside, main.path), "utf8")).toMatch(/^#!\/usr\/bin\/env node\n/);
    for (const path of filesIn(join(inside, "dist"))) {
      expect(readFileSync(join(inside, "dist", path), "utf8").includes(root.replace(/\/$/, "")), path).toBe(false);
    }
  });
});

describe("installed in an empty folder", () => {
  it("npx ncvsd-gpu sample makes an image from the bundled checkpoint", async () => {
    const result = await run("npx", ["ncvsd-gpu", "sample", "--seeds", "0", "--ts", "10", ...adapter], { cwd: app });
    expect(result.code, result.stderr).toBe(0);
    expect(result.stdout).toBe("out\n");
    expect(filesIn(join(app, "out"))).toEqual(["000000.png", "run.json"]);
    const { width, height, text } = png(join(app, "out/000000.png"));
    expect([width, height]).toEqual([32, 32]);
    expect(text["ncvsd-gpu:checkpoint"]).toBe("ncvsd-fashion32.safetensors");
  });

  it("the library is imported by its name, samples, and the process ends by itself", async () => {
    const weights = "node_modules/ncvsd-gpu/weights/ncvsd-fashion32.safetensors";
    const options = TEST_ADAPTER ? JSON.stringify({ adapter: TEST_ADAPTER }) : "";
    const script = `
      import { loadModel, openGpu, sampleMultiStep } from "ncvsd-gpu";
      const gpu = await openGpu(${options});
      const model = await loadModel(gpu, "${weights}");
      const { images, shape } = await sampleMultiStep(model, { seeds: [3], labels: [7], ts: [10] });
      console.log(shape.join("x"), images.every(Number.isFinite));
      gpu.close();`;
    writeFileSync(join(app, "use.mjs"), script);
    const result = await run(process.execPath, ["use.mjs"], { cwd: app });
    expect(result).toMatchObject({ code: 0, signal: null, stdout: "1x1x32x32 true\n" });
  });

  it("Dawn's lines about a driver stay away, and without the package webgpu a sentence says so", async () => {
    // Descriptor 2 as a file: Node's own pipes to children are sockets, which cannot be put aside.
    const shown = await run("sh", ["-c", `"${process.execPath}" use.mjs 2>said.txt; cat said.txt`], { cwd: app });
    expect(shown.stdout).toBe("1x1x32x32 true\n");
    const [there, away] = [join(app, "node_modules/webgpu"), join(app, "webgpu-away")];
    renameSync(there, away);
    const result = await run(process.execPath, ["use.mjs"], { cwd: app });
    renameSync(away, there);
    expect(result.code).toBe(1);
    expect(result.stderr).toContain(
      "The package webgpu is not installed, by which Node gets a GPU: `npm install webgpu`.",
    );
  });

  const pages = ["README.md", ...readdirSync(join(root, "docs")).map((name) => `docs/${name}`)].filter((path) =>
    path.endsWith(".md"),
  );
  const examples = pages.flatMap((path) =>
    [...readFileSync(join(root, path), "utf8").matchAll(/```js\n([\s\S]*?)```/g)].map((m) => [path, m[1]!] as const),
  );
  it("has examples", () => expect(examples.length).toBeGreaterThan(10));
  it.each(examples)("the library's example of %s runs there as it stands", async (_, example) => {
    writeFileSync(join(app, "example.mjs"), example);
    const result = await run(process.execPath, ["example.mjs"], { cwd: app });
    expect(result, result.stderr).toMatchObject({ code: 0, signal: null });
    expect(result.stdout).not.toBe("");
  });

  it("its types hold for a strict program that checks libraries, too, in TypeScript 5.9, 6 and 7", async () => {
    const source = `
      import { openCheckpoint } from "ncvsd-gpu/checkpoint";
      import { loadDisco } from "ncvsd-gpu/disco";
      import { type Coverage, frechetDistance } from "ncvsd-gpu/evaluate";
      import { operators, type SolveInverseOptions, solveInverse } from "ncvsd-gpu/inverse";
      import * as sample from "ncvsd-gpu/sample";
      import { openTraining } from "ncvsd-gpu/train";
      import { loadModel, type Model, type MultiStepOptions, NcvsdError, openGpu, type SampleResult, sampleHeun, sampleMultiStep } from "ncvsd-gpu";
      const gpu = await openGpu({ precision: "f32" });
      const model: Model = await loadModel(gpu, new URL("file:///model.safetensors"), { config: { clip_act: null } });
      const options: MultiStepOptions = {
        seeds: [0, 1], labels: [1, -1], ts: [10, 22], zeta: 0.5,
        noise: (_draw, length) => new Float32Array(length),
        onStep: async ({ step, steps, sigma, preview }) => { const x: Float32Array = await preview(); void [step / steps, sigma, x]; },
      };
      const result: SampleResult = await sampleMultiStep(model, options);
      const [n, c, h, w]: readonly [number, number, number, number] = result.shape;
      export const last: number | undefined = result.images[n * c * h * w - 1];
      export const device: GPUDevice = gpu.device;
      await sampleHeun(model, { seeds: new Uint32Array(2), steps: 4, S_churn: 1, guidance: 2, gnet: model });
      // @ts-expect-error zeta is a number
      await sampleMultiStep(model, { zeta: "1" });
      // @ts-expect-error there is no such option
      await sampleMultiStep(model, { stepz: 4 });
      // @ts-expect-error images are Float32Array
      export const wrong: string = result.images;
      // @ts-expect-error code is one of the contract's
      export const is = (error: NcvsdError) => error.code === "NO_SUCH_CODE";
      const same: typeof loadModel = sample.loadModel;
      export const parts = [openCheckpoint, loadDisco, frechetDistance, operators, solveInverse, openTraining, same];
      export type Parts = Coverage | SolveInverseOptions;
      gpu.close();`;
    writeFileSync(join(app, "use.ts"), source);
    const compilerOptions = {
      target: "ES2023",
      lib: ["ES2023", "DOM"],
      module: "NodeNext",
      strict: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: false,
      types: [],
      noEmit: true,
    };
    writeFileSync(join(app, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["use.ts"] }));
    for (const home of [join(root, "node_modules/typescript"), tool("typescript5"), tool("typescript6")]) {
      const result = await run(process.execPath, [join(home, "bin/tsc"), "-p", "."], { cwd: app });
      expect(`${result.stdout}${result.stderr}`).toBe("");
      expect(result.code).toBe(0);
    }
  });

  it("webpack makes a page of it without a warning, by its defaults (without minifying, which takes long)", async () => {
    const program = `
      import webpack from ${JSON.stringify(pathToFileURL(join(tool("webpack"), "lib/index.js")))};
      const quick = { optimization: { minimize: false }, performance: { hints: false } };
      webpack({ mode: "production", entry: "./use.mjs", ...quick }, (error, stats) => {
        const { warnings, errors } = stats.compilation;
        console.log(String(error), [...warnings, ...errors].map(String).join("\\n"));
      });`;
    writeFileSync(join(app, "pack.mjs"), program);
    writeFileSync(join(app, "use.mjs"), 'import * as all from "ncvsd-gpu";\nconsole.log(all);\n');
    const result = await run(process.execPath, ["pack.mjs"], { cwd: app });
    expect(result.stdout).toBe("null \n");
    expect(filesIn(join(app, "dist")).some((name) => name.endsWith(".safetensors"))).toBe(false);
  });
});
