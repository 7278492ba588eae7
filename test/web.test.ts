/** The page of web/, in short; all of it is tested by `npm run web:test`. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openCheckpoint } from "../src/checkpoint/index.js";
import { encodePng } from "../src/index.js";
import { adapter, cli } from "./support/cli.js";
import { relativeError } from "./support/fixtures.js";
import {
  browserPath,
  buildPage,
  drawSamples,
  openBrowser,
  openPage,
  ready,
  type Served,
  servePage,
} from "./support/page.js";

if (!browserPath) console.warn("No Chromium on the PATH: the page is not tested here.");

describe.runIf(browserPath !== undefined)("the posterior desk", () => {
  const folder = mkdtempSync(join(tmpdir(), "ncvsd-desk-"));
  let built: Awaited<ReturnType<typeof buildPage>>;
  let served: Served;
  let browser: Browser;
  beforeAll(async () => {
    built = await buildPage();
    served = await servePage(built.folder);
    browser = await openBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await served?.close();
    built?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  it("draws the samples that its command draws", async () => {
    const context = await browser.newContext({ permissions: ["clipboard-read", "clipboard-write"] });
    const { page, check } = await openPage(context, `${served.url}?n=2&levels=6&noise=0.1&picture=4`);
    await ready(page);
    const samples = await drawSamples(page);
    await page.click("text=Copy as command");
    const command = await page.evaluate(() => navigator.clipboard.readText());
    check();
    await context.close();

    // The mask that the desk begins with: everything below row 13.
    const known = Float32Array.from({ length: 1024 }, (_, i) => (i < 13 * 32 ? 1 : -1));
    const mask = join(folder, "mask.png");
    writeFileSync(mask, encodePng(known, [1, 32, 32]));
    const words = command.replace("mask.png", mask).split(" ").slice(2);
    const run = await cli([...words, "--outdir", join(folder, "out"), "--quiet", ...adapter]);
    expect(run.code, run.stderr).toBe(0);
    const values = await openCheckpoint(join(folder, "out/000004/values.safetensors"));
    const expected = await values.readF32("samples");
    await values.close();
    expect(samples.length).toBe(2048);
    expect(relativeError(samples, expected)).toBeLessThanOrEqual(1e-4);
  });
});
