import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const readme = readFileSync(join(root, "README.md"), "utf8");
// Inside the package, so that the examples' `import "ncvsd-gpu"` finds it.
const folder = join(root, ".cache", `readme-${process.pid}`);
mkdirSync(folder, { recursive: true });
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("README", () => {
  const examples = [...readme.matchAll(/```js\n([\s\S]*?)```/g)].map((m) => m[1]!);

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
        examples.some((e) => e.includes(name)),
        name,
      ).toBe(true);
    }
  });

  for (const [i, example] of examples.entries()) {
    it(`example ${i + 1} runs as it stands`, () => {
      const file = join(folder, `example-${i}.mjs`);
      writeFileSync(file, example);
      const child = spawnSync(process.execPath, [file], { cwd: root, encoding: "utf8", timeout: 120_000 });
      expect(child.status, child.stderr).toBe(0);
      expect(child.stdout.trim()).not.toBe("");
    });
  }

  it("shows pictures that are there", () => {
    const pictures = [...readme.matchAll(/!\[[^\]]*\]\(([^)]+)\)/g)].map((m) => m[1]!);
    expect(pictures.length).toBeGreaterThan(0);
    for (const picture of pictures) {
      const kind = picture.endsWith(".svg") ? "svg" : "PNG";
      expect(readFileSync(join(root, picture)).subarray(1, 4).toString(), picture).toBe(kind);
    }
  });

  it("names only commands that exist", () => {
    const help = spawnSync(process.execPath, [join(root, "dist/src/cli/main.js"), "--help"], {
      encoding: "utf8",
    }).stdout;
    for (const [, command] of readme.matchAll(/npx ncvsd-gpu ([a-z]+)/g))
      expect(help).toMatch(new RegExp(`^  ${command} `, "m"));
  });
});
