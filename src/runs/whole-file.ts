import { createHash, randomBytes } from "node:crypto";
import {
  closeSync,
  type Dirent,
  existsSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { hostname } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { bad } from "../errors.js";

/** Why the file system refused, in words. */
export const reason = (error: unknown) => {
  const { code, message } = error as NodeJS.ErrnoException;
  const known: Record<string, string> = {
    EACCES: "permission denied",
    EPERM: "permission denied",
    EROFS: "the file system is read-only",
    ENOSPC: "the disk is full",
    EDQUOT: "the disk quota is used up",
    ENOTDIR: "a part of the path is a file",
    EEXIST: "a part of the path is a file",
    EISDIR: "it is a folder",
    ENOENT: "the folder is not there",
    ENAMETOOLONG: "the name is too long",
  };
  return (code && known[code]) ?? code ?? message;
};

/** False also where the way there leads through a file. */
export const isFolder = (path: string) => existsSync(path) && statSync(path).isDirectory();

/**
 * Makes a folder and its parents, and notes in `made` those that were not there, outermost first. Not mkdir's own recursion:
 * where the system answers "not there" for a parent that is there (/proc), Node 20 tries for ever.
 */
export function makeFolders(dir: string, made: string[] = []): void {
  if (existsSync(dir)) return;
  makeFolders(dirname(dir), made);
  try {
    mkdirSync(dir);
    made.push(dir);
    syncFolder(dirname(dir));
  } catch (error) {
    // Another run may have made it meanwhile.
    if (!isFolder(dir)) throw error;
  }
}

/**
 * Who writes: a process id means nothing on another machine, after a restart, or in another container, where every process
 * may be number 1; and one that was used before means another process. So: machine, process, and when that process began.
 */
const MACHINE = machine();
export const WRITER = `${MACHINE}-${process.pid}-${startOf(process.pid) ?? 0}`;
const TEMPORARY = /^\..*\.([0-9a-f]{8}-\d+-\d+)-[0-9a-f]{12}\.ncvsd-tmp$/;
/** A file of another machine, or of a version that did not tell its machine, is left over when it is this old. */
const FOREIGN_HOURS = 24;

function machine(): string {
  const facts = [hostname()];
  for (const read of [
    () => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(),
    () => readlinkSync("/proc/self/ns/pid"),
  ]) {
    try {
      facts.push(read());
    } catch {
      // No Linux: the name of the machine has to do.
    }
  }
  return createHash("sha256").update(facts.join("\n")).digest("hex").slice(0, 8);
}

/**
 * When a process began, in clock ticks after the start of the system; undefined where nobody tells. One that has ended and waits
 * for its parent to ask (in a container perhaps for ever) began never.
 */
function startOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The program's name, in brackets, may hold anything.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return /^[ZX]/.test(fields[0]!) ? -1 : Number(fields[19]);
  } catch {
    return undefined;
  }
}

/** Name of a file half-written: hidden, beside its place, with its writer and what nobody can foretell. */
export function temporaryName(path: string): string {
  const name = [...basename(path)].slice(0, 40).join("");
  return join(dirname(path), `.${name}.${WRITER}-${randomBytes(6).toString("hex")}.ncvsd-tmp`);
}

/** Whether a half-written file has nobody any more who could finish it. */
function isLeftOver(path: string, name: string): boolean {
  const gone = isWriterGone(TEMPORARY.exec(name)?.[1] ?? "");
  return gone ?? Date.now() - lstatSync(path).mtimeMs > FOREIGN_HOURS * 3_600_000;
}

/** Whether a process (as `WRITER` names it) has ended; undefined for one of another machine, of which nothing is known here. */
export function isWriterGone(writer: string): boolean | undefined {
  const [from, pid, start] = writer.split("-");
  if (from !== MACHINE) return undefined;
  const now = startOf(Number(pid));
  return now === undefined ? !isRunning(Number(pid)) : now !== Number(start);
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Removes half-written files of a folder (and of its folders of a thousand seeds) whose writer is gone. */
export function sweep(dir: string): void {
  let entries: Dirent[] = [];
  try {
    entries = readdirSync(dir, { withFileTypes: true });
  } catch {
    // A folder that cannot be listed can still be written to.
  }
  for (const entry of entries) {
    const path = join(dir, entry.name);
    if (entry.isDirectory() && /^\d{6,}$/.test(entry.name)) sweep(path);
    if (!entry.name.startsWith(".") || !entry.name.endsWith(".ncvsd-tmp")) continue;
    try {
      if (!entry.isDirectory() && isLeftOver(path, entry.name)) rmSync(path);
    } catch {
      // Another run swept it first, or it is not ours to remove: it disturbs nobody.
    }
  }
}

/** Folders that this process has swept: once is enough. */
const swept = new Set<string>();

function sweepOnce(dir: string): void {
  const folder = resolve(dir);
  if (swept.has(folder)) return;
  swept.add(folder);
  sweep(folder);
}

/**
 * A file of which only nothing or all is ever there under its name, also after a loss of power: written beside its place under
 * a name of its own (never through a link that lies there), flushed, renamed, and the folder flushed. Everything is synchronous:
 * no signal handler of this process runs in between.
 * @throws NcvsdError BAD_ARGUMENT from each method, when the file cannot be written; nothing is left then.
 */
export class WholeFile {
  readonly #path: string;
  readonly #temporary: string;
  #fd: number | undefined;

  /** Makes the folders on the way, and sweeps up what killed runs left beside it. */
  constructor(path: string) {
    this.#path = path;
    this.#temporary = temporaryName(path);
    refuseSpecial(path);
    this.#attempt(() => {
      const folder = dirname(resolve(path));
      makeFolders(folder);
      sweepOnce(folder);
      this.#fd = openSync(this.#temporary, "wx");
    });
  }

  write(bytes: Uint8Array): void {
    this.#attempt(() => {
      // One call may write less than it was given.
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd!, bytes, at);
    });
  }

  /** Gives the file its name. @param flushed false: whoever writes many files flushes their folder himself, once */
  finish(flushed = true): void {
    this.#attempt(() => {
      fsyncSync(this.#fd!);
      this.#close();
      renameSync(this.#temporary, this.#path);
      if (flushed) syncFolder(dirname(resolve(this.#path)));
    });
  }

  /** Leaves nothing behind. Safe to call twice. */
  discard(): void {
    try {
      this.#close();
      rmSync(this.#temporary, { force: true });
    } catch {
      // It is on the way out already: what led here is the thing to tell.
    }
  }

  #close(): void {
    const fd = this.#fd;
    this.#fd = undefined;
    if (fd !== undefined) closeSync(fd);
  }

  #attempt(action: () => void): void {
    try {
      action();
    } catch (cause) {
      this.discard();
      throw bad(`${this.#path} cannot be written: ${reason(cause)}`, cause);
    }
  }
}

/** A rename lasts when its folder is written out. Windows and some file systems cannot open folders. */
export function syncFolder(folder: string): void {
  let fd: number | undefined;
  try {
    fd = openSync(folder, "r");
    fsyncSync(fd);
  } catch {
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** A rename would put a file in the place of a device or a pipe. */
function refuseSpecial(path: string): void {
  if (isFolder(path)) throw bad(`${path} cannot be written: it is a folder`);
  if (existsSync(path) && !statSync(path).isFile())
    throw bad(`${path} cannot be written: it is a device or a pipe, name a file`);
}

/** Writes a whole file at once. @param flushed as of `WholeFile.finish` @throws NcvsdError BAD_ARGUMENT when it cannot be written. */
export function writeAtomic(path: string, content: Uint8Array | string, flushed = true): void {
  const file = new WholeFile(path);
  file.write(typeof content === "string" ? new TextEncoder().encode(content) : content);
  file.finish(flushed);
}

/** Tries that a file can be made in a folder; of one that is not there, in the nearest above that is. */
export function tryFolder(folder: string): void {
  let there = resolve(folder);
  while (!existsSync(there)) there = dirname(there);
  sweepOnce(there);
  const path = temporaryName(join(there, "probe"));
  closeSync(openSync(path, "wx"));
  rmSync(path);
}

/**
 * Tries that a file could be written, and leaves nothing behind: so that a run does not work for hours towards an output that
 * is refused at its end.
 * @throws NcvsdError BAD_ARGUMENT when it is a folder or a device, or cannot be written.
 */
export function checkWritable(path: string): void {
  refuseSpecial(path);
  try {
    tryFolder(dirname(resolve(path)));
  } catch (cause) {
    throw bad(`${path} cannot be written: ${reason(cause)}`, cause);
  }
}
