/** SwiftShader, Google's software Vulkan driver, out of an npm package: needs no root, only npm and tar. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { brotliDecompressSync } from "node:zlib";
import { type CachedDriver, driverFolder, readDriverMarker } from "../gpu/native.js";
import { checkSha256, icdManifest, placeDriver, stagingFolder } from "./cache.js";
import { type Log, mustRun } from "./command.js";

const PACKAGE = "@sparticuz/chromium";
const VERSION = "147.0.0";
/** Member of the package: a tar with SwiftShader and a Vulkan loader, both as Chromium builds them. */
const ARCHIVE = "package/bin/swiftshader.tar.br";
// The registry's own checksum guards the download; these guard against another file under the same version.
const FILES = {
  "libvulkan.so.1": "fe17a77c1f2df38d3b6a935140f746fd80aac564bb44eb3e4f6b75a504295a41",
  "libvk_swiftshader.so": "5b9e8591c7c2d1c9618c3ad485d0cdffb81f5f1ffd6a982fdb6578c2d8d3213e",
};

export const SWIFTSHADER = "swiftshader";

/** Downloads (68 MB) and places SwiftShader in the cache folder. @throws Error with the reason when that fails */
export async function installSwiftShader(log: Log): Promise<CachedDriver> {
  if (process.platform !== "linux" || process.arch !== "x64") {
    throw new Error(`${PACKAGE} has SwiftShader for linux-x64 only, this is ${process.platform}-${process.arch}`);
  }
  const staging = stagingFolder();
  try {
    log(`downloading SwiftShader (npm package ${PACKAGE}, 68 MB)`);
    const work = join(staging, "work");
    mkdirSync(work);
    const npm = npmCommand();
    const pack = ["pack", `${PACKAGE}@${VERSION}`, "--ignore-scripts", "--loglevel=error", "--pack-destination", work];
    await mustRun(npm.program, [...npm.args, ...pack], { cwd: work, title: `npm pack ${PACKAGE}` });
    const tarball = readdirSync(work).find((file) => file.endsWith(".tgz"));
    if (!tarball) throw new Error(`npm pack ${PACKAGE} left no file`);
    await mustRun("tar", ["-xzf", join(work, tarball), "-C", work, ARCHIVE]);
    const tar = join(work, "swiftshader.tar");
    writeFileSync(tar, brotliDecompressSync(readFileSync(join(work, ARCHIVE))));
    await mustRun("tar", ["-xf", tar, "-C", staging, "--no-same-owner", ...Object.keys(FILES)]);
    for (const [file, sha256] of Object.entries(FILES)) checkSha256(join(staging, file), sha256);
    writeFileSync(join(staging, "icd.json"), icdManifest("libvk_swiftshader.so", "1.1.0"));
    rmSync(work, { recursive: true });
    return await placeDriver(staging, {
      key: SWIFTSHADER,
      name: `${SWIFTSHADER}-${VERSION}`,
      icd: "icd.json",
      preload: ["libvulkan.so.1"],
      source: `SwiftShader of npm's ${PACKAGE}@${VERSION}`,
    });
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

/**
 * Puts SwiftShader into the cache folder, if it is not there, as a second driver; the default adapter stays as it is.
 * It is then found by `openGpu({ adapter: "swiftshader" })`.
 * @returns the path of its ICD manifest
 * @throws Error with the reason when it cannot be had here
 */
export async function ensureSwiftShader(options: { log?: Log } = {}): Promise<string> {
  const known = readDriverMarker()?.drivers[SWIFTSHADER];
  if (known) return join(driverFolder(), known.icd);
  if (process.env.NCVSD_NO_SETUP === "1") throw new Error("NCVSD_NO_SETUP=1 forbids to download it");
  const driver = await installSwiftShader(options.log ?? (() => {}));
  return join(driverFolder(), driver.icd);
}

/** The npm that runs us, if one does; else the one on the PATH. */
function npmCommand(): { program: string; args: string[] } {
  const path = process.env.npm_execpath ?? "";
  const script = basename(path) === "npx-cli.js" ? join(path, "..", "npm-cli.js") : path;
  if (basename(script) === "npm-cli.js") return { program: process.execPath, args: [script] };
  return { program: "npm", args: [] };
}
