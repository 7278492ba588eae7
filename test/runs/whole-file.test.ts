import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import fs, {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { claim } from "../../src/runs/claim.js";
import { prepareOutdir } from "../../src/runs/output.js";
import { isWriterGone, sweep, temporaryName, WholeFile, WRITER, writeAtomic } from "../../src/runs/whole-file.js";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "ncvsd-whole-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const [machine, , start] = WRITER.split("-") as [string, string, string];
/** A process that has ended. */
const dead = spawnSync(process.execPath, ["-e", ""]).pid;
const half = (writer: string, name = "a.png") => `.${name}.${writer}-0123456789ab.ncvsd-tmp`;
const old = (path: string) => utimesSync(path, 1, 1);

describe("a whole file", () => {
  test("is there with all of its content, and nothing beside it", () => {
    const file = new WholeFile(join(dir, "sub/x.bin"));
    file.write(Uint8Array.of(1, 2));
    expect(readdirSync(join(dir, "sub"))).toEqual([expect.stringMatching(/^\.x\.bin\..*\.ncvsd-tmp$/)]);
    file.write(Uint8Array.of(3));
    file.finish();
    expect([...readFileSync(join(dir, "sub/x.bin"))]).toEqual([1, 2, 3]);
    expect(readdirSync(join(dir, "sub"))).toEqual(["x.bin"]);
    const other = new WholeFile(join(dir, "y"));
    other.discard();
    other.discard();
    expect(readdirSync(dir)).toEqual(["sub"]);
  });

  test("names of half-written files cannot be foretold, tell the process, and are short enough", () => {
    const names = Array.from({ length: 50 }, () => temporaryName(join(dir, "ü".repeat(120))));
    expect(new Set(names).size).toBe(50);
    for (const name of names) {
      expect(name).toContain(`.${machine}-${process.pid}-${start}-`);
      expect(Buffer.byteLength(name.slice(dir.length + 1))).toBeLessThan(255);
    }
    expect(Number(start)).toBeGreaterThan(0);
  });

  test("never goes through a link that lies under its own or its half-written name", () => {
    writeFileSync(join(dir, "victim"), "precious");
    symlinkSync("victim", join(dir, "result"));
    writeAtomic(join(dir, "result"), "mine");
    expect(readFileSync(join(dir, "victim"), "utf8")).toBe("precious");
    expect(lstatSync(join(dir, "result")).isSymbolicLink()).toBe(false);
    expect(readFileSync(join(dir, "result"), "utf8")).toBe("mine");
  });

  test("that cannot be written says so and leaves nothing", () => {
    writeFileSync(join(dir, "file"), "x");
    expect(() => writeAtomic(join(dir, "file/sub/x"), "")).toThrow(/cannot be written: a part of the path is a file/);
    mkdirSync(join(dir, "folder"));
    expect(() => writeAtomic(join(dir, "folder"), "x")).toThrow("cannot be written");
    expect(readdirSync(dir).sort()).toEqual(["file", "folder"]);
  });
});

describe("what killed runs left", () => {
  test("goes when its process has ended, however young; a live one's stays, however old", () => {
    const names = {
      deadHere: half(`${machine}-${dead}-1`),
      reused: half(`${machine}-${process.pid}-${Number(start) - 1}`),
      live: half(WRITER, "b.png"),
      elsewhereYoung: half(`00000000-${dead}-1`, "c.png"),
      elsewhereOld: half(`00000000-${process.pid}-1`, "d.png"),
      before: ".e.png.99999999-0.ncvsd-tmp",
      beforeOld: ".f.safetensors.99999999-convert.ncvsd-tmp",
      notHidden: "notes.ncvsd-tmp",
      other: ".hidden",
    };
    mkdirSync(join(dir, "001000"));
    mkdirSync(join(dir, "own"));
    for (const name of Object.values(names)) writeFileSync(join(dir, name), "half");
    for (const folder of ["001000", "own"]) writeFileSync(join(dir, folder, names.deadHere), "half");
    for (const name of [names.live, names.elsewhereOld, names.beforeOld, names.notHidden]) old(join(dir, name));
    prepareOutdir(dir);
    const { live, elsewhereYoung, before, notHidden, other } = names;
    expect(readdirSync(dir).sort()).toEqual([live, elsewhereYoung, before, notHidden, other, "001000", "own"].sort());
    expect(readdirSync(join(dir, "001000"))).toEqual([]);
    expect(readdirSync(join(dir, "own"))).toEqual([names.deadHere]);
  });

  test("is swept beside every file that is written, once a folder", () => {
    writeFileSync(join(dir, half(`${machine}-${dead}-1`)), "half");
    writeAtomic(join(dir, "x"), "1");
    expect(readdirSync(dir)).toEqual(["x"]);
  });

  test("links and folders under such a name are no reason to follow them", () => {
    const target = join(dir, "target");
    writeFileSync(target, "precious");
    symlinkSync("target", join(dir, half(`${machine}-${dead}-1`)));
    mkdirSync(join(dir, half(`${machine}-${dead}-2`)));
    sweep(dir);
    expect(readdirSync(dir).sort()).toEqual([half(`${machine}-${dead}-2`), "target"]);
    expect(readFileSync(target, "utf8")).toBe("precious");
  });

  test("who has ended is known here alone", () => {
    expect(isWriterGone(WRITER)).toBe(false);
    expect(isWriterGone(`${machine}-${dead}-1`)).toBe(true);
    expect(isWriterGone(`00000000-${dead}-1`)).toBeUndefined();
    expect(isWriterGone("")).toBeUndefined();
  });

  test("one that was killed is gone although nobody asked how it ended", async () => {
    // A parent that never waits, as the first process of a container often is.
    const parent = spawn("sh", ["-c", "sleep 0 & echo $!; exec sleep 60"], { stdio: ["ignore", "pipe", "ignore"] });
    const [data] = (await once(parent.stdout, "data")) as [Buffer];
    const pid = Number(data.toString());
    const state = () => /\) (\w)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))![1];
    while (state() !== "Z") await new Promise((resolve) => setTimeout(resolve, 10));
    expect(isWriterGone(`${machine}-${pid}-${startOf(pid)}`)).toBe(true);
    parent.kill("SIGKILL");
  });
});

describe("a claim", () => {
  const ROUNDS = 15;
  const file = () => join(dir, ".fd.json.ncvsd-claim");

  test("is given back, keeps others out while its process is at work, and is taken over from one that is gone", () => {
    const release = claim(join(dir, "fd.json"));
    expect(readFileSync(file(), "utf8")).toBe(WRITER);
    release();
    expect(readdirSync(dir)).toEqual([]);
    // Process 1 runs; that of a container may be another machine's.
    const one = `${machine}-1-${startOf(1)}`;
    writeFileSync(file(), one);
    expect(() => claim(join(dir, "fd.json"))).toThrow(/another process is at work on .*fd\.json \(process 1\)/);
    writeFileSync(file(), `${machine}-${dead}-1`);
    claim(join(dir, "fd.json"))();
    writeFileSync(file(), "");
    claim(join(dir, "fd.json"))();
    expect(readdirSync(dir)).toEqual([]);
  });

  test("is had by one of many that want it at once, also where a dead one's lies", async () => {
    const module = new URL("../../dist/src/runs/claim.js", import.meta.url).href;
    const source = `
      const { existsSync } = await import("node:fs");
      const { claim } = await import(${JSON.stringify(module)});
      for (let round = 0; round < ${ROUNDS}; round++) {
        process.stdout.write("r");
        while (!existsSync("go" + round));
        let release = () => {};
        try { release = claim("fd.json"); process.stdout.write("h"); }
        catch (error) { process.stdout.write(error.message.includes("another process") ? "t" : error.stack); }
        while (!existsSync("end" + round)) await new Promise((r) => setTimeout(r, 1));
        release();
      }`;
    const texts = ["", "", "", ""];
    const children: ChildProcess[] = [];
    // They wait for files of a folder that is gone when the test fails.
    onTestFinished(() => {
      for (const child of children) child.kill("SIGKILL");
    });
    const ends = texts.map((_, i) => {
      const child = spawn(process.execPath, ["--input-type=module", "-e", source], {
        cwd: dir,
        stdio: ["ignore", "pipe", "inherit"],
      });
      children.push(child);
      child.stdout.on("data", (data) => (texts[i] += data));
      return once(child, "close");
    });
    const all = async (length: number) => {
      while (texts.some((text) => text.length < length)) await new Promise((resolve) => setTimeout(resolve, 1));
    };
    for (let round = 0; round < ROUNDS; round++) {
      await all(2 * round + 1);
      writeFileSync(file(), `${machine}-${dead}-1`);
      writeFileSync(join(dir, `go${round}`), "");
      await all(2 * round + 2);
      expect(texts.map((text) => text.slice(2 * round)).sort()).toEqual(["rh", "rt", "rt", "rt"]);
      writeFileSync(join(dir, `end${round}`), "");
    }
    await Promise.all(ends);
    expect(readdirSync(dir).filter((name) => !/^(go|end)/.test(name))).toEqual([]);
  }, 120_000);

  /** A process that claims fd.json where a dead one's claim lies, and is killed when it removes a file of such a name. */
  const killedWithin = (name: RegExp) => {
    writeFileSync(file(), `${machine}-${dead}-1`);
    const dying = spawnSync(
      process.execPath,
      [
        "--input-type=module",
        "-e",
        `import fs from "node:fs";
       import { syncBuiltinESMExports } from "node:module";
       const { rmSync } = fs;
       fs.rmSync = (path, options) => (${name}.test(path) ? process.kill(process.pid, 9) : rmSync(path, options));
       syncBuiltinESMExports();
       (await import(${JSON.stringify(new URL("../../dist/src/runs/claim.js", import.meta.url).href)})).claim("fd.json");`,
      ],
      { cwd: dir },
    );
    expect(dying.signal).toBe("SIGKILL");
  };

  test("is taken over from one that was killed while it took one over", () => {
    killedWithin(/fd\.json\.ncvsd-claim$/);
    expect(readdirSync(dir)).toHaveLength(2);
    claim(join(dir, "fd.json"))();
    expect(readdirSync(dir)).toEqual([]);
  });

  test("on a removal, left by one that was killed within it, goes with the next claim in the folder; a living one's stays", () => {
    const removal = /\.[0-9a-f]{24}\.ncvsd-claim$/;
    killedWithin(removal);
    expect(readdirSync(dir)).toEqual([expect.stringMatching(removal)]);
    const living = [".0123456789abcdef01234567.ncvsd-claim", ".0123456789abcdef01234568.ncvsd-claim"];
    writeFileSync(join(dir, living[0]!), `${machine}-1-${startOf(1)}`);
    // Of another machine, a moment ago.
    writeFileSync(join(dir, living[1]!), "00000000-1-1");
    claim(join(dir, "other.json"))();
    expect(readdirSync(dir)).toEqual(living);
  });

  test("that a full disk has no room for leaves nothing, and says so", () => {
    const { writeFileSync: write } = fs;
    fs.writeFileSync = (path, _data, options) => {
      write(path, "", options);
      throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
    };
    syncBuiltinESMExports();
    onTestFinished(() => {
      fs.writeFileSync = write;
      syncBuiltinESMExports();
    });
    expect(() => claim(join(dir, "fd.json"))).toThrow(/fd\.json\.ncvsd-claim cannot be written: the disk is full/);
    expect(readdirSync(dir)).toEqual([]);
  });

  test("of another machine holds for minutes after it was last renewed", () => {
    writeFileSync(file(), "00000000-1-1");
    expect(() => claim(join(dir, "fd.json"))).toThrow("another process");
    old(file());
    claim(join(dir, "fd.json"))();
    chmodSync(dir, 0o755);
    expect(readdirSync(dir)).toEqual([]);
  });
});

function startOf(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]!;
}
