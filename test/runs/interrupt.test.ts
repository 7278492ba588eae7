import { spawn } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { decodePng } from "../../src/image/png.js";
import { runKey } from "../../src/runs/origin.js";
import { alreadyDone } from "../../src/runs/output.js";
import type { RunFile } from "../../src/runs/run-record.js";
import { scratch } from "../support/cli.js";

const place = scratch();
let dir = "";
beforeEach(({ task }) => {
  dir = place(task.id);
  mkdirSync(dir);
});

describe("Ctrl-C", () => {
  /** Bundles a program of a few lines with the real modules, so that a plain Node process can run it. */
  async function program(source: string): Promise<string> {
    const { build } = await import("vite");
    const here = new URL("../..", import.meta.url).pathname;
    const entry = join(dir, "entry.ts");
    writeFileSync(entry, source.replaceAll("@/", here));
    await build({
      configFile: false,
      logLevel: "error",
      root: here,
      ssr: { noExternal: true },
      build: {
        ssr: entry,
        outDir: dir,
        emptyOutDir: false,
        rollupOptions: { output: { format: "es", entryFileNames: "program.mjs" } },
      },
    });
    return join(dir, "program.mjs");
  }

  /** Starts it, sends a signal each time it says "ready", and waits for its end. */
  function interrupt(path: string, signals: NodeJS.Signals[]) {
    return new Promise<{ code: number | null; signal: string | null; stdout: string }>((done, fail) => {
      const child = spawn(process.execPath, [path, join(dir, "out")], { stdio: ["ignore", "pipe", "inherit"] });
      let stdout = "";
      let seen = 0;
      child.stdout.on("data", (data) => {
        stdout += data;
        for (const ready = stdout.split("ready").length - 1; seen < ready; seen++) {
          const signal = signals[seen];
          if (signal) child.kill(signal);
        }
      });
      child.on("error", fail);
      child.on("close", (code, signal) => done({ code, signal, stdout }));
    });
  }

  test("in the middle of a run leaves whole images and a record, and exits with 130", async () => {
    const path = await program(`
      import { onInterrupt } from "@/src/runs/interrupt.ts";
      import { imageText } from "@/src/runs/origin.ts";
      import { imageName, prepareOutdir } from "@/src/runs/output.ts";
      import { writeAtomic } from "@/src/runs/whole-file.ts";
      import { RunRecord } from "@/src/runs/run-record.ts";
      import { encodePng } from "@/src/image/png.ts";
      const { dir } = prepareOutdir(process.argv[2]);
      const info = { version: "0", command: [], options: { zeta: 1 }, checkpoint: { name: "n", sha256: "s" }, adapter: "a", seeds: Array.from({ length: 1e6 }, (_, i) => i) };
      const record = RunRecord.open(dir, info);
      onInterrupt(() => record.write({}));
      onInterrupt(() => console.log("bar away"));
      const image = { width: 200, height: 200, channels: 3, data: new Uint8Array(120000).map((_, i) => i * i) };
      for (const seed of info.seeds) {
        writeAtomic(dir + "/" + imageName(seed), encodePng(image, imageText({ seed, checkpoint: info.checkpoint, options: info.options, adapter: "a", version: "0" })));
        record.addMade(seed);
        if (seed === 20) console.log("ready");
        await new Promise((next) => setImmediate(next));
      }
    `);
    const { code, stdout } = await interrupt(path, ["SIGINT"]);
    expect(code).toBe(130);
    expect(stdout).toContain("bar away");
    const names = readdirSync(join(dir, "out"));
    const images = names.filter((name) => name.endsWith(".png"));
    expect(names.length).toBe(images.length + 1);
    expect(images.length).toBeGreaterThan(20);
    for (const name of images) decodePng(readFileSync(join(dir, "out", name)), name);
    const file = JSON.parse(readFileSync(join(dir, "out/run.json"), "utf8")) as RunFile;
    expect(Object.keys(file.images)).toHaveLength(images.length);
    expect(file.runs[0]!.complete).toBe(false);
    const seeds = images.map((name) => Number.parseInt(name, 10));
    expect(alreadyDone(join(dir, "out"), [...seeds, 999_999], runKey({ zeta: 1 }, "s"))).toEqual({
      kept: seeds,
      redo: [999_999],
    });
  });

  test("a second one ends a process whose clean-up hangs; a clean-up that throws does not keep the others from running", async () => {
    const path = await program(`
      import { onInterrupt } from "@/src/runs/interrupt.ts";
      import { writeSync } from "node:fs";
      onInterrupt(() => { writeSync(1, "last ready"); for (;;); });
      onInterrupt(() => { throw new Error(""); });
      setInterval(() => {}, 1000);
      writeSync(1, "ready");
    `);
    const { code, signal, stdout } = await interrupt(path, ["SIGINT", "SIGINT"]);
    expect(stdout).toBe("readylast ready");
    expect([code, signal]).toEqual([null, "SIGINT"]);
  });

  test("SIGTERM exits with 143; with all registrations taken back a process ends as if there had been none", async () => {
    const source = `
      import { onInterrupt } from "@/src/runs/interrupt.ts";
      const off = onInterrupt(() => console.log("cleaned"));
      setInterval(() => {}, 1000);
    `;
    const term = await interrupt(await program(`${source} console.log("ready");`), ["SIGTERM"]);
    expect([term.code, term.stdout]).toEqual([143, "ready\ncleaned\n"]);
    const plain = await interrupt(await program(`${source} off(); off(); console.log("ready");`), ["SIGINT"]);
    expect([plain.signal, plain.stdout]).toEqual(["SIGINT", "ready\n"]);
  });
});
