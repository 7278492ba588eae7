// Compiles TypeScript into dist/ and writes every kernel.wgsl beside it as a module that exports its text,
// so that kernels load the same way in Node, in browsers and through bundlers.
// dist/ changes in one step, at the end: a build that fails leaves the one before.
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { BUILT_FROM, root, sourceHash } from "./lib.mjs";
import { splitKernels } from "./split-kernels.mjs";
import { wgslModule } from "./wgsl.mjs";

const hash = sourceHash();
const dist = join(root, "dist");
const fresh = join(root, `.cache/dist-${process.pid}`);
process.on("exit", () => rmSync(fresh, { recursive: true, force: true }));

const compiler = join(root, "node_modules/typescript/bin/tsc");
const tsc = spawnSync(process.execPath, [compiler, "-p", "tsconfig.build.json", "--outDir", fresh], {
  cwd: root,
  stdio: "inherit",
});
if (tsc.status !== 0) process.exit(tsc.status ?? 1);

for (const entry of readdirSync(join(root, "kernels"), { recursive: true })) {
  if (!entry.endsWith(".wgsl")) continue;
  const target = join(fresh, "kernels", `${entry}.js`);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, wgslModule(join(root, "kernels", entry)));
}
await splitKernels(join(fresh, "kernels"));
// dist/ lies one folder deeper than the sources.
const bundled = join(fresh, "src/checkpoint/bundled.js");
writeFileSync(bundled, readFileSync(bundled, "utf8").replace('"../../weights/', '"../../../weights/'));
// The DOM of TypeScript below 6 has no WebGPU.
for (const entry of [
  "index",
  ...readdirSync(join(root, "src/entries")).map((name) => `entries/${name.slice(0, -3)}`),
]) {
  const types = `/// <reference types="@webgpu/types" />\nexport * from "./${basename(entry)}.js";\n`;
  writeFileSync(join(fresh, `src/${entry}-dom5.d.ts`), types);
}
chmodSync(join(fresh, "src/cli/main.js"), 0o755);

rmSync(join(root, BUILT_FROM), { force: true });
const old = `${fresh}-old`;
if (existsSync(dist)) renameSync(dist, old);
renameSync(fresh, dist);
writeFileSync(join(root, BUILT_FROM), hash);
rmSync(old, { recursive: true, force: true });
