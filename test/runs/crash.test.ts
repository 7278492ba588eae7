import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { openCheckpoint } from "../../src/checkpoint/index.js";
import { decodePng, encodePng } from "../../src/image/png.js";
import { adapter, CLI, filesIn, run, sentence } from "../support/cli.js";
import { fixturePath } from "../support/fixtures.js";

/** `npm run crash` sets these: kills of every command, and the seed that chooses where. */
const KILLS = Number(process.env.NCVSD_CRASH_KILLS ?? 0);
const SEED = Number(process.env.NCVSD_CRASH_SEED ?? 1);

const preload = new URL("../support/kill-at.mjs", import.meta.url).href;
const module = (name: string) => JSON.stringify(new URL(`../../dist/src/${name}.js`, import.meta.url).href);
const root = mkdtempSync(join(tmpdir(), "ncvsd-crash-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const tiny = fixturePath("ncvsd-tiny.safetensors");
const snapshots = join(root, "snapshots");
mkdirSync(snapshots);
for (const kimg of [1, 2]) copyFileSync(tiny, join(snapshots, `snapshot-000000${kimg}-0.100.safetensors`));
const tune = `
  const { writeTuning } = await import(${module("measure/tuning-store")});
  const identity = { adapter: "a", vendor: "v", architecture: "", driver: "d", engine: "1", precision: "f32" };
  writeTuning(identity, new Map([["gemm", "tiles"]]), "tuning", new Date(0));`;

/** What is killed: Node's arguments, and how many kills the suite has time for. */
const PROGRAMS: Readonly<Record<string, { args: readonly string[]; kills: number }>> = {
  sample: {
    args: [
      CLI,
      ..."sample --ts 10 --seeds 0-2 --batch 2 --grid grid.png --save-raw raw.safetensors --net".split(" "),
      tiny,
    ],
    kills: 2,
  },
  restore: {
    args: [CLI, ..."restore --task box_inpainting --steps 3 --runs 1 --data data --quiet".split(" ")],
    kills: 2,
  },
  "evaluate fd": {
    args: [CLI, ..."evaluate fd --ts 10 --n 66 --batch 33 --checkpoint-every 33 --out fd.json --quiet".split(" ")],
    kills: 2,
  },
  convert: { args: [CLI, "convert", fixturePath("convert/ncvsd-views.pkl"), "out.safetensors", "--force"], kills: 4 },
  "dataset convert": {
    args: [CLI, ..."dataset convert data --dest set.zip --resolution 16x16 --force --json".split(" ")],
    kills: 2,
  },
  "dataset convert to a folder": {
    args: [CLI, ..."dataset convert data --dest set --resolution 16x16 --force --json".split(" ")],
    kills: 3,
  },
  phema: {
    args: [CLI, "phema", "--snapshots", snapshots, ..."--std 0.05,0.1 --outdir out --force --json".split(" ")],
    kills: 3,
  },
  train: {
    args: [
      CLI,
      ..."train --data data --batch 2 --duration 8 --checkpoint 2 --status 2 --samples 0 --outdir run --quiet".split(
        " ",
      ),
      ...["--config", join(root, "network.json")],
    ],
    kills: 1,
  },
  tune: { args: ["--input-type=module", "-e", tune], kills: 3 },
};
const WITH_GPU = ["sample", "restore", "evaluate fd", "train"];
const network = { model_channels: 8, channel_mult: [1], num_blocks: 1, attn_resolutions: [], channels_per_head: 8 };
writeFileSync(join(root, "network.json"), JSON.stringify({ ...network, logvar_channels: 16 }));

function start(name: string, dir: string, env: Record<string, string>) {
  const { args } = PROGRAMS[name]!;
  const gpu = WITH_GPU.includes(name) ? adapter : [];
  return run(process.execPath, ["--import", preload, ...args, ...gpu], { cwd: dir, env });
}

function fresh(name: string): string {
  const dir = join(root, name);
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(join(dir, "data"), { recursive: true });
  const data = Uint8Array.from({ length: 32 * 32 }, (_, i) => (i * 7) & 255);
  writeFileSync(join(dir, "data/photo.png"), encodePng({ width: 32, height: 32, channels: 1, data }));
  return dir;
}

/** What differs between two runs of one command: when, how long, how many, how often. */
const PASSING = /^(date|.*seconds|.*timings?|timing|memory|runs|files|imagesPerSecond|command)$/i;

/** Whether a file is what its name says: those of a training's state are when state.json, which comes last, names their folder. */
function counts(dir: string, file: string): boolean {
  const [, state, folder] = /^(.*\/state)\/(state-\d+(?:-2)?|state\.json\.new)/.exec(file) ?? [];
  if (folder === undefined) return true;
  const head = join(dir, state!, "state.json");
  return existsSync(head) && JSON.parse(readFileSync(head, "utf8")).folder === folder;
}

/** What a file says, for comparison; throws where it is not whole. Tables of durations say nothing. */
async function essence(path: string): Promise<unknown> {
  if (path.endsWith(".png"))
    return Buffer.from(decodePng(new Uint8Array(readFileSync(path)), path).data).toString("base64");
  if (path.endsWith(".json"))
    return JSON.stringify(
      JSON.parse(readFileSync(path, "utf8"), (key, value) => (PASSING.test(key) ? undefined : value)),
    );
  if (!path.endsWith(".safetensors")) return readFileSync(path).length > 0;
  const file = await openCheckpoint(path);
  try {
    const values: Record<string, string> = {};
    for (const name of file.tensors.keys()) values[name] = Buffer.from(await file.readBytes(name)).toString("base64");
    return values;
  } finally {
    await file.close();
  }
}

/** Places of kills: spread over all changes of the file system, the last ones among them, where files get their names. */
function places(changes: number, kills: number): number[] {
  if (kills >= changes) return Array.from({ length: changes }, (_, i) => 1 + i);
  const shift = (SEED * 0.618034) % 1;
  return Array.from({ length: kills }, (_, i) => 1 + Math.floor(((i + shift) * changes) / kills));
}

interface WholeRun {
  /** Of the file system. */
  readonly changes: number;
  readonly wanted: ReadonlyMap<string, unknown>;
}
const wholeRuns = new Map<string, WholeRun>();

/** What a run of a command leaves when nothing goes wrong. */
async function wholeRun(name: string): Promise<WholeRun> {
  const known = wholeRuns.get(name);
  if (known) return known;
  const dir = fresh("whole");
  const count = join(root, "count");
  const first = await start(name, dir, { NCVSD_KILL_COUNT: count });
  expect(first.code, first.stderr).toBe(0);
  const wanted = new Map<string, unknown>();
  for (const file of filesIn(dir)) wanted.set(file, await essence(join(dir, file)));
  const made = { changes: Number(readFileSync(count, "utf8")), wanted };
  wholeRuns.set(name, made);
  return made;
}

async function expectWhole(dir: string, wanted: ReadonlyMap<string, unknown>, where: string): Promise<void> {
  expect(filesIn(dir), where).toEqual([...wanted.keys()]);
  for (const [file, content] of wanted) expect(await essence(join(dir, file)), `${where}: ${file}`).toEqual(content);
}

describe("a process that is killed at a change of the file system", () => {
  it.each(Object.keys(PROGRAMS))(
    "%s: no half-written file, nothing left over, the same afterwards",
    async (name) => {
      const { changes, wanted } = await wholeRun(name);
      expect(changes).toBeGreaterThan(5);

      const at = places(changes, KILLS || PROGRAMS[name]!.kills);
      let [half, left] = [0, 0];
      for (const place of at) {
        const where = `${name}, killed at change ${place} of ${changes}`;
        const dir = fresh("killed");
        const killed = await start(name, dir, { NCVSD_KILL_AT: String(place) });
        expect(killed.signal, `${where}: ${killed.stderr}`).toBe("SIGKILL");
        for (const file of filesIn(dir)) {
          if (/\.ncvsd-(tmp|claim)$/.test(file) || !counts(dir, file)) half++;
          // What has its name is whole, and bits are those of the whole run.
          else if (/\.(png|safetensors)$/.test(file) && wanted.has(file))
            expect(await essence(join(dir, file)), `${where}: ${file}`).toEqual(wanted.get(file));
          else await essence(join(dir, file));
        }
        const again = await start(name, dir, {});
        expect(again.code, `${where}: ${again.stderr}`).toBe(0);
        left += filesIn(dir).filter((file) => !wanted.has(file)).length;
        await expectWhole(dir, wanted, where);
      }
      process.stderr.write(
        `${name}: ${at.length} kills at ${changes} changes of the file system, ${half} half-written files swept, ${left} left over\n`,
      );
    },
    KILLS ? 3_600_000 : 240_000,
  );
});

describe("a disk that becomes full", () => {
  it("ends a training with the file's name and the state before; with room again it goes on to the same bits", async () => {
    const { changes, wanted } = await wholeRun("train");
    for (const place of places(changes, KILLS || 1)) {
      const where = `full from change ${place} of ${changes} on`;
      const dir = fresh("full");
      const ended = await start("train", dir, { NCVSD_FULL_AT: String(place) });
      // The last changes are no writes.
      if (ended.code === 0) expect(place, where).toBeGreaterThan(0.9 * changes);
      else
        expect(sentence(ended), where).toMatch(
          /(cannot be written|made): .*(no space left on device|the disk is full)/,
        );
      const again = await start("train", dir, {});
      expect(again.code, `${where}: ${again.stderr}`).toBe(0);
      await expectWhole(dir, wanted, where);
    }
  });
});
