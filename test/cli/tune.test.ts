/** `bench --tune` and what other commands make of its choices. */
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { Gpu } from "../../src/gpu/device.js";
import { driverFolder } from "../../src/gpu/native.js";
import type { TuningIdentity } from "../../src/gpu/tuning.js";
import { ENGINE_VERSION, tuningFile } from "../../src/gpu/tuning-cache.js";
import { subjectsOf } from "../../src/measure/tuner.js";
import { writeTuning } from "../../src/measure/tuning-store.js";
import { loadModel } from "../../src/networks/edm2/model.js";
import { adapter, cliOk, cliRefused, filesIn, rawImages, scratch, sentence } from "../support/cli.js";
import { relativeError } from "../support/fixtures.js";
import { openTestGpu } from "../support/gpu.js";
import { fixturePath } from "../support/safetensors-fixture.js";

const TINY = fixturePath("ncvsd-tiny.safetensors");
const place = scratch();

let identity: TuningIdentity;
/** The adapter's name for people. */
let name: string;
/** For every name of the tiny network the last of its choices. */
let choices: Map<string, string>;

/** A cache folder of its own, with the drivers of the user's; compiled shaders stay in the user's. */
function cacheFolder(name: string) {
  const home = place(name);
  const shaders = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  mkdirSync(join(home, "ncvsd-gpu"), { recursive: true });
  if (existsSync(driverFolder())) symlinkSync(driverFolder(), join(home, "ncvsd-gpu", "driver"));
  const env = { XDG_CACHE_HOME: home, MESA_SHADER_CACHE_DIR: shaders, NCVSD_TUNING: "" };
  return { env, folder: join(home, "ncvsd-gpu", "tuning") };
}

beforeAll(async () => {
  const gpu: Gpu = await openTestGpu();
  const { device, vendor, architecture, driver } = gpu.info;
  name = gpu.info.name;
  identity = { adapter: device, vendor, architecture, driver, engine: ENGINE_VERSION, precision: "f32" };
  const model = await loadModel(gpu, TINY);
  const { kernels, algorithms } = subjectsOf(gpu, model.planFor(2).network.graph, 2);
  choices = new Map([...kernels, ...algorithms].map((subject) => [subject.key, subject.choices.at(-1)!]));
  await model.close();
  gpu.close();
});

describe("bench --tune", () => {
  it("measures every name in the time it has, and keeps what it says it keeps", async () => {
    const { env, folder } = cacheFolder("tune");
    const args = ["bench", "--tune", "--net", TINY, "--batch", "2", "--runs", "3", "--seconds", "600", "--json"];
    const { stdout, stderr } = await cliOk([...args, ...adapter], { env });
    expect(stderr).toBe("");
    const facts = JSON.parse(stdout);
    expect(facts).toMatchObject({ adapter: name, precision: "f32", net: TINY, batch: 2, seconds: 600 });
    expect(facts.rows.map((row: { key: string }) => row.key).sort()).toEqual([...choices.keys()].sort());
    const changed: Record<string, string> = {};
    for (const row of facts.rows) {
      expect(row, row.key).toMatchObject({ measured: true, rejected: [] });
      expect(row.ownMs).toBeGreaterThan(0);
      if (row.choice === row.own) expect(row.ms).toBe(row.ownMs);
      else {
        expect(row.ms, row.key).toBeLessThan(row.ownMs / 1.049);
        changed[row.key] = row.choice;
      }
    }
    const any = Object.keys(changed).length > 0;
    if (any) {
      const [measured, alone] = facts.networks;
      expect([measured.batch, alone.batch]).toEqual([2, 1]);
      for (const { difference } of facts.networks) expect(difference).toBeLessThanOrEqual(2e-5);
      const slow = alone.gain < 0.97 && alone.medianGain < 0.97;
      expect(facts.kept).toBe(measured.gain > 1 && measured.medianGain > 1 && !slow);
    } else expect(facts).toMatchObject({ networks: [], kept: true });
    if (any && facts.kept) {
      expect(facts.stored).toEqual({ file: tuningFile(identity, folder), choices: Object.keys(changed).length });
      expect(JSON.parse(readFileSync(facts.stored.file, "utf8"))).toMatchObject({ identity, choices: changed });
      expect(filesIn(folder)).toEqual([basename(facts.stored.file)]);
    } else {
      expect(facts.stored).toBeNull();
      expect(filesIn(folder)).toEqual([]);
    }
  }, 300_000);

  it("without time nothing is measured and nothing changes; the text says so in 80 columns", async () => {
    const { env, folder } = cacheFolder("no-time");
    // An earlier choice of this very network that the cost model would not make.
    const own = [[...choices.keys()].find((key) => key.startsWith("conv 3x3"))!, "direct"] as const;
    const file = writeTuning(identity, new Map([["of another network", "x"], own]), folder);
    const before = readFileSync(file, "utf8");
    const args = ["bench", "--tune", "--net", TINY, "--batch", "1", "--seconds", "1e-9"];
    const { stdout } = await cliOk([...args, ...adapter], { env });
    const lines = stdout.trimEnd().split("\n");
    for (const line of lines) if (!line.includes("/")) expect(line.length, line).toBeLessThanOrEqual(80);
    expect(lines[0]).toBe(`adapter      ${name}, f32`);
    expect(stdout).toMatch(new RegExp(`^measured +0 of ${choices.size} layers and loops at batch 1, \\d+ s$`, "m"));
    expect(stdout).toMatch(new RegExp(`^not reached +${choices.size}: `, "m"));
    expect(stdout).toMatch(/^stored +2 choices in /m);
    expect(readFileSync(file, "utf8")).toBe(before);
  });

  it.each([
    ["no time", ["--tune", "--seconds", "0"], /^--seconds "0": must be a number above 0 and up to 86400$/],
    ["tuning without tuning", ["--tune", "--no-tuning"], /^--tune makes the choices that --no-tuning leaves unused/],
    ["time without --tune", ["--seconds", "5"], /^--seconds is for --tune: leave it out$/],
    ["a batch that no kernel can index", ["--tune", "--batch", "65536"], /^--batch 65536 is too large/],
  ])("%s is refused in one sentence", async (_, args, says) => {
    const result = await cliRefused(["bench", ...args, ...adapter]);
    expect(sentence(result)).toMatch(says);
  });

  it("does not go with --kernels", async () => {
    const both = await cliRefused(["bench", "--tune", "--kernels"]);
    expect(both.stderr).toMatch(/^ncvsd-gpu: option '--tune' cannot be used with option '--kernels'$/m);
  });
});

describe("sample", () => {
  const run = async (dir: string, env: Record<string, string>, ...more: string[]) => {
    const raw = place(`${dir}.safetensors`);
    const args = ["sample", "--net", TINY, "--seeds", "0-2", "--batch", "3", "--ts", "10,30", "--save-raw", raw];
    const { stderr } = await cliOk([...args, "--outdir", place(dir), ...more, ...adapter], { env });
    const record = JSON.parse(readFileSync(join(place(dir), "run.json"), "utf8"));
    return { stderr, tuning: record.runs[0].tuning, settings: Object.keys(record.settings), ...(await rawImages(raw)) };
  };

  it("uses the stored choices, records it, and makes the same images to rounding", async () => {
    const { env, folder } = cacheFolder("stored");
    const plain = await run("plain", env, "--verbose");
    expect(plain.tuning).toBeNull();
    expect(plain.stderr).toMatch(/^tuned choices: none; the cost models choose$/m);
    const file = writeTuning(identity, choices, folder);
    const tuned = await run("tuned", env, "--verbose");
    expect(tuned.tuning).toEqual({ file: basename(file), choices: choices.size });
    expect(tuned.stderr).toContain(`tuned choices: ${choices.size} from ${file}\n`);
    const error = relativeError(tuned.values, plain.values);
    expect(error).toBeGreaterThan(0);
    expect(error).toBeLessThanOrEqual(2e-5);
    // What decides an image has not changed: images of before are kept.
    expect(tuned.settings).toEqual(plain.settings);

    const bench = async (...more: string[]) => {
      const args = ["bench", "--net", TINY, "--batch", "1", "--runs", "1", "--profile", "--json"];
      const { tuning, profile } = JSON.parse((await cliOk([...args, ...more, ...adapter], { env })).stdout);
      return { tuning, kernels: profile.kernels.map(({ kernel }: { kernel: string }) => kernel) };
    };
    const measured = await bench();
    expect(measured.tuning).toEqual(tuned.tuning);
    expect(measured.kernels).toContain("conv");
    const untuned = await bench("--no-tuning");
    expect(untuned.tuning).toBeNull();
    expect(untuned.kernels).toContain("winograd-output");
    expect(untuned.kernels).not.toContain("conv");

    const switchedOff = [await run("flag", env, "--no-tuning"), await run("env", { ...env, NCVSD_TUNING: "off" })];
    writeFileSync(file, '{"tool": "ncvsd-gpu"');
    for (const { tuning, values } of [...switchedOff, await run("damaged", env)]) {
      expect(tuning).toBeNull();
      expect(relativeError(values, plain.values)).toBe(0);
    }
  });
});
