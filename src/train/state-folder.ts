import { isNode } from "../checkpoint/byte-source.js";
import { bad } from "../errors.js";
import { node } from "../node/modules.js";

type Fs = typeof import("node:fs");

/** The one file that says which generation of the others is the state. */
const HEAD = "state.json";
const GENERATION = /^state-\d{10,}(-2)?$/;
/** Far more than any run's settings take. */
const LARGEST_HEAD = 2 ** 22;

/**
 * The folder of a training's state. A generation of its files is a folder of its own, `state-IMAGES`; `state.json` names the one
 * that counts. It is replaced, by a rename, when all files of the new generation are on the disk, and only then the old one is
 * removed: whenever the process is killed, the folder holds the old state or the new one. Calls are synchronous, so that no
 * signal handler of the process runs in between. One process at a time may write.
 */
export class StateFolder {
  readonly path: string;
  readonly #fs: Fs;
  readonly #join: (...parts: string[]) => string;

  private constructor(path: string, fs: Fs, join: (...parts: string[]) => string) {
    this.path = path;
    this.#fs = fs;
    this.#join = join;
  }

  /** Node alone has files. */
  static async at(path: string): Promise<StateFolder> {
    if (!isNode) throw bad("a training's state is written to files, which only Node has.");
    if (typeof path !== "string" || path === "") throw bad("the state of a training needs the path of a folder.");
    const [fs, { join }] = [await node.fs(), await node.path()];
    return new StateFolder(path, fs, join);
  }

  /** Path of a file of a generation. */
  file(generation: string, name: string): string {
    return this.#join(this.path, generation, name);
  }

  /** What state.json says; undefined: it is not there. @throws BAD_ARGUMENT when it cannot be read */
  head(): string | undefined {
    const path = this.#join(this.path, HEAD);
    if (!this.#fs.existsSync(path)) return undefined;
    try {
      const { size } = this.#fs.statSync(path);
      if (size > LARGEST_HEAD) throw new Error(`it has ${size} bytes`);
      return this.#fs.readFileSync(path, "utf8");
    } catch (cause) {
      throw bad(`${path} cannot be read: ${(cause as Error).message}`, cause);
    }
  }

  /** Begins a generation. @param current the one that counts now */
  begin(images: number, current: string | undefined): Generation {
    const name = `state-${String(images).padStart(10, "0")}`;
    const own = name === current ? `${name}-2` : name;
    const dir = this.#join(this.path, own);
    return this.#attempt(dir, () => {
      // What a killed run left unfinished.
      this.#fs.rmSync(dir, { recursive: true, force: true });
      this.#makeFolders(dir);
      return {
        name: own,
        write: (file, bytes) => this.#write(this.#join(dir, file), bytes),
        finish: (head) => this.#finish(own, head),
        discard: () => this.#remove(own),
      };
    });
  }

  #finish(name: string, head: string): void {
    const path = this.#join(this.path, HEAD);
    this.#attempt(path, () => {
      this.#sync(this.#join(this.path, name));
      this.#sync(this.path);
      this.#write(`${path}.new`, new TextEncoder().encode(head));
      this.#fs.renameSync(`${path}.new`, path);
      this.#sync(this.path);
    });
    // May not throw: the new state counts, and would be discarded.
    this.sweep(name);
  }

  /** Removes the generations that do not count. @param current the one that does */
  sweep(current: string | undefined): void {
    for (const other of this.#generations()) if (other !== current) this.#remove(other);
  }

  #generations(): string[] {
    try {
      return this.#fs.readdirSync(this.path).filter((name) => GENERATION.test(name));
    } catch {
      return [];
    }
  }

  /** A generation that does not count. */
  #remove(name: string): void {
    try {
      this.#fs.rmSync(this.#join(this.path, name), { recursive: true, force: true });
    } catch {
      // The next save tries again.
    }
  }

  #write(path: string, bytes: Uint8Array): void {
    const fs = this.#fs;
    this.#attempt(path, () => {
      const fd = fs.openSync(path, "w");
      try {
        // One call may write less than it was given.
        for (let at = 0; at < bytes.length; ) at += fs.writeSync(fd, bytes, at);
        fs.fsyncSync(fd);
      } finally {
        fs.closeSync(fd);
      }
    });
  }

  /** Not mkdir's own recursion, which in Node 20 tries for ever where a parent cannot be made (/proc). */
  #makeFolders(dir: string): void {
    const fs = this.#fs;
    if (fs.existsSync(dir)) return;
    const parent = this.#join(dir, "..");
    if (parent !== dir) this.#makeFolders(parent);
    fs.mkdirSync(dir);
    this.#sync(parent);
  }

  /** A rename lasts when its folder is written out. Windows and some file systems cannot open folders. */
  #sync(folder: string): void {
    let fd: number | undefined;
    try {
      fd = this.#fs.openSync(folder, "r");
      this.#fs.fsyncSync(fd);
    } catch {
    } finally {
      if (fd !== undefined) this.#fs.closeSync(fd);
    }
  }

  #attempt<T>(path: string, action: () => T): T {
    try {
      return action();
    } catch (cause) {
      if ((cause as { code?: string }).code === "BAD_ARGUMENT") throw cause;
      throw bad(`${path} cannot be written: ${(cause as Error).message}; the state before is as it was`, cause);
    }
  }
}

/** The files of one state, under way. */
export interface Generation {
  readonly name: string;
  write(file: string, bytes: Uint8Array): void;
  /** From here on this is the state. */
  finish(head: string): void;
  /** Instead of finishing it: a disk that is full gets its room back. */
  discard(): void;
}

/** Whether `name` can be a generation's: it comes from a file. */
export const isGeneration = (name: unknown): name is string => typeof name === "string" && GENERATION.test(name);
