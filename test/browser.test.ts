import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";
import { afterAll, describe, expect, it } from "vitest";
import { loadModel } from "../src/networks/edm2/model.js";
import { sampleMultiStep } from "../src/sample/multi-step.js";
import { relativeError, weightsPath } from "./support/fixtures.js";
import { openTestGpu } from "./support/gpu.js";

/** A Chromium on the PATH; these tests say so and do not run where there is none. */
const chromium = ["chromium", "chromium-browser", "google-chrome"].find(
  (name) => spawnSync(name, ["--version"]).status === 0,
);
if (!chromium) console.warn("No Chromium on the PATH: the browser example is not tested here.");

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
];
const TYPES: Record<string, string> = { ".html": "text/html", ".js": "text/javascript" };

interface PageResult {
  readonly adapter?: string;
  readonly images?: number[];
  readonly error?: string;
}

/** Serves a built page, opens it in Chromium, and resolves with what it reports. */
async function visit(site: string): Promise<PageResult> {
  const report = 'addEventListener("generated",()=>fetch("/",{method:"POST",body:JSON.stringify(result)}));';
  let resolve: (result: PageResult) => void = () => {};
  const reported = new Promise<PageResult>((done) => {
    resolve = done;
  });
  const server = createServer((request, response) => {
    if (request.method === "POST") {
      let body = "";
      request.on("data", (piece) => {
        body += piece;
      });
      request.on("end", () => {
        response.end();
        resolve(JSON.parse(body));
      });
      return;
    }
    const path = new URL(request.url!, "http://localhost").pathname;
    const file = path === "/" ? "/index.html" : path;
    try {
      const content = readFileSync(join(site, file));
      response.setHeader("content-type", TYPES[extname(file)] ?? "application/octet-stream");
      response.end(
        file === "/index.html" ? content.toString().replace("<head>", `<head><script>${report}</script>`) : content,
      );
    } catch {
      response.statusCode = 404;
      response.end();
    }
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo;
  const profile = mkdtempSync(join(tmpdir(), "ncvsd-chromium-"));
  const flags = [...FLAGS, `--user-data-dir=${profile}`, "--remote-debugging-port=0"];
  const browser = spawn(chromium!, [...flags, `http://localhost:${port}/`], { stdio: "ignore", detached: true });
  const ended = new Promise<never>((_, reject) => {
    browser.on("error", reject);
    browser.on("close", () => reject(new Error("Chromium ended before the page reported")));
    setTimeout(() => reject(new Error("the page said nothing within 100 s")), 100_000).unref();
  });
  try {
    return await Promise.race([reported, ended]);
  } finally {
    ended.catch(() => {});
    // In a group of its own: Chromium's other processes would go on to write into the profile.
    try {
      process.kill(-browser.pid!, "SIGKILL");
    } catch {
      // It has ended by itself.
    }
    server.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }
}

describe.runIf(chromium !== undefined)("the browser example", () => {
  const folder = mkdtempSync(join(tmpdir(), "ncvsd-browser-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("gives the images that Node gives", async () => {
    const root = fileURLToPath(new URL("../examples/browser", import.meta.url));
    const out = join(folder, "site");
    await build({
      root,
      base: "./",
      logLevel: "error",
      build: { outDir: out, target: "esnext", assetsInlineLimit: 0 },
    });

    const page = await visit(out);
    expect(page.error).toBeUndefined();

    const gpu = await openTestGpu();
    const model = await loadModel(gpu, weightsPath("ncvsd-fashion32.safetensors"));
    const ten = Array.from({ length: 10 }, (_, i) => i);
    const { images } = await sampleMultiStep(model, { seeds: ten, labels: ten, ts: [10, 22] });
    const error = relativeError(page.images!, images);
    console.info(`${page.adapter} in the browser against ${gpu.info.name} in Node: ${error.toExponential(1)}`);
    expect(error).toBeLessThanOrEqual(1e-4);
    gpu.close();
  });
});
