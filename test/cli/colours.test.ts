import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { encodePng } from "../../src/image/png.js";
import { CLI, scratch } from "../support/cli.js";
import { fixturePath } from "../support/safetensors-fixture.js";

const place = scratch();
const tiny = fixturePath("ncvsd-tiny.safetensors");

/** Escapes as readers of a screen write them. */
const visible = (text: string) => text.replaceAll("\u001b", "^").replaceAll("\r", "");

/** The environment without what says something of colours, and `more`. */
function environment(more: Record<string, string>) {
  const { NO_COLOR, FORCE_COLOR, NODE_DISABLE_COLORS, CI, ...rest } = process.env;
  return { ...rest, ...more };
}

function command(args: readonly string[], env: Record<string, string> = {}, cwd = ".") {
  const options = { encoding: "utf8", cwd, env: environment(env) } as const;
  const { stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], options);
  return { stdout: visible(stdout), stderr: visible(stderr) };
}

/** What a terminal gets that both streams go to, unless `redirected` says otherwise: by util-linux's `script`. */
function onTerminal(args: readonly string[], redirected = "", env: Record<string, string> = {}) {
  const words = [process.execPath, CLI, ...args].map((word) => `'${word}'`).join(" ");
  const options = { encoding: "utf8", env: environment({ TERM: "xterm-256color", ...env }) } as const;
  return visible(spawnSync("script", ["-qec", `${words} ${redirected}`, "/dev/null"], options).stdout);
}

describe("colours", () => {
  const wrong = ["sample", "--ts", "40"];
  const table = ["inspect", tiny, "--plan"];

  it("pipes get none; FORCE_COLOR gives them to the first word of an error and to the titles of a table", () => {
    for (const args of [wrong, ["smaple"]]) expect(command(args).stderr).toMatch(/^ncvsd-gpu: /);
    const plain = command(table).stdout;
    expect(plain).not.toContain("^");
    const force = { FORCE_COLOR: "1" };
    expect(command(wrong, force).stderr).toMatch(/^\^\[31mncvsd-gpu:\^\[39m --ts "40": /);
    expect(command(["smaple"], force).stderr).toMatch(/^\^\[31mncvsd-gpu:\^\[39m unknown command 'smaple'/);
    const { stdout } = command(table, force);
    expect(stdout).toMatch(/^\^\[1mnode +kernel +.*output\^\[22m$/m);
    expect(stdout.replaceAll(/\^\[\d+m/g, "")).toBe(plain);
    expect(stdout.split("^")).toHaveLength(3);
    expect(command(table, { FORCE_COLOR: "0" }).stdout).toBe(plain);
  });

  it("--json has none, on neither stream", () => {
    const force = { FORCE_COLOR: "1" };
    const { stdout, stderr } = command([...table, "--json"], force);
    expect(JSON.parse(stdout)).toMatchObject({ architecture: "ncvsd" });
    const refused = command([...wrong, "--json"], force);
    expect(refused.stderr).toMatch(/^ncvsd-gpu: /);
    expect(stdout + stderr + refused.stdout + refused.stderr).not.toContain("^");
  });

  it("a name of a file colours nothing", () => {
    const dir = place("names");
    mkdirSync(dir);
    const grey = { width: 16, height: 16, channels: 1, data: new Uint8Array(256) } as const;
    writeFileSync(join(dir, "\u001b[31mx\u001b[39m.png"), encodePng(grey));
    const { stdout } = command(["evaluate", "images", "--data", ".", "--ref", "."], { FORCE_COLOR: "1" }, dir);
    expect(stdout).toContain("\\u001b[31mx\\u001b[39m");
    expect(stdout).toMatch(/^\^\[1mimage .*\^\[22m$/m);
    expect(stdout.split("^")).toHaveLength(3);
  });

  it("each stream is judged by itself, and NO_COLOR is obeyed", () => {
    // The table goes to stdout, the error to stderr; the other one is no terminal.
    expect(onTerminal(table, "2>/dev/null")).toContain("^[1mnode ");
    expect(onTerminal(wrong, ">/dev/null")).toContain("^[31mncvsd-gpu:");
    const file = place("err");
    expect(onTerminal(wrong, `2>'${file}'`)).not.toContain("^");
    expect(readFileSync(file, "utf8")).toMatch(/^ncvsd-gpu: --ts/);
    for (const args of [table, wrong]) expect(onTerminal(args, "", { NO_COLOR: "1" })).not.toContain("^");
  });
});
