import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { type BuildResult, build } from "esbuild";
import { build as viteBuild } from "vite";
import { describe, expect, it } from "vitest";

const file = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const entry = file("dist/src/index.js");
const SAMPLERS = "loadModel, openGpu, sampleMultiStep, sampleHeun";
const program = (names: string, from: string) =>
  `import { ${names} } from ${JSON.stringify(from)};\nconsole.log(${names});`;

/** A browser's bundle of a program that imports these names, by esbuild's defaults; a warning is a fault. */
async function bundle(names: string, from = entry): Promise<string> {
  const result: BuildResult<{ write: false }> = await build({
    stdin: { contents: program(names, from), resolveDir: file(".") },
    ...{ bundle: true, minify: true, write: false, format: "esm", logLevel: "silent" },
  });
  expect(result.warnings).toEqual([]);
  return result.outputFiles[0]!.text;
}

/** What a function's body gives in Node itself, with the built package under its own name. */
function inNode(body: string) {
  const script = `const run = async () => { ${body} }; console.log(JSON.stringify(await run()));`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    ...{ cwd: file("."), encoding: "utf8" },
  });
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout);
}

describe("what a bundler leaves of the library", () => {
  it("is no more than is asked for: a schedule in less than 2 kB", async () => {
    expect((await bundle("noiseLevels")).length).toBeLessThan(2000);
  });
  it("samplers of both kinds of networks in less than 101 kB in one file, packed: no parser of WGSL, no comments, no references", async () => {
    const text = await bundle(SAMPLERS);
    expect(gzipSync(text).length).toBeLessThan(101_000);
    expect(text).toContain("winograd-output");
    // A case's name: whole.js has what proves a kernel, kernel.js what computes.
    const name = "odd length";
    expect(readFileSync(file("dist/kernels/network/axpby/whole.js"), "utf8")).toContain(name);
    expect(readFileSync(file("dist/kernels/network/axpby/kernel.js"), "utf8")).not.toContain(name);
    expect(text).not.toContain(name);
  });
  it("has derivatives only where something is trained, or asks for one", async () => {
    const backward = "mp_silu_slope";
    expect(await bundle(SAMPLERS)).not.toContain(backward);
    expect(await bundle("openTraining")).toContain(backward);
    expect(await bundle("openDenoiserVjp")).toContain(backward);
  });
  it("is in pieces where the bundler makes pieces: samplers, networks when one is loaded, WGSL for the page's adapter, readers when a file needs them", async () => {
    const seen: string[] = [];
    const result = await viteBuild({
      root: file("test"),
      logLevel: "silent",
      build: { write: false, modulePreload: false, target: "esnext", rollupOptions: { input: "samplers" } },
      plugins: [
        {
          name: "samplers",
          resolveId: (id) => (id === "samplers" ? id : null),
          load: (id) => (id === "samplers" ? program(SAMPLERS, entry) : null),
          onLog: (_level, { message }) => void seen.push(message),
        },
      ],
    });
    expect(seen).toEqual([]);
    const { output } = (Array.isArray(result) ? result[0] : result) as Exclude<typeof result, readonly unknown[]> & {
      output: {
        type: string;
        isEntry?: boolean;
        code: string;
        imports: string[];
        fileName: string;
        moduleIds?: string[];
      }[];
    };
    const main = output.find(({ isEntry }) => isEntry)!;
    expect(main.imports).toEqual([]);
    expect(gzipSync(main.code).length).toBeLessThan(32_500);
    /** Bytes, packed, of the pieces that a page loads which needs these modules beside the first piece. */
    const loads = (...modules: string[]) => {
      const pieces = new Set([main]);
      const add = (piece: typeof main) => {
        pieces.add(piece);
        for (const name of piece.imports) add(output.find(({ fileName }) => fileName === name)!);
      };
      for (const name of modules) add(output.find(({ moduleIds = [] }) => moduleIds.some((id) => id.endsWith(name)))!);
      return [...pieces].reduce((sum, { code }) => sum + gzipSync(code).length, 0);
    };
    const kernels = (...names: string[]) => names.map((name) => `kernels/network/${name}.js`);
    const winograd = (name: string) => kernels(`winograd-input/${name}`, `winograd-output/${name}`);
    const gpu = [...kernels("attention/few", "gemm/tiled", "implicit-gemm/tiled"), ...winograd("tiles")];
    const software = [...kernels("attention/subgroup", "gemm/subgroup"), ...winograd("blocks")];
    expect(loads("edm2/loaded.js")).toBeLessThan(64_500);
    expect(loads("edm2/loaded.js", ...gpu)).toBeLessThan(71_900);
    expect(loads("edm2/loaded.js", ...software)).toBeLessThan(70_500);
    expect(main.code).not.toContain("winograd-output");
    expect(main.code).not.toContain("numpy");
    expect(output.some(({ code }) => code?.includes("numpy"))).toBe(true);
  });
});

describe("parts of the library", () => {
  const { exports, browser } = JSON.parse(readFileSync(file("package.json"), "utf8"));
  const parts: string[] = Object.keys(exports).filter((name) => exports[name].default && name !== ".");

  it("are what the whole has", () => {
    expect(parts).toEqual(["./sample", "./inverse", "./evaluate", "./train", "./disco", "./checkpoint"]);
    const found: [same: number, other: string[]][] = inNode(`
      const whole = await import("ncvsd-gpu");
      const all = ${JSON.stringify(parts)}.map(async (name) => {
        const part = Object.entries(await import("ncvsd-gpu" + name.slice(1)));
        const other = part.flatMap(([name, value]) => (value === whole[name] ? [] : name));
        return [part.length - other.length, other];
      });
      return Promise.all(all);`);
    for (const [i, [same, other]] of found.entries()) {
      expect(same, parts[i]).toBeGreaterThan(0);
      expect(other, parts[i]).toEqual(parts[i] === "./checkpoint" ? ["openCheckpoint"] : []);
    }
  });

  it("bring less along: a pickle is read without a kernel", async () => {
    const text = await bundle("openCheckpoint", file(exports["./checkpoint"].default));
    expect(text).not.toContain("@group(0)");
    expect(gzipSync(text).length).toBeLessThan(40_000);
  });

  it("have stand-ins for browsers that offer what they stand for", () => {
    const pairs = Object.entries<string>(browser).map((pair) => pair.map(file));
    const names: string[][][] = inNode(`
      const namesOf = async (path) => Object.keys(await import(path));
      return Promise.all(${JSON.stringify(pairs)}.map((pair) => Promise.all(pair.map(namesOf))));`);
    for (const [real, standIn] of names) {
      expect(standIn!.length).toBeGreaterThan(0);
      expect(real).toEqual(expect.arrayContaining(standIn!));
    }
  });
});
