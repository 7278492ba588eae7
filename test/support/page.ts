/** The page of web/ in a real browser. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { build } from "vite";

/** A Chromium on the PATH, or the one that CHROMIUM names. */
export const browserPath = ["chromium", "chromium-browser", "google-chrome"]
  .map((name) => spawnSync("which", [name], { encoding: "utf8" }).stdout?.trim())
  .find((path) => path);

/** WebGPU in software. */
const SWIFTSHADER = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];

const TYPES: Record<string, string> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".png": "image/png",
};

/** Builds the page into a folder of its own. @param minify takes longer, and is what visitors get */
export async function buildPage({ minify = false } = {}): Promise<{ folder: string; remove(): void }> {
  const folder = mkdtempSync(join(tmpdir(), "ncvsd-web-"));
  const configFile = fileURLToPath(new URL("../../web/vite.config.mjs", import.meta.url));
  await build({ configFile, logLevel: "error", build: { outDir: folder, emptyOutDir: true, minify } });
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

export interface Served {
  /** Address of the page, below a path of its own. */
  readonly url: string;
  /** Every path that was asked for since the last `forget`. */
  readonly asked: string[];
  close(): Promise<void>;
}

/** Serves a built page as any static server does, below /some/where/. */
export async function servePage(folder: string): Promise<Served> {
  const asked: string[] = [];
  const server: Server = createServer((request, response) => {
    const path = new URL(request.url!, "http://localhost").pathname;
    asked.push(path);
    const file = path.replace(/^\/some\/where\//, "").replace(/^$|\/$/, "index.html");
    try {
      const content = readFileSync(join(folder, file));
      response.setHeader("content-type", TYPES[extname(file)] ?? "application/octet-stream");
      response.setHeader("content-length", content.length);
      response.end(content);
    } catch {
      response.statusCode = 404;
      response.end();
    }
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://localhost:${port}/some/where/`,
    asked,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        // Those that a browser opened ahead of its need, too.
        server.closeAllConnections();
      }),
  };
}

export function openBrowser({ gpu = true } = {}): Promise<Browser> {
  return chromium.launch({ executablePath: browserPath!, args: ["--no-sandbox", ...(gpu ? SWIFTSHADER : [])] });
}

/** What the worker said: everything that the page got from it. */
export interface Said {
  readonly say: string;
  readonly result?: { readonly images?: Float32Array; readonly texts?: readonly Record<string, string>[] };
  readonly event?: unknown;
}

declare global {
  var said: Said[];
  var gaps: number[];
}

/** Opens a page that remembers what its worker says, and how long its frames took. Errors of the page are thrown by `check`. */
export async function openPage(context: BrowserContext, address: string): Promise<{ page: Page; check(): void }> {
  const page = await context.newPage();
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  await page.addInitScript(() => {
    globalThis.said = [];
    globalThis.gaps = [];
    const Original = Worker;
    globalThis.Worker = class extends Original {
      constructor(...args: ConstructorParameters<typeof Original>) {
        super(...args);
        this.addEventListener("message", ({ data }) => void globalThis.said.push(data));
      }
    };
    let last = performance.now();
    const tick = (now: number) => {
      globalThis.gaps.push(now - last);
      last = now;
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  });
  await page.goto(address);
  return {
    page,
    check() {
      if (errors.length > 0) throw new Error(`the page failed: ${errors.join("; ")}`);
    },
  };
}

/** Waits until the network is there, and the greeting is over. */
export async function ready(page: Page): Promise<void> {
  await page.waitForFunction(() => document.querySelector(".hero-sheet figcaption")?.textContent?.includes("just now"));
  await page.waitForFunction(() => globalThis.said.filter(({ say }) => say === "done").length >= 2);
}

/** Clicks "Draw samples" and waits for them: their values. */
export async function drawSamples(page: Page): Promise<number[]> {
  const before = await page.evaluate(() => globalThis.said.length);
  await page.click("button.main");
  await page.waitForFunction(
    (from) => globalThis.said.slice(from).some(({ say }) => say === "done" || say === "failed"),
    before,
  );
  await page.waitForSelector('.results[aria-busy="false"]');
  return page.evaluate((from) => {
    const last = globalThis.said.slice(from).find(({ say }) => say === "done");
    return Array.from(last?.result?.images ?? []);
  }, before);
}
