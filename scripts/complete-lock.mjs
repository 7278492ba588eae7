// Run after changing dependencies: node scripts/complete-lock.mjs
// Native packages list one optional package per platform. A registry mirror that offers only some of them makes npm
// write a lock file without the others, and `npm ci` of npm 11 refuses such a lock file. This adds what is missing:
// npm fetches those entries only on their own platform. Each gets the checksum that the registry publishes for it.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { npmCommand, root } from "./lib.mjs";

const SYSTEMS = ["aix", "android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "openharmony", "sunos", "win32"];
// Longer names first: arm is part of arm64.
const PROCESSORS = ["mips64el", "loong64", "riscv64", "ppc64", "s390x", "arm64", "ia32", "x64", "arm"];

/** `[path, entry]` for every optional dependency that a package of the lock file names and the lock file lacks. */
export function missingPlatforms(packages) {
  const missing = new Map();
  for (const [path, { optionalDependencies = {}, dev }] of Object.entries(packages)) {
    for (const [name, version] of Object.entries(optionalDependencies)) {
      const key = `node_modules/${name}`;
      if (packages[key] || packages[`${path}/${key}`]) continue;
      missing.set(key, { version, ...(dev && { dev }), optional: true, ...platform(name) });
    }
  }
  return [...missing];
}

/** npm's os, cpu and libc fields, told from a name such as `@rollup/rollup-linux-x64-musl`. */
function platform(name) {
  const os = SYSTEMS.find((system) => name.includes(system));
  const cpu = PROCESSORS.find((processor) => name.includes(processor));
  if (!os || !cpu) throw new Error(`${name} does not tell its platform by its name`);
  const libc = name.includes("musl") ? ["musl"] : os === "linux" && name.includes("gnu") ? ["glibc"] : null;
  return { os: [os], cpu: [cpu], ...(libc && { libc }) };
}

/** Paths of the entries that npm would install unchecked. */
export function unchecked(packages) {
  return Object.keys(packages).filter((path) => path !== "" && !packages[path].link && !packages[path].integrity);
}

/** The checksum of one version of a package, from the registry that npm is set up for. */
function publishedIntegrity(name, version) {
  const { program, args, shell } = npmCommand();
  const text = execFileSync(program, [...args, "view", `${name}@${version}`, "dist.integrity"], {
    shell,
    encoding: "utf8",
  });
  const integrity = text.trim();
  if (!/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity))
    throw new Error(`the registry has no checksum of ${name}@${version}`);
  return integrity;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const file = join(root, "package-lock.json");
  const lock = JSON.parse(readFileSync(file, "utf8"));
  const missing = missingPlatforms(lock.packages);
  for (const [path, entry] of missing) lock.packages[path] = entry;
  const bare = unchecked(lock.packages);
  for (const path of bare) {
    const { version, ...rest } = lock.packages[path];
    const integrity = publishedIntegrity(path.split("node_modules/").at(-1), version);
    lock.packages[path] = { version, integrity, ...rest };
  }
  const entries = Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1));
  lock.packages = Object.fromEntries(entries);
  writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
  process.stdout.write(`added ${missing.length} entries and ${bare.length} checksums to package-lock.json\n`);
}
