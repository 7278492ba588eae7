import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { Command } from "commander";
import { describe, expect, it } from "vitest";
import { writeSafetensors } from "../../src/checkpoint/index.js";
import { registerCommands } from "../../src/cli/commands.js";
import { guardPaths, PATHS } from "../../src/cli/parts/paths.js";
import { foldedName, nameProblem } from "../../src/data/names.js";
import { encodePng } from "../../src/image/png.js";
import { writeAtomic } from "../../src/runs/whole-file.js";
import { adapter, cli, cliOk, filesIn, scratch, sentence } from "../support/cli.js";
import { fixturePath, weightsPath } from "../support/fixtures.js";

const place = scratch();
const tiny = fixturePath("ncvsd-tiny.safetensors");
const sample = (...args: string[]) => cli(["sample", ...adapter, "--ts", "10", "--seeds", "0", "--quiet", ...args]);

async function program(): Promise<Command> {
  const program = new Command();
  await registerCommands(program);
  return program;
}

/** Commands of the program, subcommands too. */
const commands = async () =>
  (await program()).commands.flatMap((command) => (command.commands.length > 0 ? command.commands : [command]));

/** What the guard says to a command line, before anything is done. */
async function guarded(...args: string[]): Promise<string> {
  const passed = new Error("passed");
  const hook = (_: Command, command: Command) => {
    guardPaths(command);
    throw passed;
  };
  return (await program())
    .hook("preAction", hook)
    .parseAsync(args, { from: "user" })
    .then(
      () => "no action",
      (error: Error) => error.message,
    );
}

const everything = await commands();

describe("every path of every command is known", () => {
  const known: string[] = Object.values(PATHS).flat();
  for (const command of everything) {
    it(`${command.name()}: options and arguments with a path`, () => {
      const names = command.options
        .filter(({ flags }) => /[<[](file|dir|path|folder)/.test(flags))
        .map(({ long }) => long!.slice(2));
      // What has choices is no path.
      const given = command.registeredArguments.filter(({ argChoices }) => argChoices === undefined);
      for (const name of [...names, ...given.map((argument) => argument.name())]) expect(known, name).toContain(name);
    });

    it(`${command.name()}: what writes files can be told to replace some`, () => {
      const writes = command.options.some(({ long }) => (PATHS.files as readonly string[]).includes(long!.slice(2)));
      if (writes) expect(command.options.map(({ long }) => long)).toContain("--force");
    });
  }
});

describe("outputs never overwrite inputs or each other", () => {
  const model = (name: string) => {
    const dir = place(name);
    mkdirSync(join(dir, "sub"), { recursive: true });
    copyFileSync(tiny, join(dir, "model.safetensors"));
    return { dir, file: join(dir, "model.safetensors") };
  };
  const untouched = (file: string) => expect(readFileSync(file).equals(readFileSync(tiny))).toBe(true);

  it("also through links, other spellings and other case", async () => {
    const { dir, file } = model("spellings");
    symlinkSync("model.safetensors", join(dir, "link"));
    linkSync(file, join(dir, "hard"));
    symlinkSync(".", join(dir, "here"));
    const spellings = [
      "model.safetensors",
      "sub/../model.safetensors",
      "./link",
      "hard",
      "here/model.safetensors",
      file,
    ];
    for (const spelling of [...spellings, "MODEL.safetensors"]) {
      const result = await cli(
        [
          "sample",
          ...adapter,
          "--net",
          "model.safetensors",
          "--seeds",
          "0",
          "--outdir",
          "out",
          "--save-raw",
          spelling,
          "--force",
        ],
        { cwd: dir },
      );
      expect(result.code, spelling).toBe(2);
      expect(sentence(result)).toMatch(/--save-raw .* is what --net reads/);
    }
    untouched(file);
    expect(existsSync(join(dir, "out"))).toBe(false);
  });

  it("shards of an index, positional inputs, bundled files", async () => {
    const { dir, file } = model("kinds");
    writeFileSync(join(dir, "m.safetensors.index.json"), JSON.stringify({ weight_map: { a: "model.safetensors" } }));
    const index = ["sample", "--net", "m.safetensors.index.json", "--seeds", "0", "--grid", "model.safetensors"];
    expect(sentence(await cli(index, { cwd: dir }))).toMatch(/--grid .* is what --net reads/);
    writeFileSync(join(dir, "r.json"), "{}");
    const merge = await cli(["evaluate", "merge", "a.features.safetensors", "r.json", "--out", "r.json"], { cwd: dir });
    expect(sentence(merge)).toMatch(/--out r\.json is what <shards> reads/);
    const page = await cli(["evaluate", "report", "r.json", "--out", "r.json"], { cwd: dir });
    expect(sentence(page)).toMatch(/--out r\.json is what <results> reads/);
    const stats = [
      "evaluate",
      "stats",
      "--data",
      ".",
      "--features",
      "model.safetensors",
      "--out",
      "./model.safetensors",
    ];
    expect(sentence(await cli(stats, { cwd: dir }))).toMatch(/--out .* is what --features reads/);
    expect(sentence(await sample("--save-raw", weightsPath("edm2-fashion32.safetensors"), "--force"))).toMatch(
      /is a file of ncvsd-gpu itself/,
    );
    untouched(file);
  });

  it("two outputs of one name, an output under a name of the folder's own files, a folder that is read", async () => {
    const dir = place("outputs");
    mkdirSync(dir);
    const run = async (...args: string[]) =>
      sentence(await cli(["sample", "--ts", "10", "--seeds", "0", "--outdir", "out", ...args], { cwd: dir }));
    expect(await run("--grid", "both", "--save-raw", "both")).toMatch(/--grid and --save-raw are both both/);
    expect(await run("--grid", "Both", "--save-raw", "x/../both")).toMatch(/are both/);
    expect(await run("--grid", "out")).toMatch(/--grid and --outdir are both out|--outdir and --grid/);
    expect(await run("--grid", "out/000000.png")).toMatch(/has a name that --outdir out uses for its own files/);
    expect(await run("--save-raw", "out/run.json")).toMatch(/has a name that --outdir out uses/);
    writeFileSync(join(dir, "a.png"), encodePng({ width: 8, height: 8, channels: 1, data: new Uint8Array(64) }));
    const restore = ["restore", "--task", "box_inpainting", "--data", ".", "--outdir", "."];
    expect(sentence(await cli(restore, { cwd: dir }))).toMatch(/--outdir \. is what --data reads/);
    expect(filesIn(dir)).toEqual(["a.png"]);
  });

  it("files of others are replaced with --force alone, our own always", async () => {
    const dir = place("foreign");
    mkdirSync(dir);
    const grid = join(dir, "g.png");
    const raw = join(dir, "r.safetensors");
    const args = ["--net", tiny, "--outdir", join(dir, "out"), "--grid", grid, "--save-raw", raw];
    for (const bytes of ["holiday", encodePng({ width: 8, height: 8, channels: 1, data: new Uint8Array(64) })]) {
      writeFileSync(grid, bytes);
      expect(sentence(await sample(...args))).toMatch(
        /--grid .*g\.png is there and was not made by ncvsd-gpu: .*--force/,
      );
      expect(readFileSync(grid).equals(Buffer.from(bytes))).toBe(true);
    }
    copyFileSync(tiny, raw);
    writeFileSync(grid, "");
    expect(sentence(await sample(...args))).toMatch(/--save-raw .* was not made by/);
    expect((await sample(...args, "--force")).code).toBe(0);
    expect((await sample(...args)).code).toBe(0);
    expect(filesIn(dir)).toEqual(["g.png", "out/000000.png", "out/run.json", "r.safetensors"]);
  });
});

describe("every output counts, whoever names it", () => {
  const dir = place("every");
  const at = (name: string) => join(dir, name);
  mkdirSync(dir, { recursive: true });
  const picture = encodePng({ width: 8, height: 8, channels: 1, data: new Uint8Array(64) });

  it("what a command writes without being told: shards, features, sheets, tables", async () => {
    for (const name of ["fd-1-of-4.json", "fd.features.safetensors"]) {
      writeFileSync(at(name), "mine");
      const shard = name.startsWith("fd-1") ? ["--shard", "1/4"] : [];
      const foreign = ["evaluate", "fd", "--out", at("fd.json"), ...shard];
      expect(await guarded(...foreign)).toMatch(new RegExp(`--out .*${name} is there and was not made by`));
      expect(await guarded(...foreign, "--force")).toBe("passed");
    }
    for (const [command, name] of [
      ["restore", "metrics.md"],
      ["restore", "overview.png"],
      ["demo", "grid.png"],
      ["train", "report.html"],
      ["distill", "report.html"],
    ] as const) {
      const out = at(`${command}-${name}`);
      mkdirSync(out);
      writeFileSync(join(out, name), name.endsWith(".png") ? picture : "mine");
      const trains = command === "train" || command === "distill";
      const more = trains ? ["--data", "d.zip", ...(command === "distill" ? ["--teacher", "bundled"] : [])] : [];
      expect(await guarded(command, "--outdir", out, ...more)).toMatch(
        `${name} is there and was not made by ncvsd-gpu`,
      );
      const record = join(out, command === "demo" ? "1-step/run.json" : trains ? "log.jsonl" : "metrics.json");
      mkdirSync(dirname(record), { recursive: true });
      writeFileSync(record, '{\n  "tool": "ncvsd-gpu"');
      expect(await guarded(command, "--outdir", out, ...more)).toBe("passed");
    }
    // Merging reads features and writes none.
    const merge = ["evaluate", "merge", at("a.features.safetensors"), "--out"];
    expect(await guarded(...merge, at("a.json"))).toBe("passed");
    expect(await guarded("evaluate", "merge", at("a.json"), "--out", at("a.features.safetensors"))).toMatch(
      /is what <shards> reads/,
    );
  });

  it("devices, pipes and folders stay what they are", async () => {
    symlinkSync("/dev/null", at("null"));
    spawnSync("mkfifo", [at("pipe")]);
    mkdirSync(at("folder"));
    for (const [name, what] of Object.entries({ null: "a device", pipe: "a device or a pipe", folder: "a folder" })) {
      for (const command of [
        ["sample", "--grid"],
        ["bench", "--trace"],
        ["evaluate", "merge", "x.features.safetensors", "--out"],
        ["evaluate", "report", "x.json", "--force", "--out"],
      ])
        expect(await guarded(...command, at(name)), name).toContain(`${at(name)} cannot be written: it is ${what}`);
      expect(() => writeAtomic(at(name), "x")).toThrow("cannot be written");
      expect(filesIn(dir).filter((file) => file.includes("ncvsd-tmp"))).toEqual([]);
    }
    expect(await guarded("sample", "--grid", at("a"), "--outdir", at("a/b"))).toMatch(
      /--grid .* is a folder on the way to --outdir/,
    );
  });

  it("a file is ours by what it says of itself, not by what it holds, and no large one is read", async () => {
    const raw = (metadata: Record<string, string>) =>
      writeSafetensors([{ name: "images", dtype: "F32", shape: [1], data: new Float32Array(1) }], metadata);
    writeFileSync(at("images.safetensors"), raw({ format: "pt" }));
    const save = ["sample", "--save-raw", at("images.safetensors")];
    expect(await guarded(...save)).toMatch(/was not made by/);
    writeFileSync(at("images.safetensors"), raw({ tool: "ncvsd-gpu" }));
    expect(await guarded(...save)).toBe("passed");
    writeFileSync(at("mention.json"), '{"results": [{"tool": "ncvsd-gpu"}]}');
    expect(await guarded("bench", "--trace", at("mention.json"))).toMatch(/was not made by/);
    writeFileSync(at("huge.safetensors"), Uint8Array.of(9));
    truncateSync(at("huge.safetensors"), 6 * 2 ** 30);
    expect(await guarded("sample", "--save-raw", at("huge.safetensors"))).toMatch(/was not made by/);
  });

  it("inputs that lie in folders of results, or in folders that are read", async () => {
    mkdirSync(at("res/mean"), { recursive: true });
    mkdirSync(at("res/000000"), { recursive: true });
    writeFileSync(at("res/mean/mean.png"), picture);
    const restore = ["restore", "--task", "box_inpainting", "--outdir", at("res"), "--data"];
    for (const data of ["res/mean/mean.png", "res/mean"])
      expect(await guarded(...restore, at(data))).toMatch(/--data .* lies where --outdir .* gets the results/);
    expect(await guarded("restore", "--task", "x", "--data", at("fd.json"), "--outdir", dir)).toBe("passed");
    const own = ["sample", "--outdir", at("res"), "--net", at("res/000000/000003.png")];
    expect(await guarded(...own)).toMatch(/has a name that --outdir/);
    const stats = ["evaluate", "stats", "--data", at("res"), "--out"];
    expect(await guarded(...stats, at("res/mean/mean.png"), "--force")).toMatch(/lies in what --data reads/);
    expect(await guarded(...stats, at("res/new.safetensors"))).toBe("passed");
  });
});

describe("names of files become names of folders", () => {
  it.each([
    ["..", "leads to another folder"],
    [".", "leads to another folder"],
    ["...", "leads to another folder"],
    ["a/b", "leads into another folder"],
    ["a\\b", "leads into another folder"],
    ["nul", "is a device"],
    ["COM1.x", "is a device"],
    ["a.", "ends with"],
    ["a ", "ends with"],
    ["a\u0000b", "control characters"],
    ["a\u009bb", "control characters"],
    ["Metrics.json", "of the results"],
    ["", "is empty"],
    ["é".repeat(101), "is too long"],
  ])("%j %s", (name, problem) => expect(nameProblem(name)).toContain(problem));

  it("others do, and two that a file system may not tell apart are two of one name", async () => {
    for (const name of ["000001", "café", "a.b", "null", "console", "写真"]) expect(nameProblem(name)).toBeUndefined();
    expect(foldedName("CAFE\u0301")).toBe(foldedName("café"));
    const dir = place("twins");
    mkdirSync(dir);
    const image = encodePng({ width: 32, height: 32, channels: 1, data: new Uint8Array(1024) });
    for (const name of ["A.png", "a.png"]) writeFileSync(join(dir, name), image);
    const args = ["restore", ...adapter, "--task", "box_inpainting", "--data", dir, "--outdir", place("twins-out")];
    expect(sentence(await cli(args))).toMatch(/has two images called (a|A): rename one/);
    const one = place("dots");
    mkdirSync(one);
    writeFileSync(join(one, "...png"), image);
    const lead = [
      "restore",
      ...adapter,
      "--task",
      "box_inpainting",
      "--data",
      join(one, "...png"),
      "--outdir",
      join(one, "in/out"),
    ];
    expect(sentence(await cli(lead))).toMatch(
      /"\.\." cannot name its results, since that leads to another folder: rename it/,
    );
    expect(filesIn(one)).toEqual(["...png"]);
  });
});

it("a record whose entries name no file is read without them", async () => {
  const dir = place("record");
  mkdirSync(dir);
  const images = { 0: { settings: "x" }, 1: { file: "../../etc/passwd", settings: "x" }, 2: 7, 3: null, x: {} };
  const record = { tool: "ncvsd-gpu", format: 1, settings: { a: 1 }, runs: [null, 3], images };
  writeFileSync(join(dir, "run.json"), JSON.stringify(record));
  await cliOk(["sample", ...adapter, "--net", tiny, "--ts", "10", "--seeds", "5", "--outdir", dir, "--quiet"]);
  const now = JSON.parse(readFileSync(join(dir, "run.json"), "utf8"));
  expect(Object.keys(now.images)).toEqual(["5"]);
  expect(now.runs).toHaveLength(1);
});
