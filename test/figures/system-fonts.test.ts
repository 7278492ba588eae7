import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { fontsBelow } from "../../src/figures/system-fonts.js";

it("a folder that cannot be read hides no other", () => {
  const root = mkdtempSync(join(tmpdir(), "ncvsd-fonts-"));
  for (const name of ["a", "b", "c"]) {
    mkdirSync(join(root, name));
    writeFileSync(join(root, name, `${name}.TTF`), "");
  }
  chmodSync(root, 0o755);
  chmodSync(join(root, "b"), 0);
  // To root every folder is open.
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) process.seteuid?.(65534);
  try {
    expect(fontsBelow(root)).toEqual([join(root, "a", "a.TTF"), join(root, "c", "c.TTF")]);
    expect(fontsBelow(join(root, "none"))).toEqual([]);
  } finally {
    if (isRoot) process.seteuid?.(0);
    chmodSync(join(root, "b"), 0o755);
    rmSync(root, { recursive: true });
  }
});

it("folders that are links are looked into, once, wherever links lead", () => {
  const root = mkdtempSync(join(tmpdir(), "ncvsd-fonts-"));
  try {
    mkdirSync(join(root, "elsewhere"));
    mkdirSync(join(root, "fonts"));
    writeFileSync(join(root, "elsewhere", "one.ttf"), "");
    symlinkSync(join(root, "elsewhere"), join(root, "fonts", "linked"));
    symlinkSync(join(root, "fonts"), join(root, "elsewhere", "round"));
    symlinkSync(join(root, "gone"), join(root, "fonts", "broken"));
    expect(fontsBelow(join(root, "fonts"))).toEqual([join(root, "fonts", "linked", "one.ttf")]);
  } finally {
    rmSync(root, { recursive: true });
  }
});
