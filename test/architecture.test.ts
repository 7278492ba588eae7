import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { kernels } from "../kernels/index.js";
// @ts-expect-error: a script without types
import { idleExports, importsOf, KERNEL_GROUPS, ROOMS, RULES, readHouse } from "../scripts/house.mjs";
import { scratch } from "./support/cli.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const place = scratch();
type House = Map<string, string>;
const house: House = readHouse(root);
const rules: Record<string, (house: House) => string[]> = RULES;

/** Everything else that may use a name of ours. */
const others = ["test", "scripts", "bench", "examples"].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((file) => /\.(ts|mjs|js)$/.test(file) && !/node_modules|\.cache/.test(file))
    .map((file) => readFileSync(join(root, folder, file), "utf8")),
);

describe("the house as it stands", () => {
  it("is read whole", () => {
    expect(house.size).toBeGreaterThan(250);
    expect([...house].flatMap(([path, text]) => importsOf(path, text).own).length).toBeGreaterThan(800);
  });

  it("has only rooms that are there, and only folders that are rooms", () => {
    const rooms: string[] = ROOMS.flat();
    for (const room of rooms)
      expect(
        [...house.keys()].some((path) => path.startsWith(room)),
        room,
      ).toBe(true);
    const folders = readdirSync(join(root, "src"), { withFileTypes: true }).filter((e) => e.isDirectory());
    for (const { name } of folders) expect(rooms, name).toContain(`src/${name}`);
    const groups = readdirSync(join(root, "kernels"), { withFileTypes: true }).filter((e) => e.isDirectory());
    expect(groups.map((e) => e.name).sort()).toEqual([...KERNEL_GROUPS].sort());
  });

  for (const [name, rule] of Object.entries(rules)) {
    it(name, () => expect(rule === idleExports ? idleExports(house, others) : rule(house)).toEqual([]));
  }

  it("lists every kernel under the name of its folder", () => {
    const folders = [...house.keys()].flatMap(
      (path) => /^kernels\/(?!lib)[^/]+\/([^/]+)\/kernel\.ts$/.exec(path)?.[1] ?? [],
    );
    expect(kernels.map(({ name }) => name).sort()).toEqual(folders.sort());
  });

  it("has a linter that counts the lines of functions", () => {
    const folder = place("linted");
    mkdirSync(join(folder, "src"), { recursive: true });
    copyFileSync(join(root, "biome.json"), join(folder, "biome.json"));
    const lint = (lines: number) => {
      writeFileSync(join(folder, "src/long.ts"), `export function long(n: number) {\n${"  n++;\n".repeat(lines)}}\n`);
      const biome = [join(root, "node_modules/@biomejs/biome/bin/biome"), "lint", "--vcs-enabled=false", "src"];
      return spawnSync(process.execPath, biome, { cwd: folder, encoding: "utf8" });
    };
    expect(lint(131).stderr).toContain("too many lines (131)");
    expect(lint(130).status).toBe(0);
  });
});

describe("each rule sees what breaks it", () => {
  const fake = (files: Record<string, string>): House => new Map(Object.entries(files));
  const broken: [rule: string, files: Record<string, string>, says: string][] = [
    ["upwardImports", { "src/graph/a.ts": 'import type { B } from "../sample/b.js";' }, "not below it"],
    ["upwardImports", { "src/gpu/a.ts": 'export * from "../image/b.js";' }, "not below it"],
    ["upwardImports", { "src/networks/vae/a.ts": 'import { b } from "../edm2/b.js";' }, "not below it"],
    ["upwardImports", { "src/utils/a.ts": "" }, "in no room"],
    [
      "circles",
      {
        "src/graph/a.ts": 'import type { B } from "./b.js";',
        "src/graph/b.ts": 'import { c } from "./c.js";',
        "src/graph/c.ts": 'const a = await import("./a.js");',
      },
      "a circle: src/graph/a.ts, src/graph/b.ts, src/graph/c.ts",
    ],
    ["kernelFaults", { "kernels/network/x/kernel.ts": "" }, "has no reference.ts"],
    ["kernelFaults", { "kernels/network/x/kernel.ts": "" }, "stands 0 times"],
    ["kernelFaults", { "kernels/network/x/kernel.ts": "" }, "used by nothing"],
    ["kernelFaults", { "kernels/other/x/kernel.ts": "" }, "no group other"],
    ["kernelFaults", { "kernels/vae/x/a.ts": 'import "../y/b.js";', "kernels/vae/y/b.ts": "" }, "of another kernel"],
    ["nodeFaults", { "src/sample/a.ts": 'import { join } from "node:path";' }, "imports node:path"],
    ["nodeFaults", { "src/sample/a.ts": 'const fs = await import("node:fs");' }, "the door"],
    [
      "nodeFaults",
      { "src/index.ts": 'export { a } from "./gpu/twins.js";', "src/gpu/twins.ts": 'import { b } from "node:fs";' },
      "entries reach node:fs",
    ],
    ["commandImports", { "bench/a.ts": 'import { x } from "../src/cli/parts/y.js";' }, "only commands"],
    ["webImports", { "web/src/a.ts": 'import { b } from "../../src/graph/b.js";' }, "web/ imports"],
    ["longFiles", { "src/gpu/a.ts": "x\n".repeat(451) }, "451 lines"],
    [
      "entryFaults",
      { "src/index.ts": "", "src/entries/a.ts": 'export { a } from "../gpu/a.js";' },
      "has it of nowhere",
    ],
    [
      "entryFaults",
      {
        "src/index.ts": 'export { type B, a } from "./priors/mixture.js";',
        "src/entries/disco.ts": 'export { a } from "../priors/mixture.js";',
      },
      "src/entries/disco.ts lacks B",
    ],
    ["idleExports", { "src/gpu/a.ts": "export const idle = 1;", "src/gpu/b.ts": "const idler = 2;" }, "exports idle"],
  ];
  it("with a fault for every rule", () => {
    expect(new Set(broken.map(([rule]) => rule))).toEqual(new Set(Object.keys(rules)));
  });
  for (const [rule, files, says] of broken) {
    it(`${rule}: ${says}`, () => expect(rules[rule]!(fake(files)).join("\n")).toContain(says));
  }
  it("and lets what is right pass", () => {
    const right = fake({
      "src/sample/a.ts": 'import { b } from "../graph/b.js";\nimport type { Stats } from "node:fs";\nb();',
      "src/graph/b.ts": 'export function b() {}\nexport type Idle = 1;\nlet fs: typeof import("node:fs");',
    });
    for (const rule of Object.values(rules)) expect(rule(right)).toEqual([]);
  });
});
