import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { findState, readState, type StoredNetwork, saveState, sweepState } from "../../src/train/state.js";
import { filesIn } from "../support/cli.js";

const root = fs.mkdtempSync(join(tmpdir(), "ncvsd-state-"));
afterAll(() => fs.rmSync(root, { recursive: true, force: true }));
const place = (name: string) => join(root, name);

const entries = [
  { name: "a.weight", shape: [2, 3] },
  { name: "a.gain", shape: [] },
];

/** A network in memory whose every value tells of `mark`. */
function network(mark: number, stds: readonly number[] = [0.05]): StoredNetwork & { values(): number[] } {
  const banks: Map<string, Float32Array<ArrayBufferLike>>[] = [];
  const bank = () => {
    const values = new Map<string, Float32Array<ArrayBufferLike>>(
      entries.map(({ name, shape }) => [name, new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(mark)]),
    );
    banks.push(values);
    return {
      download: async () => values,
      upload: (tensors: ReadonlyMap<string, Float32Array>) => {
        for (const [name, data] of tensors) values.set(name, data);
      },
    };
  };
  return {
    layout: { entries },
    parameters: bank(),
    m: bank(),
    v: bank(),
    averages: stds.map((std) => ({ std, bank: bank() })),
    updates: mark,
    values: () => banks.flatMap((values) => [...values.values()].flatMap((data) => [...data])),
  };
}

const settings = { config: { label_dim: 5, attn: [4, 2] }, batch: 4, lr: { refLr: 0.1 + 0.2 }, data: "abc" };
const save = (dir: string, images: number, mark: number) =>
  saveState(dir, {
    kind: "distillation",
    networks: { generator: network(mark), score: network(mark, []) },
    counters: { images, zeroed: mark },
    settings,
  });

/** What a folder holds: the one mark of all values; undefined: no state. */
async function markOf(dir: string): Promise<number | undefined> {
  const found = await findState(dir, "distillation");
  if (!found) return undefined;
  const networks = { generator: network(-1), score: network(-1, []) };
  await found.restore(networks);
  const all = Object.values(networks).flatMap((its) => [...its.values(), its.updates]);
  const marks = new Set([...all, found.counters.zeroed]);
  expect([...marks], "values of two states are mixed").toHaveLength(1);
  return found.counters.zeroed;
}

const CHANGES = ["openSync", "closeSync", "writeSync", "fsyncSync", "renameSync", "mkdirSync", "rmSync"] as const;
const real = { ...fs };

/** From its n-th change of the file system on nothing reaches the disk any more; a write ends in its middle. */
function stopAt(n: number, error: () => Error): () => number {
  let count = 0;
  for (const name of CHANGES) {
    const call = real[name] as (...args: never[]) => unknown;
    (fs as unknown as Record<string, unknown>)[name] = (...args: never[]) => {
      if (++count < n) return call(...args);
      if (count === n && name === "writeSync") {
        const bytes = args[1] as unknown as Uint8Array;
        real.writeSync(args[0] as unknown as number, bytes.subarray(0, bytes.length >> 1));
      }
      throw error();
    };
  }
  syncBuiltinESMExports();
  return () => count;
}

function heal(): void {
  Object.assign(fs, Object.fromEntries(CHANGES.map((name) => [name, real[name]])));
  syncBuiltinESMExports();
}

afterEach(heal);

describe("the state on disk", () => {
  it("comes back bit for bit, and one generation of files remains", async () => {
    const dir = place("plain");
    await save(dir, 1024, 1);
    await save(dir, 2048, 2);
    await save(dir, 2048, 3);
    expect(await markOf(dir)).toBe(3);
    expect(new Set(filesIn(dir).map((file) => file.replace(/^state-\d+(-2)?\//, "/")))).toEqual(
      new Set([
        ...["generator.weights", "generator.moment1", "generator.moment2", "generator.average-0.05"].map(
          (name) => `/${name}.safetensors`,
        ),
        ...["score.weights", "score.moment1", "score.moment2"].map((name) => `/${name}.safetensors`),
        "state.json",
      ]),
    );
    expect(filesIn(dir)).toHaveLength(8);
    expect((await readState(dir, "distillation")).settings).toEqual(settings);
  });

  it("is the old one or the new one, wherever a process is stopped", async () => {
    const seen = { old: 0, new: 0 };
    for (let n = 1; ; n++) {
      const dir = place(`stopped-${n}`);
      await save(dir, 1024, 1);
      const count = stopAt(n, () => new Error("dead"));
      const outcome = await save(dir, 2048, 2).then(
        () => "saved",
        () => "stopped",
      );
      const reached = count() >= n;
      heal();
      const mark = await markOf(dir);
      expect([1, 2], `stopped at change ${n}`).toContain(mark);
      if (mark === 1) seen.old++;
      else seen.new++;
      // Only what counts is left where somebody clears up, and the next save does, too.
      if (n % 2 === 0) {
        await sweepState(dir);
        expect(await markOf(dir)).toBe(mark);
        expect(fs.readdirSync(dir).filter((name) => name.startsWith("state-"))).toHaveLength(1);
      }
      await save(dir, 3072, 3);
      expect(await markOf(dir)).toBe(3);
      expect(fs.readdirSync(dir).filter((name) => name.startsWith("state-"))).toEqual(["state-0000003072"]);
      fs.rmSync(dir, { recursive: true });
      if (!reached) {
        expect(outcome).toBe("saved");
        break;
      }
    }
    expect(seen.old).toBeGreaterThan(20);
    expect(seen.new).toBeGreaterThan(2);
  });

  it("says why it cannot be written, keeps what was there and leaves nothing half-written", async () => {
    const dir = place("full");
    await save(dir, 1024, 1);
    for (let room = 0; room < 8; room++) {
      let writes = 0;
      fs.writeSync = ((...args: Parameters<typeof real.writeSync>) => {
        if (writes++ < room) return real.writeSync(...args);
        throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC", errno: -28 });
      }) as typeof fs.writeSync;
      syncBuiltinESMExports();
      await expect(save(dir, 2048, 2)).rejects.toThrow(
        /no space left on device, write; the state before is as it was$/,
      );
      heal();
      expect(await markOf(dir)).toBe(1);
      expect(fs.readdirSync(dir).filter((name) => name.startsWith("state-"))).toEqual(["state-0000001024"]);
    }
  });

  it("refuses other settings, naming the first", async () => {
    const dir = place("settings");
    await save(dir, 1024, 1);
    const state = await readState(dir, "distillation");
    state.checkSettings(structuredClone(settings));
    const other = (change: object) => () => state.checkSettings({ ...settings, ...change });
    expect(other({ batch: 8 })).toThrow("was trained with batch 4, not 8: go on with the settings it has");
    expect(other({ config: { label_dim: 6, attn: [4, 2] } })).toThrow("config.label_dim 5, not 6");
    expect(other({ config: { label_dim: 5, attn: [4] } })).toThrow("config.attn [4,2], not [4]");
    expect(other({ lr: { refLr: 0.3 } })).toThrow("lr.refLr 0.30000000000000004, not 0.3");
    expect(other({ data: "abd" })).toThrow("the data set is another than it was trained on");
    expect(other({ more: 1 })).toThrow("more null, not 1");
    await expect(readState(dir, "teacher")).rejects.toThrow("state of a distillation's training, not of a teacher's");
    await expect(readState(place("nowhere"), "teacher")).rejects.toThrow("there is no state.json in it");
  });

  it("refuses damaged files, naming them", async () => {
    const dir = place("damaged");
    await save(dir, 1024, 1);
    const file = join(dir, "state-0000001024", "generator.moment2.safetensors");
    const bytes = fs.readFileSync(file);
    bytes[bytes.length - 1]! ^= 1;
    fs.writeFileSync(file, bytes);
    await expect(markOf(dir)).rejects.toThrow(/generator\.moment2\.safetensors is damaged: its bytes are others/);
    fs.rmSync(file);
    await expect(markOf(dir)).rejects.toThrow(/generator\.moment2\.safetensors/);
    const head = fs.readFileSync(join(dir, "state.json"), "utf8");
    for (const [text, message] of [
      [head.slice(0, 100), /state\.json is damaged/],
      [head.replace("state-0000001024", "../../etc"), /it names no folder/],
      [head.replace('"version": 1', '"version": 2'), /version 2, and this ncvsd-gpu reads version 1/],
      [head.replace('"images": 1024', '"images": -1'), /a counter is no whole number/],
      [head.replace('"updates"', '"udpates"'), /updates is missing/],
    ] as const) {
      fs.writeFileSync(join(dir, "state.json"), text);
      await expect(markOf(dir)).rejects.toThrow(message);
    }
  });
});
