import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build as bundle } from "esbuild";
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

/** What a page says of one call of loadModel, and what the server sent for it: bytes of the answers, in order. */
interface Loaded {
  readonly visit: string;
  readonly name: string;
  readonly outcome: string;
  readonly kept: boolean;
  sent: number[];
}

const MODEL = "/kept.safetensors";

/** Loads the network by its address: two visits, and what is refused. Reports after each call. */
const keeping = `
  import { loadModel, openGpu } from ${JSON.stringify(fileURLToPath(new URL("../dist/src/index.js", import.meta.url)))};
  const visit = new URLSearchParams(location.search).get("visit");
  const url = location.origin + "${MODEL}";
  const gpu = await openGpu();
  async function load(name, options) {
    let outcome = "loaded";
    try {
      await (await loadModel(gpu, url, options)).close();
    } catch (error) {
      outcome = error.code + ": " + error.message;
    }
    const kept = (await caches.match(url)) !== undefined;
    await fetch("/loaded", { method: "POST", body: JSON.stringify({ visit, name, outcome, kept }) });
  }
  if (visit === "1") {
    await load("offline before", { offline: true });
    await load("first", {});
    location.href = "/keeping.html?visit=2";
  } else {
    await load("again", {});
    await load("offline", { offline: true });
    await load("other sum", { sha256: "0".repeat(64) });
    await load("offline after", { offline: true });
    fetch("/", { method: "POST" });
  }`;

/** Serves a built page and the page above, opens one after the other in Chromium, and resolves with what they report. */
async function visit(site: string): Promise<{ page: PageResult; loads: Loaded[] }> {
  const report =
    'addEventListener("generated",()=>fetch("/",{method:"POST",body:JSON.stringify(result)}).then(()=>location="/keeping.html?visit=1"));';
  const bundled = await bundle({
    stdin: { contents: keeping, resolveDir: site },
    ...{ bundle: true, write: false, format: "esm", logLevel: "silent" },
  });
  const pages: Record<string, string | Buffer> = {
    "/index.html": readFileSync(join(site, "index.html"), "utf8").replace("<head>", `<head><script>${report}</script>`),
    "/keeping.html": '<!doctype html><script type="module" src="/keeping.js"></script>',
    "/keeping.js": bundled.outputFiles![0]!.text,
    [MODEL]: readFileSync(weightsPath("ncvsd-fashion32.safetensors")),
  };
  const loads: Loaded[] = [];
  let sent: number[] = [];
  let page: PageResult = { error: "the example has not reported" };
  let resolve: () => void = () => {};
  const reported = new Promise<void>((done) => {
    resolve = done;
  });
  const server = createServer((request, response) => {
    const path = new URL(request.url!, "http://localhost").pathname;
    if (request.method === "POST") {
      let body = "";
      request.on("data", (piece) => {
        body += piece;
      });
      request.on("end", () => {
        response.end();
        if (path === "/loaded") loads.push({ ...JSON.parse(body), sent });
        else if (body === "") resolve();
        else page = JSON.parse(body);
        sent = [];
      });
      return;
    }
    const file = path === "/" ? "/index.html" : path;
    try {
      const content = Buffer.from(pages[file] ?? readFileSync(join(site, file)));
      response.setHeader("content-type", TYPES[extname(file)] ?? "application/octet-stream");
      const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
      const part = from === undefined ? content : content.subarray(Number(from), to ? Number(to) + 1 : undefined);
      if (from !== undefined) {
        response.statusCode = 206;
        const last = Number(from) + part.length - 1;
        response.setHeader("content-range", `bytes ${from}-${last}/${content.length}`);
      }
      if (file === MODEL) {
        response.setHeader("etag", '"1"');
        response.setHeader("cache-control", "no-store");
        sent.push(part.length);
      }
      response.end(part);
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
    setTimeout(
      () => reject(new Error(`a page said nothing within 100 s after ${JSON.stringify(loads)}`)),
      100_000,
    ).unref();
  });
  try {
    await Promise.race([reported, ended]);
    return { page, loads };
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

describe.runIf(chromium !== undefined)("in a browser", () => {
  const folder = mkdtempSync(join(tmpdir(), "ncvsd-browser-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("the example gives the images that Node gives; a file behind an address is kept for the next visit", async () => {
    const root = fileURLToPath(new URL("../examples/browser", import.meta.url));
    const out = join(folder, "site");
    await build({
      root,
      base: "./",
      logLevel: "error",
      build: { outDir: out, target: "esnext", assetsInlineLimit: 0 },
    });

    const { page, loads } = await visit(out);
    expect(page.error).toBeUndefined();
    const told = loads.map(({ visit: n, name, outcome, kept, sent }) => [n, name, outcome, kept, sent]);
    const size = statSync(weightsPath("ncvsd-fashion32.safetensors")).size;
    const head = 2 ** 20;
    const [refused, sum] = [expect.stringMatching(/^BAD_CHECKPOINT: .*is not kept/), expect.stringMatching(/SHA-256/)];
    expect(told).toEqual([
      ["1", "offline before", refused, false, []],
      ["1", "first", "loaded", true, [head, size - head]],
      ["2", "again", "loaded", true, [1]],
      ["2", "offline", "loaded", true, []],
      ["2", "other sum", sum, false, [1]],
      ["2", "offline after", refused, false, []],
    ]);

    const gpu = await openTestGpu();
    const model = await loadModel(gpu, weightsPath("ncvsd-fashion32.safetensors"));
    const ten = Array.from({ length: 10 }, (_, i) => i);
    const { images } = await sampleMultiStep(model, { seeds: ten, labels: ten, ts: [0, 16] });
    const error = relativeError(page.images!, images);
    console.info(`${page.adapter} in the browser against ${gpu.info.name} in Node: ${error.toExponential(1)}`);
    expect(error).toBeLessThanOrEqual(1e-4);
    gpu.close();
  });
});
