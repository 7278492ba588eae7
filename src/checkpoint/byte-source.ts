import { NcvsdError } from "../errors.js";
import { node } from "../node/modules.js";
import { bad, quote } from "./fail.js";

/** Random access to the bytes of one file. */
export interface ByteSource {
  /** How messages call it: the path as given, the URL without its query, or a File's name. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Exactly `length` bytes from `offset`, in fresh memory of the caller's own. */
  read(offset: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** One read call; operating systems stop at 2 GiB, and smaller pieces cost nothing. */
const FILE_CHUNK = 64 * 2 ** 20;

/** True in Node (and what imitates it); everywhere else nothing of `node:` is ever imported. */
export const isNode: boolean =
  typeof process === "object" && typeof process.versions === "object" && typeof process.versions.node === "string";

function allocate(name: string, length: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(length);
  } catch (cause) {
    throw new NcvsdError("OUT_OF_MEMORY", `${quote(name)}: no memory for ${length} bytes in one piece`, { cause });
  }
}

export function checkRange(source: { name: string; size: number }, offset: number, length: number): void {
  if (!(Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0)) {
    throw new NcvsdError("BAD_ARGUMENT", `cannot read ${length} bytes at ${offset}`);
  }
  if (offset + length > source.size) {
    throw bad(`${quote(source.name)}: bytes ${offset} to ${offset + length} are beyond its end at ${source.size}`);
  }
}

export function bytesSource(name: string, bytes: Uint8Array): ByteSource {
  const source = { name, size: bytes.length };
  return {
    ...source,
    async read(offset, length) {
      checkRange(source, offset, length);
      const out = allocate(name, length);
      out.set(bytes.subarray(offset, offset + length));
      return out;
    },
    async close() {},
  };
}

export function blobSource(blob: Blob, name: string): ByteSource {
  const source = { name, size: blob.size };
  return {
    ...source,
    async read(offset, length) {
      checkRange(source, offset, length);
      try {
        return new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer());
      } catch (cause) {
        throw bad(`${quote(name)} cannot be read any more: choose the file again`, cause);
      }
    },
    async close() {},
  };
}

export async function fileSource(path: string, name: string): Promise<ByteSource> {
  const { open, stat } = await node.files();
  let size: number;
  let handle: Awaited<ReturnType<typeof open>>;
  try {
    // Before opening: opening a named pipe would wait for a writer.
    const info = await stat(path);
    if (info.isDirectory()) throw bad(`${quote(name)} is a folder: give the .safetensors file in it`);
    if (!info.isFile()) throw bad(`${quote(name)} is not a regular file`);
    size = info.size;
    handle = await open(path, "r");
  } catch (cause) {
    if (cause instanceof NcvsdError) throw cause;
    throw bad(`${quote(name)} ${whyNot(cause)}`, cause);
  }
  const source = { name, size };
  return {
    ...source,
    async read(offset, length) {
      checkRange(source, offset, length);
      const out = allocate(name, length);
      for (let done = 0; done < length; ) {
        const want = Math.min(length - done, FILE_CHUNK);
        let got: number;
        try {
          got = (await handle.read(out, done, want, offset + done)).bytesRead;
        } catch (cause) {
          throw bad(`${quote(name)} ${whyNot(cause)}`, cause);
        }
        if (got === 0) throw bad(`${quote(name)} became shorter while it was being read`);
        done += got;
      }
      return out;
    },
    async close() {
      await handle.close();
    },
  };
}

function whyNot(cause: unknown): string {
  const code = (cause as { code?: unknown } | null)?.code;
  if (code === "ENOENT" || code === "ENOTDIR") return "does not exist: check the path";
  if (code === "EACCES" || code === "EPERM") return "cannot be read: permission denied";
  return `cannot be read (${typeof code === "string" ? code : String(cause)})`;
}
