import { copyFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { narrowF16, openCheckpoint, widenF16, writeSafetensors } from "../../src/checkpoint/index.js";
import { type EmaSnapshot, postHocCoefficients, reconstructPostHocEma } from "../../src/train/post-hoc.js";
import { makeSnapshot } from "../../src/train/snapshot.js";
import { snapshotName } from "../../src/train/snapshot-name.js";
import { cli, cliOk, filesIn, scratch, sentence } from "../support/cli.js";
import { fixturePath, loadFixture } from "../support/safetensors-fixture.js";
import { snapshotPath } from "../support/snapshots.js";

const place = scratch();
const run = place("run");
const FREQS = "unet.emb_fourier.freqs";
const snapshots: EmaSnapshot[] = [];

/** A network whose every value is the fixture's times a factor. */
async function write(dir: string, kind: string, time: number, std: number, factor: number): Promise<void> {
  const tiny = await loadFixture("edm2-tiny.safetensors");
  const tensors = new Map<string, Float32Array>();
  const list = tiny.names.map((name) => {
    const data = narrowF16(tiny.f32(name).map((x) => factor * x));
    tensors.set(name, widenF16(data));
    return { name, dtype: "F16", shape: tiny.shape(name), data };
  });
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, `${snapshotName(kind, time, std)}.safetensors`), writeSafetensors(list, tiny.metadata));
  snapshots.push({ time, std, tensors });
}

async function read(path: string) {
  const file = await openCheckpoint(path);
  const tensors = new Map<string, Float32Array>();
  for (const name of file.tensors.keys()) tensors.set(name, await file.readF32(name));
  await file.close();
  return { tensors, metadata: file.metadata, dtypes: new Set([...file.tensors.values()].map(({ dtype }) => dtype)) };
}

beforeAll(async () => {
  for (const time of [0, 2048, 4096, 6144])
    for (const std of [0.05, 0.1]) await write(run, "network-snapshot", time, std, 0.7 + time / 20_000 + std);
  writeFileSync(join(run, "run.json"), "{}");
});

describe("ncvsd-gpu phema", () => {
  it("reconstructs averages of several lengths as the library does", async () => {
    const out = place("averages");
    const args = ["phema", "--snapshots", run, "--outdir", out];
    const { stdout } = await cliOk([...args, "--std", "0.05,0.1,...,0.15", "--json"]);
    const { time, outputs } = JSON.parse(stdout);
    expect(time).toBe(6144);
    expect(filesIn(out)).toEqual([0.05, 0.1, 0.15].map((std) => `${snapshotName("phema", 6144, std)}.safetensors`));
    for (const { std, file, coefficients } of outputs) {
      const ours = reconstructPostHocEma(snapshots, { std });
      expect(Object.values(coefficients)).toEqual([...ours.coefficients].filter((_, i) => snapshots[i]!.time > 0));
      const { tensors, metadata, dtypes } = await read(file);
      expect([...dtypes]).toEqual(["F16"]);
      for (const [name, values] of ours.tensors) expect(tensors.get(name), name).toEqual(widenF16(narrowF16(values)));
      expect(tensors.get(FREQS)).toEqual(snapshots.at(-1)!.tensors.get(FREQS));
      expect([metadata.ema_std, metadata.ema_images]).toEqual([String(std), "6144"]);
    }
    // It is a network like any other.
    const inspected = JSON.parse((await cliOk(["inspect", outputs[0].file, "--json"])).stdout);
    expect(inspected.architecture).toBe("edm2");
  });

  it("ends earlier with --time, in 32 bits with --f32, and says so", async () => {
    const out = place("earlier");
    const { stdout } = await cliOk([
      "phema",
      "--snapshots",
      run,
      "--outdir",
      out,
      "--std",
      "0.07",
      "--time",
      "4Ki",
      "--f32",
    ]);
    expect(stdout).toContain("phema-0000004-0.070.safetensors");
    const { tensors, dtypes } = await read(join(out, "phema-0000004-0.070.safetensors"));
    expect([...dtypes]).toEqual(["F32"]);
    expect(tensors).toEqual(reconstructPostHocEma(snapshots, { std: 0.07, time: 4096 }).tensors);
  });

  it("takes the times that the snapshots of training have: names round them", async () => {
    const dir = place("exact");
    mkdirSync(dir);
    const tiny = await loadFixture("edm2-tiny.safetensors");
    const tensors = new Map(tiny.names.map((name) => [name, tiny.f32(name)]));
    const shapes = new Map(tiny.names.map((name) => [name, tiny.shape(name)]));
    const config = JSON.parse(tiny.metadata.config!);
    for (const images of [4000, 8500]) {
      const options = {
        kind: "network-snapshot",
        architecture: "edm2" as const,
        config,
        images,
        std: 0.1,
        shapes,
        tensors,
      };
      const { name, bytes } = makeSnapshot(options);
      writeFileSync(join(dir, name), bytes);
    }
    const result = JSON.parse(
      (await cliOk(["phema", "--snapshots", dir, "--outdir", place("of-exact"), "--std", "0.05", "--json"])).stdout,
    );
    expect(result.time).toBe(8500);
    const plan = [4000, 8500].map((time) => ({ time, std: 0.1 }));
    const [{ coefficients }] = result.outputs;
    expect(Object.values(coefficients)).toEqual([...postHocCoefficients(plan, { time: 8500, std: 0.05 })]);
  });

  it("reads the reference's pickles: of one network twice it makes that network", async () => {
    const dir = place("pickles");
    mkdirSync(dir);
    for (const time of [1024, 2048])
      copyFileSync(snapshotPath("ncvsd-tiny"), join(dir, `${snapshotName("snapshot", time, 0.1)}.pkl`));
    await cliOk(["phema", "--snapshots", dir, "--out", place("of-pickles"), "--std", "0.05"]);
    const made = await read(join(place("of-pickles"), "phema-0000002-0.050.safetensors"));
    const expected = await read(fixturePath("ncvsd-tiny.safetensors"));
    expect(made.tensors).toEqual(expected.tensors);
    expect(made.metadata.architecture).toBe("ncvsd");
  });

  it("replaces nothing without --force, and leaves nothing half-written", async () => {
    const out = place("kept");
    const args = ["phema", "--snapshots", run, "--outdir", out, "--std", "0.05"];
    await cliOk(args);
    const file = join(out, "phema-0000006-0.050.safetensors");
    const before = statSync(file, { bigint: true }).mtimeNs;
    const refused = await cli([...args.slice(0, -1), "0.06,0.05"]);
    expect(refused.code).toBe(2);
    expect(sentence(refused)).toMatch(/phema-0000006-0.050.safetensors is there.*--force/);
    expect(statSync(file, { bigint: true }).mtimeNs).toBe(before);
    expect(filesIn(out)).toHaveLength(1);
    const content = readFileSync(file);
    await cliOk([...args, "--force"]);
    expect(readFileSync(file).equals(content)).toBe(true);
  });

  it("says what is wrong with a folder of snapshots", async () => {
    const mixed = place("mixed");
    await write(mixed, "network-snapshot", 1024, 0.1, 1);
    await write(mixed, "snapshot", 2048, 0.1, 1);
    const other = place("other");
    await write(other, "snapshot", 2048, 0.1, 1);
    copyFileSync(fixturePath("ncvsd-tiny.safetensors"), join(other, "snapshot-0000001-0.100.safetensors"));
    const damaged = place("damaged");
    await write(damaged, "snapshot", 2048, 0.1, 1);
    writeFileSync(join(damaged, "snapshot-0000001-0.100.pkl"), "no pickle");
    snapshots.splice(-4);
    const empty = place("empty");
    mkdirSync(empty);
    for (const [dir, code, message, ...more] of [
      [place("nowhere"), 2, "is no folder"],
      [empty, 2, "holds none"],
      [mixed, 2, "of different networks"],
      [other, 1, "are not of one network"],
      [damaged, 1, "snapshot-0000001-0.100.pkl"],
      [run, 2, "take one of 2048, 4096", "--time", "5000"],
    ] as [string, number, string, ...string[]][]) {
      const out = place("none");
      const result = await cli(["phema", "--snapshots", dir, "--outdir", out, "--std", "0.05", ...more]);
      expect([result.code, sentence(result)]).toEqual([code, expect.stringContaining(message)]);
      expect(filesIn(out)).toEqual([]);
    }
  });
});
