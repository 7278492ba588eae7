// Figures of the page in web/dist (`npm run web -- --build` makes it): `node web/build/measure.mjs`. Bytes of a first visit, time to
// the first stored and to the first generated picture, here and behind 100 ms and 10 Mbit/s, and the longest gap between frames while
// samples are drawn. In headless Chromium, on SwiftShader unless NCVSD_WEB_GPU=1. Prints JSON.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { chromium } from "playwright-core";

const folder = fileURLToPath(new URL("../dist/", import.meta.url));
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".png": "image/png" };
const sent = new Map();

/** As servers do: text is packed. */
const server = createServer((request, response) => {
  const { pathname } = new URL(request.url, "http://localhost");
  const name = pathname === "/" ? "index.html" : pathname.slice(1);
  try {
    const type = TYPES[extname(name)];
    const content = readFileSync(join(folder, name));
    const packed = type && type !== "image/png" ? gzipSync(content) : content;
    if (packed !== content) response.setHeader("content-encoding", "gzip");
    response.setHeader("content-type", type ?? "application/octet-stream");
    response.setHeader("content-length", packed.length);
    sent.set(name, packed.length);
    response.end(packed);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const url = `http://localhost:${server.address().port}/`;
const gpu = process.env.NCVSD_WEB_GPU === "1" ? [] : ["--use-webgpu-adapter=swiftshader"];
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--enable-unsafe-webgpu", ...gpu],
});

/** Seconds from the start of the navigation. */
async function visit(network) {
  const context = await browser.newContext();
  context.setDefaultTimeout(300_000);
  const page = await context.newPage();
  if (network) {
    const session = await context.newCDPSession(page);
    await session.send("Network.enable");
    await session.send("Network.emulateNetworkConditions", { offline: false, ...network });
  }
  await page.addInitScript(() => {
    globalThis.times = { made: [], gap: 0 };
    const Original = Worker;
    globalThis.Worker = class extends Original {
      constructor(...args) {
        super(...args);
        this.addEventListener("message", ({ data }) => {
          if (data.say === "done") globalThis.times.made.push(performance.now());
        });
      }
    };
    let last = performance.now();
    const tick = (now) => {
      globalThis.times.gap = Math.max(globalThis.times.gap, now - last);
      last = now;
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  });
  await page.goto(`${url}?levels=20`);
  await page.waitForFunction(() => globalThis.times.made.length >= 2);
  const stored = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime);
  const made = await page.evaluate(() => globalThis.times.made);
  await page.evaluate(() => {
    globalThis.times.gap = 0;
  });
  await page.click("button.main >> nth=0");
  await page.waitForFunction(() => globalThis.times.made.length >= 3);
  const gap = await page.evaluate(() => globalThis.times.gap);
  await context.close();
  const seconds = (ms) => Math.round(ms) / 1000;
  return {
    stored: seconds(stored),
    firstGenerated: seconds(made[0]),
    sheet: seconds(made[1]),
    longestGapMs: Math.round(gap),
  };
}

const here = await visit();
const first = [...sent].filter(([name]) => !/kernels-|sw\.js/.test(name));
const bytes = Object.fromEntries(first);
const slow = await visit({ latency: 100, downloadThroughput: 10e6 / 8, uploadThroughput: 10e6 / 8 });
console.log(JSON.stringify({ bytes, here, slow: { network: "100 ms, 10 Mbit/s", ...slow } }, null, 2));
await browser.close();
server.close();
