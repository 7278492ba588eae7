/** Writes to the cache folder of drivers. What lies there is whole: folders and the marker are renamed into place. */
import { createHash, randomUUID } from "node:crypto";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join, sep } from "node:path";
import { type CachedDriver, type DriverMarker, driverFolder, MARKER_FILE, readDriverMarker } from "../gpu/native.js";
import { probeAdapter } from "./probe.js";

/** A driver unpacked into a staging folder, not yet tried out. Paths as in `CachedDriver`, relative to that folder. */
export interface StagedDriver {
  /** Key in the marker, e.g. `swiftshader`. */
  readonly key: string;
  /** Folder name in the cache; holds the version. */
  readonly name: string;
  readonly icd: string;
  readonly preload: readonly string[];
  readonly source: string;
}

/** A fresh folder beside the drivers (same file system, so that it can be renamed into place). Remove it afterwards. */
export function stagingFolder(): string {
  const folder = driverFolder();
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) {
    // Left by a run that was killed; a running one is younger.
    const path = join(folder, name);
    const old = name.startsWith(STAGING) && Date.now() - statSync(path).mtimeMs > 3600_000;
    if (old) rmSync(path, { recursive: true, force: true });
  }
  const staging = mkdtempSync(join(folder, STAGING));
  process.once("exit", () => rmSync(staging, { recursive: true, force: true }));
  return staging;
}

const STAGING = ".new-";

/**
 * Tries a staged driver out, moves it into the cache and notes it in the marker.
 * @throws Error with the reason when the driver does not work; the cache is then as before
 */
export async function placeDriver(staging: string, staged: StagedDriver): Promise<CachedDriver> {
  const { key, name, icd, preload, source } = staged;
  const candidate = { icd, preload, adapter: "", source };
  const probe = await probeAdapter({ folder: staging, driver: candidate, alone: true });
  if (!probe.ok) throw new Error(`${source} does not work here: ${probe.reason}`);
  const folder = driverFolder();
  const place = join(folder, name);
  const inside = (file: string) => join(name, file);
  const driver = { icd: inside(icd), preload: preload.map(inside), adapter: probe.name ?? key, source };
  rmSync(place, { recursive: true, force: true });
  renameSync(staging, place);
  updateMarker((marker) => ({ ...marker, drivers: { ...marker.drivers, [key]: driver } }));
  return driver;
}

/** Rewrites `driver.json` in one step. */
export function updateMarker(change: (marker: DriverMarker) => DriverMarker, folder: string = driverFolder()): void {
  const before = readDriverMarker(folder) ?? { format: 1, default: null, exclusive: false, drivers: {} };
  mkdirSync(folder, { recursive: true });
  // Swept as a staging folder is, should this process be killed here.
  const temporary = join(folder, `${STAGING}${randomUUID()}`);
  writeFileSync(temporary, `${JSON.stringify(change(before), null, 2)}\n`, { flag: "wx" });
  renameSync(temporary, join(folder, MARKER_FILE));
}

/** The text of an ICD manifest for a library that lies beside it. */
export function icdManifest(library: string, apiVersion: string): string {
  const manifest = { file_format_version: "1.0.0", ICD: { library_path: `./${library}`, api_version: apiVersion } };
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

/** @throws Error when the file is not the expected one */
export function checkSha256(file: string, expected: string): void {
  const actual = createHash("sha256").update(readFileSync(file)).digest("hex");
  if (actual !== expected) throw new Error(`${file.split(sep).pop()} is not the expected file (SHA-256 ${actual})`);
}
