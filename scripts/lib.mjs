// What `npm start`, `npm test` and `npm run build` share. Only Node's built-ins: node_modules may not be there yet.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { constants } from "node:os";
import { basename, dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

export const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const OLDEST_NODE = [20, 19];

/** The file with the hash of what dist/ was built from; outside of dist/, which is published. */
export const BUILT_FROM = ".cache/built-from";

export function say(line) {
  process.stderr.write(`ncvsd-gpu: ${line}\n`);
}

/** Ends the process with one sentence instead of a stack. */
export function fail(error) {
  say(error instanceof Error ? error.message : String(error));
  process.exit(1);
}

/** Dependencies, build: everything that has to be there before any code of ours can run. */
export async function prepare() {
  checkNode();
  await installDependencies();
  await build();
}

function checkNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1])) return;
  throw new Error(`Node ${process.versions.node} is too old: install Node ${OLDEST_NODE.join(".")} or newer.`);
}

async function installDependencies() {
  if (dependenciesMatch(readJson("package-lock.json"), readJson("node_modules/.package-lock.json"))) return;
  say("installing dependencies (npm ci)");
  const npm = npmCommand();
  const args = [...npm.args, "ci", "--include=dev", "--no-audit", "--no-fund", "--loglevel=error"];
  for (let attempt = 1; (await step(npm.program, args, { shell: npm.shell })) !== 0; attempt++) {
    if (attempt === 2) throw new Error("`npm ci` failed; its own messages are above.");
    say("npm ci failed, trying once more");
  }
}

/**
 * True when node_modules holds exactly what package-lock.json asks for on this platform. npm writes
 * node_modules/.package-lock.json last, so an installation that was broken off does not match.
 */
export function dependenciesMatch(wanted, installed) {
  if (!wanted?.packages || !installed?.packages) return false;
  return Object.entries(wanted.packages).every(([path, { version, optional }]) => {
    if (path === "") return true;
    const have = installed.packages[path];
    return have ? have.version === version : optional === true;
  });
}

async function build() {
  if (existsSync(join(root, "dist/src")) && readText(BUILT_FROM) === sourceHash()) return;
  say("building");
  const code = await step(process.execPath, [join(root, "scripts/build.mjs")]);
  if (code !== 0) throw new Error("the build failed; the compiler's messages are above.");
}

/** A hash of everything that dist/ is made from. */
export function sourceHash() {
  const hash = createHash("sha256");
  const single = ["package-lock.json", "tsconfig.json", "tsconfig.build.json", "scripts/build.mjs"];
  single.push("scripts/split-kernels.mjs", "scripts/wgsl.mjs");
  for (const file of [...single.map((name) => join(root, name)), ...filesIn("src"), ...filesIn("kernels")]) {
    hash.update(`${relative(root, file).split(sep).join("/")}\0`);
    hash.update(createHash("sha256").update(readFileSync(file)).digest());
  }
  return hash.digest("hex");
}

function filesIn(folder) {
  const entries = readdirSync(join(root, folder), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

/** The library that sets up adapters; there after `prepare()`. */
export function setUpLibrary() {
  return import(new URL("../dist/src/setup/index.js", import.meta.url));
}

/** Makes sure that there is an adapter; says what was done, nothing when there was nothing to do. */
export async function ensureAdapter() {
  const { setUpAdapter } = await setUpLibrary();
  const { adapter, installed } = await setUpAdapter({ log: say });
  if (installed) say(`set up ${installed}: ${adapter.driver ?? adapter.name}`);
}

let child = null;
let stopped = null;

// Ctrl-C reaches the child directly, as it belongs to the same terminal: we only wait for it to finish. Signals that
// are sent to this process alone are passed on. Without a child, `exit` handlers get to remove what is half done.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => {
    stopped = signal;
    if (!child) process.exit(128 + constants.signals[signal]);
    if (signal !== "SIGINT") child.kill(signal);
  });
}

/** Runs the program that all the preparation was for; resolves with its exit code. */
export function run(program, args, options = {}) {
  return new Promise((resolve, reject) => {
    child = spawn(program, args, { cwd: root, stdio: "inherit", ...options });
    child.on("error", reject);
    child.on("close", (code, signal) => {
      child = null;
      resolve(code ?? 128 + constants.signals[signal]);
    });
  });
}

/** Runs a step of the preparation; a signal ends everything after it. Its output goes to stderr: stdout is for results. */
async function step(program, args, options = {}) {
  const code = await run(program, args, { stdio: ["ignore", 2, 2], ...options });
  if (stopped) process.exit(128 + constants.signals[stopped]);
  return code;
}

/** The npm that runs this script, if one does; else the one on the PATH. */
export function npmCommand() {
  const path = process.env.npm_execpath ?? "";
  if (basename(path) === "npm-cli.js") return { program: process.execPath, args: [path], shell: false };
  // On Windows npm is a batch file, which needs a shell.
  return { program: "npm", args: [], shell: process.platform === "win32" };
}

function readText(path) {
  try {
    return readFileSync(join(root, path), "utf8");
  } catch {
    return null;
  }
}

function readJson(path) {
  try {
    return JSON.parse(readText(path) ?? "null");
  } catch {
    return null;
  }
}
