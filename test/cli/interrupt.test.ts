import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseSeeds } from "../../src/runs/args.js";
import type { RunFile } from "../../src/runs/run-record.js";
import { adapter, type CliResult, cli, cliOk, filesIn, png, rawImages, scratch, sentence } from "../support/cli.js";
import { fixturePath } from "../support/safetensors-fixture.js";

const TINY = fixturePath("ncvsd-tiny.safetensors");
const place = scratch();

const sample = (dir: string, ...args: string[]) => ["sample", ...adapter, "--net", TINY, "--outdir", dir, ...args];
const json = (result: CliResult) => JSON.parse(result.stdout) as { made: number; kept: number };
const counts = async (args: string[]) => {
  const { made, kept } = json(await cliOk([...args, "--json"]));
  return { made, kept };
};
const record = (dir: string) => JSON.parse(readFileSync(join(dir, "run.json"), "utf8")) as RunFile;
const images = (dir: string) => filesIn(dir).filter((name) => name.endsWith(".png"));
const modified = (dir: string) => images(dir).map((name) => statSync(join(dir, name)).mtimeMs);

describe("the same command again", () => {
  it("makes nothing, keeps every file as it is, and says how many", async () => {
    const dir = place("again");
    await cliOk(sample(dir, "--seeds", "0-2"));
    const before = modified(dir);
    const { stderr } = await cliOk(sample(dir, "--seeds", "0-2"));
    expect(stderr).toMatch(/^kept 3 images that were there \(--force makes them anew\)$/m);
    expect(stderr).not.toContain("made");
    expect(modified(dir)).toEqual(before);
    expect(record(dir).runs).toHaveLength(1);
  });

  it("with more seeds makes those only; another batch size or file beside is no other run", async () => {
    const dir = place("more");
    await cliOk(sample(dir, "--seeds", "0-2"));
    const before = modified(dir);
    expect(await counts(sample(dir, "--seeds", "1-4", "--batch", "1", "--grid", place("more.png")))).toEqual({
      made: 2,
      kept: 2,
    });
    expect(modified(dir).slice(0, 3)).toEqual(before);
    expect(existsSync(place("more.png"))).toBe(true);
    expect(record(dir).runs.at(-1)).toMatchObject({ seeds: "1-4", made: 2, kept: 2, complete: true });
    expect(Object.keys(record(dir).images)).toEqual(["0", "1", "2", "3", "4"]);
  });

  it("with other options or another checkpoint makes all anew", async () => {
    const dir = place("other");
    await cliOk(sample(dir, "--seeds", "0-1", "--ts", "10"));
    const first = readFileSync(join(dir, "000000.png"));
    expect(await counts(sample(dir, "--seeds", "0-1", "--ts", "12"))).toEqual({ made: 2, kept: 0 });
    expect(readFileSync(join(dir, "000000.png")).equals(first)).toBe(false);
    expect(await counts(sample(dir, "--seeds", "0-1", "--ts", "12,39"))).toEqual({ made: 0, kept: 2 });
    expect(await counts(sample(dir, "--seeds", "0-1", "--ts", "12", "--class", "3"))).toEqual({ made: 2, kept: 0 });
    const teacher = [
      "sample",
      ...adapter,
      "--net",
      fixturePath("edm2-tiny.safetensors"),
      "--steps",
      "2",
      "--outdir",
      dir,
    ];
    expect(await counts([...teacher, "--seeds", "0-1"])).toEqual({ made: 2, kept: 0 });
    expect(await counts([...teacher, "--seeds", "0-1", "--steps", "3"])).toEqual({ made: 2, kept: 0 });
    expect(Object.keys(record(dir).images)).toEqual(["0", "1"]);
  });

  it("--force makes all anew, bit for bit the same", async () => {
    const dir = place("force");
    await cliOk(sample(dir, "--seeds", "0-1"));
    const [before, times] = [readFileSync(join(dir, "000001.png")), modified(dir)];
    expect(await counts(sample(dir, "--seeds", "0-1", "--force"))).toEqual({ made: 2, kept: 0 });
    expect(readFileSync(join(dir, "000001.png")).equals(before)).toBe(true);
    for (const [i, time] of modified(dir).entries()) expect(time).toBeGreaterThan(times[i]!);
  });

  it("--save-raw needs the values of all images, so none is kept", async () => {
    const dir = place("raw-again");
    await cliOk(sample(dir, "--seeds", "0-1"));
    const raw = place("raw-again.safetensors");
    expect(await counts(sample(dir, "--seeds", "1,0,2", "--save-raw", raw))).toEqual({ made: 3, kept: 0 });
    expect((await rawImages(raw)).shape).toEqual([3, 3, 16, 16]);
  });

  it("makes a damaged image again", async () => {
    const dir = place("damaged");
    await cliOk(sample(dir, "--seeds", "0-1"));
    truncateSync(join(dir, "000001.png"), statSync(join(dir, "000001.png")).size - 9);
    expect(await counts(sample(dir, "--seeds", "0-1"))).toEqual({ made: 1, kept: 1 });
    expect(png(join(dir, "000001.png")).width).toBe(16);
  });

  it("refuses to overwrite a picture or a record that is not ours, before it makes anything", async () => {
    const dir = place("foreign");
    mkdirSync(dir);
    const holiday = readFileSync(join(import.meta.dirname, "../fixtures", "README.md"));
    writeFileSync(join(dir, "000001.png"), holiday);
    const result = await cli(sample(dir, "--seeds", "0-1"));
    expect(result.code).toBe(2);
    expect(sentence(result)).toMatch(
      /000001\.png is there and was not made by ncvsd-gpu: .* or overwrite it with --force$/,
    );
    expect(filesIn(dir)).toEqual(["000001.png"]);
    expect(readFileSync(join(dir, "000001.png")).equals(holiday)).toBe(true);
    // Seeds that do not touch it are no matter; with --force it goes.
    expect(await counts(sample(dir, "--seeds", "0"))).toEqual({ made: 1, kept: 0 });
    expect(await counts(sample(dir, "--seeds", "0-1", "--force"))).toEqual({ made: 2, kept: 0 });

    const other = place("foreign-record");
    mkdirSync(other);
    writeFileSync(join(other, "run.json"), '{"my": "notes"}');
    const refused = await cli(sample(other, "--seeds", "0"));
    expect(refused.code).toBe(2);
    expect(sentence(refused)).toMatch(/run\.json is there and is no record of ncvsd-gpu: /);
    expect(readFileSync(join(other, "run.json"), "utf8")).toBe('{"my": "notes"}');
    expect(filesIn(other)).toEqual(["run.json"]);
  });
});

/** Starts a run and sends it signals as soon as `when` many images are there. */
function interrupted(args: string[], dir: string, when: number, signals: NodeJS.Signals[]): Promise<CliResult> {
  return cli(args, {
    onStart(child) {
      const timer = setInterval(() => {
        if (images(dir).length < when) return;
        clearInterval(timer);
        for (const signal of signals) child.kill(signal);
      }, 5);
      child.on("close", () => clearInterval(timer));
    },
  });
}

/** Every image whole, nothing half-written, and the record (where there is one) speaks of what is there. */
function expectWhole(dir: string) {
  for (const name of images(dir)) expect(png(join(dir, name)), name).toMatchObject({ width: 16, height: 16 });
  const strays = existsSync(dir) ? readdirSync(dir).filter((name) => !/^(\d{6}\.png|run\.json)$/.test(name)) : [];
  expect(strays).toEqual([]);
}

describe("a signal in the middle of sampling", () => {
  // Ten evaluations an image: long enough to be in the middle.
  const ts = "0,4,8,12,16,20,24,28,32,36";
  const seeds = "0-11";
  const total = parseSeeds(seeds).length;
  const args = (dir: string) => sample(dir, "--ts", ts, "--seeds", seeds, "--batch", "1");

  it("SIGINT (Ctrl-C): exit 130, whole images and a record; the same command goes on and ends where one run would", async () => {
    const dir = place("sigint");
    const result = await interrupted(args(dir), dir, 2, ["SIGINT"]);
    expect(result).toMatchObject({ code: 130, signal: null, stdout: "" });
    const there = images(dir).length;
    expect(there).toBeGreaterThanOrEqual(2);
    expect(there).toBeLessThan(total);
    expect(result.stderr.trimEnd().split("\n").at(-1)).toBe(
      `Stopped: ${there} of ${total} images are in ${dir}; the same command goes on from there.`,
    );
    expectWhole(dir);
    expect(record(dir).runs).toEqual([expect.objectContaining({ made: there, kept: 0, complete: false, seeds })]);
    expect(Object.keys(record(dir).images)).toHaveLength(there);

    expect(await counts(args(dir))).toEqual({ made: total - there, kept: there });
    expect(record(dir).runs.at(-1)).toMatchObject({ made: total - there, kept: there, complete: true });
    const atOnce = place("at-once");
    await cliOk(sample(atOnce, "--ts", ts, "--seeds", seeds, "--batch", "12"));
    for (const name of images(dir))
      expect(readFileSync(join(dir, name)).equals(readFileSync(join(atOnce, name)))).toBe(true);
  });

  it("twice in a row: ends as well, with whole images", async () => {
    const dir = place("twice");
    const { code, signal } = await interrupted(args(dir), dir, 1, ["SIGINT", "SIGINT"]);
    expect(code === 130 || signal === "SIGINT").toBe(true);
    for (const name of images(dir)) expect(png(join(dir, name)), name).toMatchObject({ width: 16 });
    expect(images(dir).length).toBeLessThan(total);
    if (existsSync(join(dir, "run.json"))) expect(record(dir).tool).toBe("ncvsd-gpu");
  });

  it("SIGTERM: exit 143; a --save-raw file that is not whole is not left, and no grid", async () => {
    const dir = place("sigterm");
    const raw = place("sigterm-raw/images.safetensors");
    const grid = place("sigterm-grid.png");
    const result = await interrupted([...args(dir), "--save-raw", raw, "--grid", grid], dir, 1, ["SIGTERM"]);
    expect(result).toMatchObject({ code: 143, signal: null });
    expect(result.stderr).toContain("Stopped: ");
    expectWhole(dir);
    expect(filesIn(place("sigterm-raw"))).toEqual([]);
    expect(existsSync(grid)).toBe(false);
  });

  it("before the first image: nothing is left, not even the folder", async () => {
    const dir = place("early");
    const result = await cli(sample(dir, "--ts", ts, "--seeds", "0-3", "--batch", "4"), {
      onStart(child) {
        child.stderr!.on("data", (text: string) => {
          if (text.includes("evaluations each")) child.kill("SIGINT");
        });
      },
    });
    expect(result.code).toBe(130);
    expect(result.stderr).toContain(`Stopped: 0 of 4 images are in ${dir}`);
    expect(existsSync(dir)).toBe(false);
  });

  it("--quiet and --json: a signal's exit code, and no JSON of a run that did not end", async () => {
    const dir = place("silent");
    const result = await interrupted([...args(dir), "--json"], dir, 1, ["SIGINT"]);
    expect(result).toMatchObject({ code: 130, stdout: "" });
    expectWhole(dir);
  });
});
