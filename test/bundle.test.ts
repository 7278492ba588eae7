import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { describe, expect, it } from "vitest";

const entry = fileURLToPath(new URL("../dist/src/index.js", import.meta.url));

/** A bundle for a browser of a program that imports these names. */
async function bundle(names: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: `import { ${names} } from ${JSON.stringify(entry)};\nconsole.log(${names});`, resolveDir: "." },
    ...{ bundle: true, minify: true, write: false, format: "esm", platform: "browser", logLevel: "silent" },
    external: ["node:*", "webgpu"],
  });
  return outputFiles[0]!.text;
}

describe("what a bundler leaves of the library", () => {
  it("is no more than is asked for: a schedule in less than 2 kB", async () => {
    expect((await bundle("noiseLevels")).length).toBeLessThan(2000);
  });
  it("samplers of both kinds of networks in less than 100 kB, packed: no parser of WGSL, no comments", async () => {
    const text = await bundle("loadModel, openGpu, sampleMultiStep, sampleHeun");
    expect(gzipSync(text).length).toBeLessThan(100_000);
  });
  it("has derivatives only where something is trained, or asks for one", async () => {
    const backward = "mp_silu_slope";
    expect(await bundle("loadModel, openGpu, sampleMultiStep, sampleHeun")).not.toContain(backward);
    expect(await bundle("openTraining")).toContain(backward);
    expect(await bundle("openDenoiserVjp")).toContain(backward);
  });
});
