import { readFile, stat } from "node:fs/promises";
import { extname, join } from "node:path";
import { crc32 } from "node:zlib";
import { openSource } from "../checkpoint/index.js";
import { ZipArchive } from "../checkpoint/zip.js";
import { bad, NcvsdError } from "../errors.js";
import { listFolder, unreadable } from "./folder.js";

/** Files of a folder or of a zip archive, by their paths in it. */
export interface FileTree {
  /** As it was given. */
  readonly path: string;
  /** Those with a wished ending, in order; parted by "/", in one Unicode form. Hidden ones are passed over. */
  readonly names: readonly string[];
  /** What looks like a picture and is not read, in a sentence; undefined: nothing does. */
  readonly left: string | undefined;
  /** What to call a file in a message. */
  where(name: string): string;
  /** A whole file, at most `limit` bytes; undefined: there is none of this name. */
  read(name: string, limit?: number): Promise<Uint8Array | undefined>;
  /** What tells a file from another without reading it: its length, in an archive its CRC-32, too. */
  mark(name: string): Promise<string>;
  /** Length and CRC-32 of a file, from the archive's directory where it has them. */
  checksum(name: string): Promise<{ size: number; crc: number }>;
  close(): Promise<void>;
}

/** ImageNet has 1.3 million pictures, and the directory takes some 80 bytes for each. */
const ZIP_LIMITS = { entries: 5_000_000, directoryBytes: 2 ** 29, again: true };
/** A picture's file. */
const LARGEST_FILE = 2 ** 28;

/**
 * @param endings with their dots, in lower case
 * @throws BAD_ARGUMENT naming the path when it is neither, cannot be read, or is damaged
 */
export async function openTree(path: string, endings: readonly string[]): Promise<FileTree> {
  const info = await stat(path).catch((cause) => {
    throw unreadable(path, cause);
  });
  if (info.isDirectory()) return folderTree(path, endings);
  if (!info.isFile()) throw bad(`${path} is a pipe or a device: name a folder or a zip archive`);
  return zipTree(path, endings);
}

const inOrder = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

function tooLarge(where: string, size: number, limit: number): void {
  if (size > limit) throw bad(`${where} has ${size} bytes: more than ${limit} are not read`);
}

function folderTree(path: string, endings: readonly string[]): FileTree {
  const { files, left } = listFolder(path, endings, true);
  const paths = new Map(files.map((file) => [file.name + extname(file.path).normalize("NFC"), file.path]));
  const read = async (name: string, limit = LARGEST_FILE) => {
    const file = paths.get(name) ?? join(path, name);
    try {
      const info = await stat(file);
      // Opening a named pipe would wait for a writer.
      if (!info.isFile()) throw bad(`${file} is no regular file`);
      tooLarge(file, info.size, limit);
      return await readFile(file);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === "ENOENT" && !paths.has(name)) return undefined;
      throw unreadable(file, cause);
    }
  };
  return {
    path,
    names: [...paths.keys()].sort(inOrder),
    left,
    where: (name) => paths.get(name) ?? join(path, name),
    read,
    async mark(name) {
      const file = paths.get(name)!;
      return `${(await stat(file).catch((cause) => Promise.reject(unreadable(file, cause)))).size}`;
    },
    async checksum(name) {
      const bytes = (await read(name))!;
      return { size: bytes.length, crc: crc32(bytes) };
    },
    close: async () => {},
  };
}

async function zipTree(path: string, endings: readonly string[]): Promise<FileTree> {
  const where = (name: string) => `${path}: ${name}`;
  const said = async <T>(what: string, action: () => Promise<T>): Promise<T> => {
    try {
      return await action();
    } catch (cause) {
      // What the archive says of itself begins with "it", "its" or "the member".
      throw cause instanceof NcvsdError && cause.code === "BAD_ARGUMENT"
        ? cause
        : bad(`${what} cannot be read: ${(cause as Error).message}`, cause);
    }
  };
  const source = await said(path, () => openSource(path));
  try {
    const start = await said(path, () => source.read(0, Math.min(2, source.size)));
    if (start[0] !== 0x50 || start[1] !== 0x4b) throw bad(`${path} is neither a folder nor a zip archive`);
    const archive = await said(path, () => ZipArchive.open(source, ZIP_LIMITS));
    const stored = new Map<string, string>();
    for (const name of archive.names) {
      const normal = name.normalize("NFC");
      const hidden = normal.split("/").some((part) => part.startsWith(".") || part === "__MACOSX");
      if (!hidden && endings.includes(extname(normal).toLowerCase())) stored.set(normal, name);
    }
    const read = (name: string, limit = LARGEST_FILE) =>
      said(where(name), async () => {
        const member = archive.member(stored.get(name) ?? name);
        if (!member) return undefined;
        tooLarge(where(name), member.size, limit);
        return member.read(0, member.size);
      });
    return {
      path,
      names: [...stored.keys()].sort(inOrder),
      left: undefined,
      where,
      read,
      async mark(name) {
        const own = stored.get(name)!;
        return `${archive.member(own)!.size} ${archive.checksum(own)}`;
      },
      async checksum(name) {
        const crc = archive.checksum(stored.get(name) ?? name);
        const { size } = archive.member(stored.get(name) ?? name)!;
        return { size, crc: crc === 0 && size > 0 ? crc32((await read(name))!) : crc };
      },
      close: () => source.close(),
    };
  } catch (error) {
    await source.close();
    throw error;
  }
}
