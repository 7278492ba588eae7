/** The cache of tuned choices, and what opening a device makes of it. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { openGpu } from "../../src/gpu/device.js";
import type { TuningIdentity } from "../../src/gpu/tuning.js";
import {
  cachedTuning,
  ENGINE_VERSION,
  readTuning,
  tuningEnabled,
  tuningFile,
  tuningFolder,
} from "../../src/gpu/tuning-cache.js";
import { writeTuning } from "../../src/measure/tuning-store.js";
import { openTestGpu, TEST_ADAPTER } from "../support/gpu.js";

const root = mkdtempSync(join(tmpdir(), "ncvsd-tune-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let folder: string;
let turn = 0;
beforeEach(() => {
  folder = join(root, `cache${turn++}`);
});

const identity: TuningIdentity = {
  adapter: "Some GPU (rev 2)",
  vendor: "some",
  architecture: "gen-9",
  driver: "driver 1.2.3",
  engine: "0.1.0",
  precision: "f32",
};
const choices = new Map([
  ["conv 3x3 8>8 @4x4", "direct"],
  ["a loop", "tiled 64x64"],
]);

describe("the file of choices", () => {
  it("gives back what was written, and says for whom and when", () => {
    expect(readTuning(identity, folder)).toBeUndefined();
    const file = writeTuning(identity, choices, folder, new Date("2026-01-02T03:04:05Z"));
    expect(file).toBe(tuningFile(identity, folder));
    expect(readdirSync(folder)).toEqual([expect.stringMatching(/^some-gpu-rev-2-f32-[0-9a-f]{12}\.json$/)]);
    expect(readTuning(identity, folder)).toEqual({ choices, file });
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({
      tool: "ncvsd-gpu",
      format: 1,
      identity,
      date: "2026-01-02T03:04:05.000Z",
      choices: Object.fromEntries(choices),
    });
  });

  it("another adapter, driver, engine, precision or other matrix units have another file; with its content in it, it counts as absent", () => {
    const file = writeTuning(identity, choices, folder);
    for (const field of [...Object.keys(identity), "matrices"] as (keyof TuningIdentity)[]) {
      const other = { ...identity, [field]: field === "precision" ? "f16" : "other" };
      expect(tuningFile(other, folder), field).not.toBe(file);
      expect(readTuning(other, folder), field).toBeUndefined();
      writeFileSync(tuningFile(other, folder), readFileSync(file));
      expect(readTuning(other, folder), field).toBeUndefined();
    }
    expect(readTuning(identity, folder)?.choices).toEqual(choices);
  });

  it("damaged, foreign and newer files count as absent", () => {
    const file = writeTuning(identity, choices, folder);
    const whole = readFileSync(file, "utf8");
    const content = JSON.parse(whole);
    const bad: Record<string, string> = {
      empty: "",
      "cut off": whole.slice(0, -20),
      null: "null",
      list: "[]",
      "another tool's": JSON.stringify({ ...content, tool: "x" }),
      newer: JSON.stringify({ ...content, format: 2 }),
      "no identity": JSON.stringify({ ...content, identity: undefined }),
      "no choices": JSON.stringify({ ...content, choices: {} }),
      "choices as a list": JSON.stringify({ ...content, choices: ["direct"] }),
      "choices as null": JSON.stringify({ ...content, choices: null }),
      "a choice that is no text": JSON.stringify({ ...content, choices: { a: 1 } }),
      huge: whole + " ".repeat(2 ** 20),
    };
    for (const [what, text] of Object.entries(bad)) {
      writeFileSync(file, text);
      expect(readTuning(identity, folder), what).toBeUndefined();
    }
    rmSync(file);
    mkdirSync(file);
    expect(readTuning(identity, folder)).toBeUndefined();
  });

  it("no choices: the file goes; one that cannot be written says so in a sentence and leaves nothing", () => {
    const file = writeTuning(identity, choices, folder);
    writeTuning(identity, new Map(), folder);
    expect(existsSync(file)).toBe(false);
    writeFileSync(join(root, "a-file"), "");
    expect(() => writeTuning(identity, choices, join(root, "a-file"))).toThrow(
      /^The choices cannot be kept in .*a-file.*\.json \(\w+\): set XDG_CACHE_HOME to a folder that can be written to\.$/,
    );
    mkdirSync(file);
    expect(() => writeTuning(identity, choices, folder)).toThrow(/^The choices cannot be kept/);
    expect(readdirSync(folder)).toHaveLength(1);
  });

  it("lies in the user's cache folder, and is of this version of the engine", () => {
    expect(tuningFolder({ XDG_CACHE_HOME: "/x" })).toBe("/x/ncvsd-gpu/tuning");
    expect(tuningFolder({})).toMatch(/\.cache\/ncvsd-gpu\/tuning$/);
    const file = fileURLToPath(new URL("../../package.json", import.meta.url));
    expect(ENGINE_VERSION).toBe(JSON.parse(readFileSync(file, "utf8")).version);
  });

  it("NCVSD_TUNING switches it off", () => {
    for (const value of ["off", "OFF", "0", "no", "false"])
      expect(tuningEnabled({ NCVSD_TUNING: value }), value).toBe(false);
    for (const value of ["on", "1", ""]) expect(tuningEnabled({ NCVSD_TUNING: value }), value).toBe(true);
    expect(tuningEnabled({})).toBe(true);
  });
});

describe("opening a device", () => {
  const before = { ...process.env };
  afterEach(() => {
    for (const name of ["NCVSD_TUNING", "XDG_CACHE_HOME"]) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
  });
  const adapter = TEST_ADAPTER ? { adapter: TEST_ADAPTER } : {};

  it("uses what the cache has for this adapter and precision; not when told not to, nor when it is damaged", async () => {
    // The driver is found before the cache folder is another one.
    const first = await openTestGpu();
    expect(first.tuning).toBeUndefined();
    expect(first.caps.tuning).toBeUndefined();
    const { device, vendor, architecture, driver } = first.info;
    first.close();
    const own = { adapter: device, vendor, architecture, driver, precision: "f32" as const };
    process.env.XDG_CACHE_HOME = folder;
    const file = writeTuning({ ...own, engine: ENGINE_VERSION }, choices);
    expect(file.startsWith(folder)).toBe(true);
    expect(cachedTuning(own)).toBeUndefined();
    delete process.env.NCVSD_TUNING;
    expect(cachedTuning(own)).toEqual({ choices, file });

    const open = async (options: Parameters<typeof openGpu>[0]) => {
      const gpu = await openGpu({ ...adapter, ...options });
      gpu.close();
      return { tuning: gpu.tuning, caps: gpu.caps.tuning };
    };
    expect(await open({})).toEqual({ tuning: { choices, file }, caps: choices });
    expect(await open({ precision: "f16-weights" })).toEqual({ tuning: undefined, caps: undefined });
    expect(await open({ tuning: false })).toEqual({ tuning: undefined, caps: undefined });
    const given = new Map([["a", "b"]]);
    expect(await open({ tuning: given })).toEqual({ tuning: { choices: given, file: null }, caps: given });
    writeFileSync(file, "{");
    expect(await open({})).toEqual({ tuning: undefined, caps: undefined });
    if (process.getuid?.() !== 0) {
      chmodSync(file, 0);
      expect(await open({})).toEqual({ tuning: undefined, caps: undefined });
    }
  });
});
