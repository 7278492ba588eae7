import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { describe, expect, it } from "vitest";
// @ts-expect-error: a script without types
import { drawHouse, PICTURE } from "../scripts/draw-house.mjs";
import { registerCommands } from "../src/cli/commands.js";
import { cliOk } from "./support/cli.js";

const root = fileURLToPath(new URL("..", import.meta.url));
/** Every page, by its path. */
const pages = new Map(
  ["README.md", ...readdirSync(join(root, "docs")).map((name) => `docs/${name}`)]
    .filter((path) => path.endsWith(".md"))
    .map((path) => [path, readFileSync(join(root, path), "utf8")]),
);
const readme = pages.get("README.md")!;

describe("README and docs", () => {
  // test/package.test.ts runs them.
  const examples = [...pages.values()].flatMap((text) => [...text.matchAll(/```js\n([\s\S]*?)```/g)].map((m) => m[1]!));

  it("has an example for every entry point of the library", () => {
    for (const name of [
      "openGpu",
      "loadModel",
      "denoise",
      "generate",
      "sampleMultiStep",
      "sampleHeun",
      "solveInverse",
      "operators",
    ]) {
      expect(
        examples.some((text) => text.includes(name)),
        name,
      ).toBe(true);
    }
  });

  it("README can be read in two minutes", () => expect(readme.split("\n").length).toBeLessThan(130));

  it("shows pictures that are there", () => {
    let shown = 0;
    for (const [path, text] of pages) {
      for (const [, picture] of text.matchAll(/!\[[^\]]*\]\(([^)]+)\)/g)) {
        const kind = picture!.endsWith(".svg") ? "svg" : "PNG";
        expect(
          readFileSync(join(root, dirname(path), picture!))
            .subarray(1, 4)
            .toString(),
          picture,
        ).toBe(kind);
        shown++;
      }
    }
    expect(shown).toBeGreaterThan(3);
  });

  it("leads to pages and files that are there", () => {
    for (const [path, text] of pages) {
      for (const [, target] of text.matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)) {
        if (!/^https?:/.test(target!))
          expect(existsSync(join(root, dirname(path), target!)), `${path}: ${target}`).toBe(true);
      }
    }
  });

  it("draws the house as it is", () => expect(readFileSync(join(root, PICTURE), "utf8")).toBe(drawHouse()));

  it("shows the plan as it is", async () => {
    const [, shown] = /```text\n([\s\S]*?)```/.exec(pages.get("docs/architecture.md")!)!;
    const args = ["inspect", "--plan", join(root, "weights/ncvsd-fashion32.safetensors")];
    const said = (await cliOk(args)).stdout.split("\n");
    for (const line of shown!.trimEnd().split("\n")) expect(said).toContain(line);
  });

  it("leads to headings that are there", () => {
    const anchors = (text: string) =>
      [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
        heading!
          .toLowerCase()
          .replace(/[^\w\- ]/g, "")
          .replaceAll(" ", "-"),
      );
    let found = 0;
    for (const [path, text] of pages) {
      for (const [, target, anchor] of text.matchAll(/\]\(([^)#:]*)#([^)]+)\)/g)) {
        const page = target ? join(dirname(path), target) : path;
        expect(anchors(pages.get(page) ?? ""), `${path}: ${target}#${anchor}`).toContain(anchor);
        found++;
      }
    }
    expect(found).toBeGreaterThan(5);
  });

  it("names only options that its commands have", async () => {
    const program = new Command();
    await registerCommands(program);
    const faults: string[] = [];
    let options = 0;
    for (const [path, text] of pages) {
      for (const [, line] of text.replaceAll(/\\\n\s*/g, " ").matchAll(/ncvsd-gpu ([^`\n#]+)/g)) {
        let command: Command = program;
        for (const word of line!.split(/\s+/)) {
          const sub: Command | undefined = command.commands.find((c) => c.name() === word);
          if (sub) command = sub;
          const [long] = /^--[\w-]+/.exec(word) ?? [];
          if (long === undefined || command === program) continue;
          options++;
          if (long !== "--help" && !command.options.some((option) => option.long === long))
            faults.push(`${path}: ${command.name()} has no ${long}`);
        }
      }
    }
    expect(faults).toEqual([]);
    expect(options).toBeGreaterThan(50);
  });

  it("names only commands that exist", () => {
    const help = spawnSync(process.execPath, [join(root, "dist/src/cli/main.js"), "--help"], {
      encoding: "utf8",
    }).stdout;
    for (const [, command] of [...pages.values()].join("\n").matchAll(/npx ncvsd-gpu ([a-z]+)/g))
      expect(help).toMatch(new RegExp(`^  ${command} `, "m"));
  });
});
