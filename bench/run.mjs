// `node bench/run.mjs large [options]`: bundles bench/large.ts (kernels' WGSL inlined) into .cache/ and runs it by itself, so
// that what it measures is the engine alone.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";
import { wgslPlugin } from "../scripts/wgsl.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const [name, ...args] = process.argv.slice(2);
const entry = join(root, "bench", `${name}.ts`);
if (!name || !existsSync(entry)) {
  process.stderr.write(`bench: there is no bench/${name ?? "NAME"}.ts\n`);
  process.exit(2);
}
const outDir = join(root, ".cache", "bench");
await build({
  root,
  configFile: false,
  logLevel: "warn",
  plugins: [wgslPlugin],
  build: { ssr: entry, outDir, emptyOutDir: false, target: "node20", minify: false },
});
const { status } = spawnSync(process.execPath, [join(outDir, `${name}.js`), ...args], {
  stdio: "inherit",
});
process.exit(status ?? 1);
