import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

const script = (name: string) => import(new URL(`../../scripts/${name}.mjs`, import.meta.url).href);
const { dependenciesMatch, root, sourceHash } = await script("lib");
const { missingPlatforms, unchecked } = await script("complete-lock");
const { closingLine } = await script("closing-line");

it("dependencies are installed again only when node_modules differs from the lock file", () => {
  const lock = {
    packages: {
      "": {},
      "node_modules/a": { version: "1.0.0" },
      "node_modules/b": { version: "2.0.0", optional: true },
    },
  };
  const have = (packages: object) => dependenciesMatch(lock, { packages });
  expect(have({ "node_modules/a": { version: "1.0.0" }, "node_modules/b": { version: "2.0.0" } })).toBe(true);
  expect(have({ "node_modules/a": { version: "1.0.0" } })).toBe(true);
  expect(have({ "node_modules/a": { version: "1.0.1" } })).toBe(false);
  expect(have({ "node_modules/b": { version: "2.0.0" } })).toBe(false);
  expect(have({ "node_modules/a": { version: "1.0.0" }, "node_modules/b": { version: "1.9.0" } })).toBe(false);
  expect(dependenciesMatch(lock, null)).toBe(false);
  expect(dependenciesMatch(null, { packages: {} })).toBe(false);
});

it("the installed dependencies are the lock file's", () => {
  const read = (path: string) => JSON.parse(readFileSync(join(root, path), "utf8"));
  expect(dependenciesMatch(read("package-lock.json"), read("node_modules/.package-lock.json"))).toBe(true);
});

it("the lock file holds the optional packages of every platform, as `npm ci` of npm 11 demands", () => {
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  expect(missingPlatforms(packages).map(([path]: [string]) => path)).toEqual([]);
});

it("every entry of every lock file has its checksum", () => {
  for (const file of ["package-lock.json", "bench/peers/package-lock.json"]) {
    const { packages } = JSON.parse(readFileSync(join(root, file), "utf8"));
    expect(Object.keys(packages).length).toBeGreaterThan(10);
    expect(unchecked(packages), file).toEqual([]);
  }
  const some = { "": {}, "node_modules/a": { integrity: "sha512-x" }, "node_modules/b": {}, c: { link: true } };
  expect(unchecked(some)).toEqual(["node_modules/b"]);
});

it("missing platform packages get npm's fields from their names", () => {
  const optionalDependencies = {
    "@x/cli-linux-x64-musl": "1.0.0",
    "@x/cli-win32-arm64-msvc": "1.0.0",
    "@x/cli-linux-x64": "1.0.0",
  };
  const packages = {
    "node_modules/x": { version: "1.0.0", dev: true, optionalDependencies },
    "node_modules/@x/cli-linux-x64": { version: "1.0.0", optional: true },
  };
  expect(Object.fromEntries(missingPlatforms(packages))).toEqual({
    "node_modules/@x/cli-linux-x64-musl": {
      version: "1.0.0",
      dev: true,
      optional: true,
      os: ["linux"],
      cpu: ["x64"],
      libc: ["musl"],
    },
    "node_modules/@x/cli-win32-arm64-msvc": {
      version: "1.0.0",
      dev: true,
      optional: true,
      os: ["win32"],
      cpu: ["arm64"],
    },
  });
});

it("the source hash is stable", () => {
  expect(sourceHash()).toMatch(/^[0-9a-f]{64}$/);
  expect(sourceHash()).toBe(sourceHash());
});

it("the closing line counts tests, and files that could not be loaded as failures", () => {
  const report = (passed: number, failed: number, skipped: number, success: boolean, testResults: object[] = []) =>
    closingLine({ numPassedTests: passed, numFailedTests: failed, numPendingTests: skipped, success, testResults });
  expect(report(12, 0, 0, true)).toBe("12 passed, 0 failed");
  expect(report(12, 2, 3, false)).toBe("12 passed, 2 failed, 3 skipped");
  expect(report(12, 0, 0, false, [{ status: "failed", assertionResults: [] }])).toBe("12 passed, 1 failed");
  expect(report(12, 0, 0, false)).toBe("12 passed, 1 failed");
  expect(closingLine({ success: false })).toBe("0 passed, 1 failed");
});
