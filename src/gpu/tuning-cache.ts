/**
 * Where a tuner's choices lie between runs: one JSON file per adapter, driver, engine version, precision and matrix units in the user's
 * cache folder. Node only. A file that is damaged, foreign or outdated counts as absent: the cost model then chooses.
 */
import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder } from "./cache-folder.js";
import type { Tuning, TuningIdentity } from "./tuning.js";

/** Equal to the package's version: another engine may have other kernels. */
export const ENGINE_VERSION = "0.1.0";

export interface TuningFile {
  readonly tool: "ncvsd-gpu";
  readonly format: 1;
  readonly identity: TuningIdentity;
  readonly date: string;
  readonly choices: Readonly<Record<string, string>>;
}

/** A file with all layers of a hundred networks is not larger. */
const LARGEST_FILE = 2 ** 20;

/** `$XDG_CACHE_HOME/ncvsd-gpu/tuning`, by default `~/.cache/ncvsd-gpu/tuning`. */
export function tuningFolder(env: NodeJS.ProcessEnv = process.env): string {
  return cacheFolder("tuning", env);
}

/** Whether `NCVSD_TUNING` lets the cache be used: not with `off`, `0`, `no` or `false`. */
export function tuningEnabled(env: NodeJS.ProcessEnv = process.env): boolean {
  return !/^(off|0|no|false)$/i.test(env.NCVSD_TUNING ?? "");
}

export function tuningFile(identity: TuningIdentity, folder: string = tuningFolder()): string {
  const name = identity.adapter.replace(/[^A-Za-z0-9]+/g, "-").replace(/^-|-$/g, "");
  const hash = createHash("sha256")
    .update(JSON.stringify(fieldsOf(identity)))
    .digest("hex");
  return join(folder, `${name.slice(0, 40).toLowerCase()}-${identity.precision}-${hash.slice(0, 12)}.json`);
}

/** The fields in one order, and nothing else. */
export function fieldsOf(identity: TuningIdentity): TuningIdentity {
  const { adapter, vendor, architecture, driver, engine, precision, matrices } = identity;
  return { adapter, vendor, architecture, driver, engine, precision, ...(matrices ? { matrices } : {}) };
}

/** The stored choices; undefined where there are none, or the file is not whole or not of this identity. */
export function readTuning(identity: TuningIdentity, folder: string = tuningFolder()): Tuning | undefined {
  const file = tuningFile(identity, folder);
  try {
    if (statSync(file).size > LARGEST_FILE) return undefined;
    const content = JSON.parse(readFileSync(file, "utf8")) as TuningFile;
    if (content.tool !== "ncvsd-gpu" || content.format !== 1) return undefined;
    if (JSON.stringify(fieldsOf(content.identity)) !== JSON.stringify(fieldsOf(identity))) return undefined;
    if (typeof content.choices !== "object" || Array.isArray(content.choices)) return undefined;
    const choices = Object.entries(content.choices);
    if (choices.length === 0 || choices.some(([, choice]) => typeof choice !== "string")) return undefined;
    return { choices: new Map(choices), file };
  } catch {
    return undefined;
  }
}

/** What a device of this identity is opened with: the stored choices, unless the user has switched them off. */
export function cachedTuning(identity: Omit<TuningIdentity, "engine">): Tuning | undefined {
  return tuningEnabled() ? readTuning({ ...identity, engine: ENGINE_VERSION }) : undefined;
}
