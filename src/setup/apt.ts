/**
 * Mesa's lavapipe from the distribution's archive, as system packages or unpacked into the cache folder.
 *
 * Both work on private package lists in a temporary folder, read from the mirror that the machine already uses:
 * a backports suite is needed on Debian 12, and the machine's own apt sources, lists and pins shall stay as they are.
 */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { CachedDriver } from "../gpu/native.js";
import { icdManifest, placeDriver, stagingFolder } from "./cache.js";
import { type CommandResult, complaint, type Log, mustRun, run } from "./command.js";
import { mesaSuite, type OsRelease } from "./plan.js";
import { archiveSources, formatDeb822, readAptSources } from "./sources.js";

const PACKAGES = ["mesa-vulkan-drivers", "libvulkan1"];
const RETRIES = ["-o", "Acquire::Retries=3", "-o", "Acquire::http::Timeout=30", "-o", "Acquire::https::Timeout=30"];

export const LAVAPIPE = "lavapipe";

/** apt's options for a private folder that holds `sources.d/`, the package lists and the downloads. */
export function privateAptOptions(folder: string, privileged: boolean): string[] {
  const set = (name: string, value: string) => ["-o", `${name}=${value}`];
  const options = [
    ...set("Dir::Etc::sourcelist", "/dev/null"),
    ...set("Dir::Etc::sourceparts", join(folder, "sources.d")),
    ...set("Dir::State::lists", join(folder, "lists")),
    ...set("Dir::Cache", join(folder, "cache")),
    ...set("Acquire::Languages", "none"),
    ...RETRIES,
  ];
  // Another apt may be at work: wait for it. Without root, nothing is locked and nothing is written outside `folder`.
  if (privileged) return [...options, ...set("DPkg::Lock::Timeout", "180"), ...set("Dpkg::Use-Pty", "0")];
  return [
    ...options,
    ...set("Dir::State", join(folder, "state")),
    ...set("Dir::State::status", "/var/lib/dpkg/status"),
    ...set("Debug::NoLocking", "1"),
  ];
}

/** `install` with everything that keeps it from asking, removing or bringing in more than is needed. */
export function installArguments(suite: string | null): string[] {
  const from = suite ? ["-t", suite] : [];
  return ["-q", "-y", "--no-install-recommends", "--no-remove", ...from, "install", ...PACKAGES];
}

/**
 * Installs lavapipe with apt, as root or through sudo. Adds no apt source and removes no package.
 * @throws Error with apt's complaint
 */
export async function installLavapipe(os: OsRelease, sudo: boolean, log: Log): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "ncvsd-apt-"));
  // apt downloads as a user of its own, who has to get into the folder.
  chmodSync(folder, 0o755);
  const suite = mesaSuite(os) ?? null;
  const asRoot = (program: string, args: readonly string[]): [string, string[]] =>
    sudo ? ["sudo", ["-n", program, ...args]] : [program, [...args]];
  const quietly = ["DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8", "apt-get"];
  const apt = (args: readonly string[]) => asRoot("env", [...quietly, ...privateAptOptions(folder, true), ...args]);
  try {
    preparePrivateFolder(folder, os, suite);
    log(`installing ${PACKAGES.join(" and ")}${suite ? ` from ${suite}` : ""} with apt${sudo ? " through sudo" : ""}`);
    const update = await run(...apt(["-q", "update"]));
    const keep = ["-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"];
    finish(update, await run(...apt([...keep, ...installArguments(suite)])));
  } finally {
    // Through sudo, apt's files in there belong to root.
    await run(...asRoot("rm", ["-rf", folder]));
  }
}

/**
 * Downloads the same packages, with what the machine lacks of their dependencies, and places the libraries that
 * lavapipe needs in the cache folder. Needs no root.
 * @throws Error with the reason when that fails
 */
export async function unpackLavapipe(os: OsRelease, log: Log): Promise<CachedDriver> {
  const staging = stagingFolder();
  const work = join(staging, "work");
  try {
    mkdirSync(work);
    const suite = mesaSuite(os) ?? null;
    preparePrivateFolder(work, os, suite);
    log(`downloading ${PACKAGES.join(" and ")}${suite ? ` from ${suite}` : ""} for this user (55 MB)`);
    const options = privateAptOptions(work, false);
    const update = await run("apt-get", [...options, "-q", "update"]);
    finish(update, await run("apt-get", [...options, "--download-only", "--reinstall", ...installArguments(suite)]));
    const archives = join(work, "cache/archives");
    const packages = readdirSync(archives).filter((file) => file.endsWith(".deb"));
    const root = join(work, "root");
    for (const file of packages) await mustRun("dpkg-deb", ["-x", join(archives, file), root]);
    const preload = await collectLibraries(root, staging);
    rmSync(work, { recursive: true });
    const version = packages.find((file) => file.startsWith("mesa-vulkan-drivers_"))?.split("_")[1] ?? "unknown";
    return await placeDriver(staging, {
      key: LAVAPIPE,
      name: `${LAVAPIPE}-${version.replace(/[^A-Za-z0-9.]+/g, "-")}`,
      icd: "icd.json",
      preload,
      source: `Mesa ${decodeURIComponent(version)} (lavapipe) of the distribution's packages`,
    });
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

/** Only the installation has to succeed: an update that missed one of several files may do. */
function finish(update: CommandResult, install: CommandResult): void {
  if (install.code === 0) return;
  const missed = update.code === 0 ? "" : ` (after apt-get update: ${complaint(update)})`;
  throw new Error(`apt-get install failed: ${complaint(install)}${missed}`);
}

function preparePrivateFolder(folder: string, os: OsRelease, suite: string | null): void {
  const sources = archiveSources(readAptSources(), os, suite);
  if (sources.length === 0) throw new Error(`no mirror of the ${os.codename} archive in the machine's apt sources`);
  for (const dir of ["sources.d", "lists/partial", "state", "cache/archives/partial"]) {
    mkdirSync(join(folder, dir), { recursive: true });
  }
  writeFileSync(join(folder, "sources.d", "archive.sources"), formatDeb822(sources));
}

// These are in every process already, and a second copy of them would break it.
const SYSTEM_LIBRARY = /^(ld-linux.*|lib(c|m|dl|pthread|rt|resolv|util|gcc_s|stdc\+\+))\.so/;

/**
 * Copies lavapipe, the Vulkan loader and the downloaded libraries that lavapipe links to out of the unpacked
 * packages, and writes an ICD manifest.
 * @returns the libraries to open beforehand, each after those that it needs itself
 */
async function collectLibraries(root: string, target: string): Promise<string[]> {
  const manifests = join(root, "usr/share/vulkan/icd.d");
  const manifest = readdirSync(manifests).find((file) => file.startsWith("lvp_icd"));
  if (!manifest) throw new Error("the package mesa-vulkan-drivers holds no lavapipe");
  const { ICD } = JSON.parse(readFileSync(join(manifests, manifest), "utf8"));
  const folders = ["usr/lib", "lib"].flatMap((base) => multiarch(join(root, base)));
  const find = (name: string) => folders.map((dir) => join(dir, name)).find((path) => existsSync(path));
  const driver = find(basename(ICD.library_path));
  const loader = find("libvulkan.so.1");
  if (!driver || !loader) throw new Error("the downloaded packages hold no lavapipe or no Vulkan loader");

  /** Soname to path of everything that `file` needs, directly or not, and that was downloaded. */
  const needs = async (file: string) => {
    const env = { ...process.env, LD_LIBRARY_PATH: folders.join(":") };
    const listed = await mustRun("ldd", [file], { env });
    const pairs = [...listed.matchAll(/^\s*(\S+) => (\/\S+) \(/gm)].map((m) => [m[1] ?? "", m[2] ?? ""] as const);
    return pairs.filter(([name, path]) => path.startsWith(root) && !SYSTEM_LIBRARY.test(name));
  };
  const libraries = await Promise.all(
    (await needs(driver)).map(async ([name, path]) => ({ name, path, count: (await needs(path)).length })),
  );
  // What a library needs, needs less than the library itself.
  libraries.sort((a, b) => a.count - b.count);
  mkdirSync(join(target, "lib"));
  for (const { name, path } of libraries) copyFileSync(path, join(target, "lib", name));
  copyFileSync(loader, join(target, "lib", "libvulkan.so.1"));
  copyFileSync(driver, join(target, "libvulkan_lvp.so"));
  writeFileSync(join(target, "icd.json"), icdManifest("libvulkan_lvp.so", ICD.api_version));
  return [...libraries.map(({ name }) => join("lib", name)), join("lib", "libvulkan.so.1")];
}

function multiarch(base: string): string[] {
  try {
    return readdirSync(base)
      .filter((name) => name.includes("-linux-gnu"))
      .map((name) => join(base, name));
  } catch {
    return [];
  }
}
