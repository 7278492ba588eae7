// The rooms of the house and the rules that hold it up, as functions of the files' texts: test/architecture.test.ts holds
// the code to them, scripts/draw-house.mjs draws the rooms for docs/architecture.md.
import { readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";

/**
 * Lines of rooms, from the ground up. A room imports itself and the lines below its own; rooms on one line don't know each
 * other. A room owns the files below its folder that no longer name in this list owns.
 */
export const ROOMS = [
  ["src/errors.ts", "src/node"],
  ["src/gpu", "src/checkpoint", "src/image"],
  ["kernels"],
  ["src/graph"],
  ["src/layers", "src/random"],
  ["src/networks"],
  ["src/networks/edm2", "src/networks/vae", "src/networks/features", "src/networks/energy"],
  ["src/operators"],
  ["src/priors"],
  ["src/sample"],
  ["src/evaluate", "src/data", "src/setup"],
  ["src/train", "src/calibrate"],
  ["src/runs", "src/figures"],
  ["src/measure"],
  ["src/cli", "bench", "src/index.ts", "src/entries"],
  ["web"],
];

/** Groups of kernels; `lib` is what they share. */
export const KERNEL_GROUPS = [
  "lib",
  "network",
  "energy",
  "vae",
  "features",
  "sampling",
  "priors",
  "operators",
  "training",
];

/** Where Node's modules may be imported: rooms of Node alone, and what lies behind src/gpu's native door. */
const NODE = [
  ...["src/node", "src/data", "src/setup", "src/runs", "src/figures", "src/measure", "src/cli", "bench"],
  ...["native", "native-nvidia", "twins", "cache-folder", "tuning-cache"].map((name) => `src/gpu/${name}.ts`),
];

export const MAX_LINES = 450;

/** Text of every TypeScript file of src, kernels, bench and web, by its path; of .tsx by the same with .ts. */
export function readHouse(root, folders = ["src", "kernels", "bench", "web/src"]) {
  const house = new Map();
  for (const folder of folders) {
    for (const entry of readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })) {
      const path = posix.join(folder, entry.replaceAll("\\", "/"));
      if (/\.d\.ts$|\/(node_modules|peers|\.cache)\//.test(path) || !/\.tsx?$/.test(path)) continue;
      house.set(path.replace(/\.tsx$/, ".ts"), readFileSync(join(root, path), "utf8"));
    }
  }
  return house;
}

/** What a file imports of its own project, static or dynamic, values or types; and the packages and Node modules. */
export function importsOf(path, text) {
  const found = [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*"([^"]+)"/g)].map((m) => m[1]);
  const own = found.filter((name) => name.startsWith(".") && !name.endsWith(".wgsl.js"));
  return {
    own: own.map((name) => posix.join(posix.dirname(path), name).replace(/\.js$/, ".ts")),
    packages: found.filter((name) => !name.startsWith(".")),
  };
}

const inside = (path, place) => path === place || path.startsWith(`${place}/`);

/** The room of a file and its line, or undefined. */
export function roomOf(path, rooms = ROOMS) {
  const all = rooms.flatMap((line, height) => line.map((room) => ({ room, height })));
  return all.sort((a, b) => b.room.length - a.room.length).find(({ room }) => inside(path, room));
}

/** Rule 1: every file has a room, and imports go strictly down. */
export function upwardImports(house, rooms = ROOMS) {
  const faults = [];
  for (const [path, text] of house) {
    const from = roomOf(path, rooms);
    if (!from) faults.push(`${path} is in no room`);
    for (const target of from ? importsOf(path, text).own : []) {
      // Some benchmarks borrow the tests' independent networks.
      if (from.room === "bench" && inside(target, "test/support")) continue;
      const to = roomOf(target, rooms);
      if (!to) faults.push(`${path} imports ${target}, which is in no room`);
      else if (to.room !== from.room && to.height >= from.height)
        faults.push(`${path} imports ${target}, which is not below it`);
    }
  }
  return faults;
}

/** Rule 2: no circle of files, types included: each circle once, by Tarjan's strongly connected components. */
export function circles(house) {
  const found = [];
  const number = new Map();
  const low = new Map();
  const stack = [];
  const visit = (path) => {
    number.set(path, number.size);
    low.set(path, number.get(path));
    stack.push(path);
    for (const target of importsOf(path, house.get(path)).own) {
      if (!house.has(target)) continue;
      if (!number.has(target)) visit(target);
      if (stack.includes(target)) low.set(path, Math.min(low.get(path), low.get(target)));
    }
    if (low.get(path) !== number.get(path)) return;
    const circle = stack.splice(stack.indexOf(path));
    if (circle.length > 1) found.push(`a circle: ${circle.sort().join(", ")}`);
  };
  for (const path of house.keys()) if (!number.has(path)) visit(path);
  return found;
}

/** A kernel's derivative: the one file of its folder that names other kernels. */
const isVjp = (path) => /^kernels\/[^/]+\/[^/]+\/vjp\.ts$/.test(path);

/** Rule 3: a kernel has its group, its three files, one line in kernels/index.ts, and somebody who uses it; it imports no other. */
export function kernelFaults(house) {
  const faults = [];
  const folders = new Set();
  for (const path of house.keys()) {
    const [, group, name] = /^kernels\/([^/]+)\/([^/]+)\//.exec(path) ?? [];
    if (group === undefined || group === "lib") continue;
    if (!KERNEL_GROUPS.includes(group)) faults.push(`${path}: there is no group ${group} of kernels`);
    folders.add(`kernels/${group}/${name}`);
  }
  const list = importsOf("kernels/index.ts", house.get("kernels/index.ts") ?? "").own;
  const users = [...house].filter(([path]) => path.startsWith("src/") || isVjp(path));
  for (const folder of folders) {
    for (const file of ["kernel.ts", "reference.ts"]) {
      if (!house.has(`${folder}/${file}`)) faults.push(`${folder} has no ${file}`);
    }
    const lines = list.filter((target) => target === `${folder}/kernel.ts`).length;
    if (lines !== 1) faults.push(`${folder} stands ${lines} times in kernels/index.ts`);
    const others = users.filter(([path]) => !inside(path, folder));
    if (!others.some(([path, text]) => importsOf(path, text).own.includes(`${folder}/kernel.ts`)))
      faults.push(`${folder} is used by nothing in src, and by no derivative`);
  }
  for (const [path, text] of house) {
    const folder = [...folders].find((own) => inside(path, own));
    for (const target of folder ? importsOf(path, text).own : []) {
      if (inside(target, "kernels") && !inside(target, folder) && !inside(target, "kernels/lib") && !isVjp(path))
        faults.push(`${path} imports ${target} of another kernel`);
    }
  }
  return faults;
}

/** Rule 5: Node's modules only where they belong, and none that the library's entry reaches by static imports. */
export function nodeFaults(house) {
  const faults = [];
  for (const [path, text] of house) {
    if (NODE.some((place) => inside(path, place))) continue;
    for (const [, name] of text.matchAll(/(?<!typeof )import\("(node:[^"]+)"\)/g))
      faults.push(`${path} imports ${name}: src/node has the door`);
    // A type is no dependency of the browser's bundle.
    for (const [, name] of text.matchAll(/^(?:import|export)\s(?!type\s)[^;]*?from\s+"(node:[^"]+)"/gm))
      faults.push(`${path} imports ${name}`);
  }
  const seen = new Set();
  const visit = (path) => {
    if (seen.has(path) || !house.has(path)) return;
    seen.add(path);
    for (const [, name] of house.get(path).matchAll(/^(?:import|export)\s(?!type\s)[^;]*?from\s+"([^"]+)"/gm)) {
      if (name.startsWith("node:")) faults.push(`the library's entries reach ${name} through ${path}`);
      else if (name.startsWith(".")) visit(posix.join(posix.dirname(path), name).replace(/\.js$/, ".ts"));
    }
  };
  visit("src/index.ts");
  for (const path of house.keys()) if (inside(path, "src/entries")) visit(path);
  return faults;
}

/** Rule 6: nobody but the commands imports src/cli. */
export function commandImports(house) {
  const faults = [];
  for (const [path, text] of house) {
    if (inside(path, "src/cli")) continue;
    for (const target of importsOf(path, text).own)
      if (inside(target, "src/cli")) faults.push(`${path} imports ${target}: only commands import src/cli`);
  }
  return faults;
}

/** Rule 9: the page in web/ knows the library by its name alone, as everybody does who installed it. */
export function webImports(house) {
  const faults = [];
  for (const [path, text] of house) {
    for (const target of inside(path, "web") ? importsOf(path, text).own : []) {
      if (!inside(target, "web")) faults.push(`${path} imports ${target}: web/ imports "ncvsd-gpu"`);
    }
  }
  return faults;
}

/** Rule 7: files can be read in one sitting. (Functions: `noExcessiveLinesPerFunction` in biome.json.) */
export function longFiles(house) {
  return [...house]
    .map(([path, text]) => [path, text.trimEnd().split("\n").length])
    .filter(([path, lines]) => lines > MAX_LINES && !path.startsWith("bench/"))
    .map(([path, lines]) => `${path} has ${lines} lines, ${MAX_LINES} at most`);
}

/**
 * Rule 8: no value is exported that no other file names. `others` are texts that may use it too: tests, scripts. Types are
 * free: they belong to the signatures of their file.
 */
export function idleExports(house, others = []) {
  const faults = [];
  for (const [path, text] of house) {
    if (path === "src/index.ts" || inside(path, "src/entries") || path.startsWith("bench/")) continue;
    for (const [, name] of text.matchAll(
      /^export (?:async )?(?:abstract )?(?:const|function\*?|class|enum|let) (\w+)/gm,
    )) {
      const word = new RegExp(`\\b${name}\\b`);
      const used =
        [...house].some(([other, its]) => other !== path && word.test(its)) || others.some((its) => word.test(its));
      if (!used) faults.push(`${path} exports ${name}, which no other file uses`);
    }
  }
  return faults;
}

/** What an entry exports: the module of every name, types included. */
function exportsOf(path, text = "") {
  const found = new Map();
  for (const [, names, from] of text.matchAll(/^export\s+(?:type\s+)?\{([^}]*)\}\s+from\s+"([^"]+)"/gm))
    for (const name of names.split(","))
      if (name.trim()) found.set(name.trim().replace(/^type\s+/, ""), posix.join(posix.dirname(path), from));
  return found;
}

/** Modules whose public names are all in the entry of DISCO. */
const DISCO = /^src\/(networks\/energy|sample\/particles|train\/disco(-settings)?\.js|priors\/mixture\.js)/;
/** Names of an entry that the whole has only within others. */
const ALONE = ["openCheckpoint"];

/** Rule 10: an entry's names are the whole's and the same things; what belongs to DISCO is in its entry. */
export function entryFaults(house) {
  const faults = [];
  const whole = exportsOf("src/index.ts", house.get("src/index.ts"));
  const entries = [...house].filter(([path]) => inside(path, "src/entries"));
  for (const [path, text] of entries) {
    const own = exportsOf(path, text);
    for (const [name, from] of own)
      if (whole.get(name) !== from && !ALONE.includes(name))
        faults.push(`${path} exports ${name} of ${from}: src/index.ts has it of ${whole.get(name) ?? "nowhere"}`);
    for (const [name, from] of whole)
      if (path === "src/entries/disco.ts" && DISCO.test(from) && !own.has(name))
        faults.push(`${path} lacks ${name}, which src/index.ts has of ${from}`);
  }
  return faults;
}

export const RULES = {
  ...{
    upwardImports,
    circles,
    kernelFaults,
    nodeFaults,
    commandImports,
    webImports,
    longFiles,
    idleExports,
    entryFaults,
  },
};
