// `node bench/run.mjs large [options]`: bundles bench/large.ts (kernels' WGSL inlined) into .cache/ and runs it by itself, so
// that what it measures is the engine alone.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";

const root = fileURLToPath(new URL("..", import.meta.url));
const [name, ...args] = process.argv.slice(2);
const entry = join(root, "bench", `${name}.ts`);
if (!name || !existsSync(entry)) {
  process.stderr.write(`bench: there is no bench/${name ?? "NAME"}.ts\n`);
  process.exit(2);
}
const wgsl = {
  name: "wgsl",
  enforce: "pre",
  resolveId: (id, importer) =>
    id.endsWith(".wgsl.js") && importer ? `${resolve(dirname(importer), id.slice(0, -3))}?wgsl` : null,
  load: (id) =>
    id.endsWith("?wgsl") ? `export default ${JSON.stringify(readFileSync(id.slice(0, -5), "utf8"))};` : null,
};
const outDir = join(root, ".cache", "bench");
await build({
  root,
  configFile: false,
  logLevel: "warn",
  plugins: [wgsl],
  build: { ssr: entry, outDir, emptyOutDir: false, target: "node20", minify: false },
});
const { status } = spawnSync(process.execPath, [join(outDir, `${name}.js`), ...args], {
  stdio: "inherit",
});
process.exit(status ?? 1);
