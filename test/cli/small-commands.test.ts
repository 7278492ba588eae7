import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { cli, cliOk, scratch, sentence } from "../support/cli.js";

const place = scratch();

describe("ncvsd-gpu completion", () => {
  it("completes commands, options and choices in bash", async () => {
    const file = place("completion.bash");
    writeFileSync(file, (await cliOk(["completion", "bash"])).stdout);
    const completed = (...words: string[]) => {
      const script = `source ${file}; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _ncvsd_gpu; echo "\${COMPREPLY[@]}"`;
      return execFileSync("bash", ["-c", script, "bash", "ncvsd-gpu", ...words], { encoding: "utf8" })
        .trim()
        .split(" ");
    };
    expect(completed("sam")).toEqual(["sample"]);
    expect(completed("dataset", "")).toEqual(["convert", "encode", "info"]);
    expect(completed("dataset", "convert", "x", "--tr")).toEqual(["--transform"]);
    expect(completed("dataset", "convert", "--transform", "center-crop-")).toEqual([
      "center-crop-dhariwal",
      "center-crop-wide",
    ]);
    expect(completed("restore", "--task", "box_")).toEqual(["box_inpainting"]);
    expect(completed("train", "--preset", "fash")).toEqual(["fashion32"]);
    expect(completed("inspect", "--plan", "--as", "app")).toEqual(["apple"]);
    expect(completed("completion", "z")).toEqual(["zsh"]);
    // Files are the shell's.
    expect(completed("sample", "--net", "x")).toEqual([""]);
  });

  it("knows every command in every shell, and refuses others", async () => {
    for (const shell of ["zsh", "fish"])
      expect((await cliOk(["completion", shell])).stdout).toMatch(/restore[\s\S]*bench/);
    const [choices] = (await cliOk(["completion", "fish"])).stdout.match(
      /^.*seen_subcommand_from completion' -a .*$/m,
    )!;
    expect(choices).toBe("complete -c ncvsd-gpu -f -n '__fish_seen_subcommand_from completion' -a 'bash zsh fish'");
    const refused = await cli(["completion", "csh"]);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringMatching(/Allowed choices are bash, zsh, fish/)]);
  });
});

describe("ncvsd-gpu cite", () => {
  it("prints the papers that CITATION.cff names, and this version", async () => {
    const { stdout } = await cliOk(["cite"]);
    const titles = readFileSync("CITATION.cff", "utf8").matchAll(/^ {4}title: (.*)$/gm);
    const all = [...titles].map(([, title]) => title!);
    expect(all.length).toBeGreaterThan(2);
    for (const title of all) expect(stdout).toContain(`title = {${title}}`);
    const { version } = JSON.parse(readFileSync("package.json", "utf8"));
    expect(stdout).toContain(`version = {${version}}`);
  });
});

describe("ncvsd-gpu bench --tune --list and --clear", () => {
  const env = { XDG_CACHE_HOME: place("cache") };
  const folder = join(env.XDG_CACHE_HOME, "ncvsd-gpu", "tuning");

  it("list the choices that are kept, and remove them and nothing else", async () => {
    mkdirSync(folder, { recursive: true });
    const identity = {
      adapter: "Some Card",
      vendor: "v",
      architecture: "a",
      driver: "d",
      engine: "0.0.9",
      precision: "f16",
    };
    const content = {
      tool: "ncvsd-gpu",
      format: 1,
      identity,
      date: "2026-01-02T00:00:00Z",
      choices: { a: "x", b: "y" },
    };
    writeFileSync(join(folder, "some-card.json"), JSON.stringify(content));
    writeFileSync(join(folder, "other.json"), "{}");
    expect((await cliOk(["bench", "--tune", "--list"], { env })).stdout).toMatch(
      /Some Card +f16 +0\.0\.9 +2 +2026-01-02/,
    );
    const cleared = JSON.parse((await cliOk(["bench", "--tune", "--clear", "--json"], { env })).stdout);
    expect(cleared).toMatchObject({ cleared: true, files: [{ adapter: "Some Card" }] });
    expect(readdirSync(folder)).toEqual(["other.json"]);
    expect((await cliOk(["bench", "--tune", "--list"], { env })).stdout).toMatch(/^no choices are kept in /);
    const alone = await cli(["bench", "--list"], { env });
    expect([alone.code, sentence(alone)]).toEqual([2, expect.stringMatching(/bench --tune --list/)]);
  });
});
