/** Makes ready what the comparison needs (ncvsd-gpu built, an adapter, the peers installed) and runs it with the same arguments. */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { dependenciesMatch, ensureAdapter, fail, prepare, run, say } from "../../scripts/lib.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));

function readLock(name) {
  const path = new URL(name, import.meta.url);
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : null;
}

async function installPeers() {
  if (dependenciesMatch(readLock("package-lock.json"), readLock("node_modules/.package-lock.json"))) return;
  say("installing the peers (npm ci)");
  // Without scripts: onnxruntime-node's would fetch a CUDA library that nothing here uses.
  const args = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  // On Windows npm is a batch file, which needs a shell.
  const code = await run("npm", args, { cwd: here, stdio: ["ignore", 2, 2], shell: process.platform === "win32" });
  if (code !== 0) throw new Error("`npm ci` in bench/peers failed; its own messages are above.");
}

try {
  await prepare();
  await ensureAdapter();
  await installPeers();
} catch (error) {
  fail(error);
}
const script = fileURLToPath(new URL("run.mjs", import.meta.url));
process.exitCode = await run(process.execPath, [script, ...process.argv.slice(2)], { cwd: process.cwd() });
