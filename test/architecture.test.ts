import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Which folders (or files) a folder may import from, besides itself and src/errors. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  "src/checkpoint": [],
  "src/gpu": [],
  "src/image": [],
  kernels: ["src/gpu/contract"],
  "src/graph": ["src/gpu", "kernels", "src/checkpoint/half"],
  "src/model": ["src/graph", "src/gpu", "src/checkpoint", "kernels"],
  "src/evaluate": ["src/graph", "src/gpu", "src/checkpoint", "src/model/weights", "src/model/session", "kernels"],
  "src/setup": ["src/gpu/native"],
  "src/measure": ["src/checkpoint/half", "src/graph", "src/gpu", "src/model", "kernels"],
};

function files(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((f) => f.endsWith(".ts") && !f.endsWith(".d.ts"))
    .map((f) => join(folder, f));
}

function imports(file: string): string[] {
  const text = readFileSync(join(root, file), "utf8");
  return [...text.matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)].map((m) =>
    relative(root, resolve(join(root, dirname(file)), m[1]!)),
  );
}

describe("who may import whom", () => {
  for (const [folder, allowed] of Object.entries(MAY_IMPORT)) {
    it(folder, () => {
      const found = files(folder);
      expect(found.length).toBeGreaterThan(1);
      for (const file of found) {
        for (const target of imports(file)) {
          const fine = [folder, "src/errors", ...allowed].some((prefix) => target.startsWith(prefix));
          expect(fine, `${file} imports ${target}`).toBe(true);
        }
      }
    });
  }

  it("no kernel imports another", () => {
    for (const file of files("kernels").filter((f) => f !== join("kernels", "index.ts"))) {
      const own = file.split("/").slice(0, 2).join("/");
      for (const target of imports(file).filter((t) => t.startsWith("kernels/"))) {
        expect(target.startsWith(own) || target.startsWith("kernels/lib/"), `${file} imports ${target}`).toBe(true);
      }
    }
  });

  it("every kernel folder is listed in kernels/index.ts, with a test's worth of cases", async () => {
    const { kernels } = await import("../kernels/index.js");
    const folders = readdirSync(join(root, "kernels"), { withFileTypes: true })
      .filter((e) => e.isDirectory() && e.name !== "lib")
      .map((e) => e.name);
    expect(kernels.map((k) => k.name).sort()).toEqual(folders.sort());
  });

  it("the library works without Node: src/index.ts reaches no node: module by a static import", () => {
    const seen = new Set<string>();
    const visit = (file: string) => {
      if (seen.has(file)) return;
      seen.add(file);
      const text = readFileSync(join(root, file), "utf8");
      const staticImports = [...text.matchAll(/^(?:import|export)\s[^;]*?from\s+"([^"]+)"/gm)].filter(
        (m) => !/^(?:import|export)\s+type\s/.test(m[0]),
      );
      for (const [, target] of staticImports) {
        expect(target!.startsWith("node:"), `${file} imports ${target}`).toBe(false);
        if (!target!.startsWith(".") || target!.endsWith(".wgsl.js")) continue;
        visit(relative(root, resolve(join(root, dirname(file)), target!)).replace(/\.js$/, ".ts"));
      }
    };
    visit("src/index.ts");
    expect(seen.size).toBeGreaterThan(30);
  });
});
