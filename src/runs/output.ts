import { createHash } from "node:crypto";
import { createReadStream, existsSync, readFileSync, rmdirSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { bad, type NcvsdError } from "../errors.js";
import { decodePng, peekPngText } from "../image/png.js";
import { isFolder, makeFolders, reason, sweep, tryFolder } from "./whole-file.js";

/** An output folder that is there and can be written to. */
export interface Outdir {
  dir: string;
  /** Takes back the folders that were made for this run while nothing is in them (call it when the run fails). */
  discardIfEmpty(): void;
}

function outdirRefusal(dir: string, cause: unknown): NcvsdError {
  const what = existsSync(dir) ? "written to" : "made";
  // The folder above is there: it is a file system such as /proc that says so.
  const missing = (cause as NodeJS.ErrnoException).code === "ENOENT";
  const why = missing ? "its file system takes no new folders" : reason(cause);
  return bad(`the output folder ${dir} cannot be ${what}: ${why}`, cause);
}

/**
 * Tells of an output folder that cannot be made or written to without making it: to ask before work that takes long.
 * @throws NcvsdError BAD_ARGUMENT, as `prepareOutdir`.
 */
export function checkOutdir(dir: string): void {
  if (dir === "") throw bad("the output folder has an empty name");
  if (existsSync(dir) && !isFolder(dir)) throw bad(`the output folder ${dir} is a file: name a folder`);
  try {
    tryFolder(dir);
  } catch (cause) {
    throw outdirRefusal(dir, cause);
  }
}

/**
 * Makes the output folder (with its parents), tries that it can be written to, and sweeps up what a killed run left half-written.
 * @throws NcvsdError BAD_ARGUMENT when it is a file, or cannot be made or written to.
 */
export function prepareOutdir(dir: string): Outdir {
  checkOutdir(dir);
  const made: string[] = [];
  const discardIfEmpty = () => {
    try {
      for (const folder of made.splice(0).reverse()) rmdirSync(folder);
    } catch {
      // Something is in it: it stays.
    }
  };
  try {
    makeFolders(resolve(dir), made);
    tryFolder(dir);
  } catch (cause) {
    const refusal = outdirRefusal(dir, cause);
    discardIfEmpty();
    throw refusal;
  }
  sweep(dir);
  return { dir, discardIfEmpty };
}

const sixDigits = (n: number) => String(n).padStart(6, "0");

/** `000012.png`; with subfolders of a thousand seeds `000000/000012.png`, as the reference names them. Relative to the folder. */
export function imageName(seed: number, subdirs = false): string {
  const name = `${sixDigits(seed)}.png`;
  return subdirs ? join(sixDigits(Math.floor(seed / 1000) * 1000), name) : name;
}

/** SHA-256 of a file, in hex, read piece by piece; of several (shards), that of the lines "hash  name" in order of name. */
export async function checkpointSha256(paths: readonly string[]): Promise<string> {
  const lines: string[] = [];
  for (const path of [...paths].sort()) {
    const hash = createHash("sha256");
    for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(piece as Uint8Array);
    const digest = hash.digest("hex");
    if (paths.length === 1) return digest;
    lines.push(`${digest}  ${basename(path)}\n`);
  }
  return createHash("sha256").update(lines.join("")).digest("hex");
}

/** Which seeds need not be made again. */
export interface Done {
  kept: number[];
  /** In the order of `seeds`. */
  redo: number[];
}

/**
 * Looks which images are there, whole (every checksum right, the pixels unpack) and made with the same options from the same
 * checkpoint. Others of this tool, of other options or damaged, are to be overwritten.
 * @param force make all anew and overwrite whatever file has an image's name
 * @throws NcvsdError BAD_ARGUMENT when a file of such a name is not this tool's (unless `force`), or is a folder.
 */
export function alreadyDone(
  dir: string,
  seeds: readonly number[],
  key: string,
  { subdirs = false, force = false } = {},
): Done {
  const done: Done = { kept: [], redo: [] };
  for (const seed of seeds) {
    const path = join(dir, imageName(seed, subdirs));
    const bytes = readIfThere(path);
    // A file system may leave an empty file behind a crash; nobody loses it.
    if (!bytes?.length || force) done.redo.push(seed);
    else if (peekPngText(bytes)["ncvsd-gpu:run-key"] === undefined) {
      throw bad(
        `${path} is there and was not made by ncvsd-gpu: move it away, choose another folder, or overwrite it with --force`,
      );
    } else if (isWhole(bytes, seed, key)) done.kept.push(seed);
    else done.redo.push(seed);
  }
  return done;
}

function readIfThere(path: string): Uint8Array | undefined {
  try {
    return readFileSync(path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw bad(`${path} is there but cannot be read: ${reason(cause)}`, cause);
  }
}

function isWhole(bytes: Uint8Array, seed: number, key: string): boolean {
  try {
    const { text } = decodePng(bytes);
    return text["ncvsd-gpu:run-key"] === key && text["ncvsd-gpu:seed"] === String(seed);
  } catch {
    return false;
  }
}
