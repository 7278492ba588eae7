import { NcvsdError } from "../errors.js";
import { bad, quote } from "./fail.js";

/** Where a checkpoint can come from: a path (Node), a file: or http(s): URL, bytes in memory, or a Blob/File. */
export type CheckpointInput = string | URL | Uint8Array | ArrayBuffer | Blob;

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

/**
 * Opens `input` for reading. Nothing but its size is read yet (a server that cannot serve ranges sends everything at once).
 * @throws NcvsdError BAD_CHECKPOINT if it does not exist, is no regular file, or cannot be read.
 */
export async function openSource(input: CheckpointInput): Promise<ByteSource> {
  if (input instanceof Uint8Array) return bytesSource("(bytes)", input);
  if (input instanceof ArrayBuffer) return bytesSource("(bytes)", new Uint8Array(input));
  if (typeof Blob === "function" && input instanceof Blob) return blobSource(input);
  if (typeof input !== "string" && !(input instanceof URL)) {
    throw new NcvsdError("BAD_ARGUMENT", "a checkpoint is a path, a URL, a Uint8Array, an ArrayBuffer or a Blob");
  }
  const url = asUrl(input);
  if (url === undefined) return fileSource(String(input), String(input));
  if (url.protocol === "http:" || url.protocol === "https:" || url.protocol === "blob:") return httpSource(url);
  if (url.protocol === "file:" && isNode) {
    const { fileURLToPath } = await import("node:url");
    let path: string;
    try {
      path = fileURLToPath(url);
    } catch (cause) {
      throw bad(`${quote(url.href)} is not a file URL of this system`, cause);
    }
    return fileSource(path, path);
  }
  throw bad(`${quote(url.protocol)} URLs cannot be read here: give a path or an http(s) URL`);
}

/** The file `name` beside `input`, or undefined if that has no place (bytes, a Blob). */
export async function besideInput(input: CheckpointInput, name: string): Promise<CheckpointInput | undefined> {
  if (typeof input !== "string" && !(input instanceof URL)) return undefined;
  const url = asUrl(input);
  if (url !== undefined) return url.protocol === "blob:" ? undefined : new URL(encodeURIComponent(name), url);
  const { dirname, join } = await import("node:path");
  return join(dirname(String(input)), name);
}

/** The URL that `input` stands for; undefined for a path. In a browser every string is a URL, relative to the page. */
function asUrl(input: string | URL): URL | undefined {
  if (input instanceof URL) return input;
  try {
    if (/^(https?|file|blob):/i.test(input)) return new URL(input);
    return isNode ? undefined : new URL(input, globalThis.location?.href);
  } catch (cause) {
    throw bad(`${quote(input)} is not a valid URL`, cause);
  }
}

function allocate(name: string, length: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(length);
  } catch (cause) {
    throw new NcvsdError("OUT_OF_MEMORY", `${quote(name)}: no memory for ${length} bytes in one piece`, { cause });
  }
}

function checkRange(source: { name: string; size: number }, offset: number, length: number): void {
  if (!(Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0)) {
    throw new NcvsdError("BAD_ARGUMENT", `cannot read ${length} bytes at ${offset}`);
  }
  if (offset + length > source.size) {
    throw bad(`${quote(source.name)}: bytes ${offset} to ${offset + length} are beyond its end at ${source.size}`);
  }
}

function bytesSource(name: string, bytes: Uint8Array): ByteSource {
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

function blobSource(blob: Blob): ByteSource {
  const name = "name" in blob && typeof blob.name === "string" ? blob.name : "(blob)";
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

async function fileSource(path: string, name: string): Promise<ByteSource> {
  const { open, stat } = await import("node:fs/promises");
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

async function httpSource(url: URL): Promise<ByteSource> {
  // Without query and fragment: signed addresses carry secrets there.
  const name = url.protocol === "blob:" ? url.href : url.origin + url.pathname;

  async function get(range?: string): Promise<Response> {
    try {
      return await fetch(url, range === undefined ? {} : { headers: { Range: range } });
    } catch (cause) {
      throw bad(`${quote(name)} cannot be fetched: check the address and the connection`, cause);
    }
  }
  async function body(response: Response): Promise<Uint8Array<ArrayBuffer>> {
    try {
      return new Uint8Array(await response.arrayBuffer());
    } catch (cause) {
      throw bad(`${quote(name)}: the connection broke while it was being fetched`, cause);
    }
  }
  const version = (response: Response) => response.headers.get("ETag") ?? response.headers.get("Last-Modified");
  const total = (response: Response) =>
    Number(/^bytes \d+-\d+\/(\d+)$/.exec(contentRange(response))?.[1] ?? Number.NaN);

  let first = await get("bytes=0-0");
  // 416: the file is empty. Otherwise a partial answer is usable only if it says how long the whole is.
  if (first.status === 416) return bytesSource(name, new Uint8Array(0));
  if (first.status === 206 && (!Number.isSafeInteger(total(first)) || first.headers.has("Content-Encoding"))) {
    await first.body?.cancel();
    first = await get();
  }
  if (!first.ok) throw bad(`${quote(name)} cannot be fetched: the server answered ${first.status} ${first.statusText}`);
  if (first.status !== 206) return bytesSource(name, await body(first));
  await first.body?.cancel();
  const size = total(first);
  const source = { name, size };
  return {
    ...source,
    async read(offset, length) {
      checkRange(source, offset, length);
      if (length === 0) return new Uint8Array(0);
      const response = await get(`bytes=${offset}-${offset + length - 1}`);
      if (response.status !== 206) {
        await response.body?.cancel();
        throw bad(`${quote(name)}: the server answered ${response.status} to a request for part of it`);
      }
      if (total(response) !== size || version(response) !== version(first)) {
        await response.body?.cancel();
        throw bad(`${quote(name)} was replaced on the server while it was being read: load it again`);
      }
      const bytes = await body(response);
      if (bytes.length !== length || !contentRange(response).startsWith(`bytes ${offset}-`)) {
        throw bad(`${quote(name)}: the server sent other bytes than were asked for`);
      }
      return bytes;
    },
    async close() {},
  };
}

function contentRange(response: Response): string {
  return response.headers.get("Content-Range") ?? "";
}
