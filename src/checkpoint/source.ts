import { NcvsdError } from "../errors.js";
import { node } from "../node/modules.js";
import { isHubAddress, isRepository } from "./addresses.js";
import { type ByteSource, blobSource, bytesSource, fileSource, isNode } from "./byte-source.js";
import type { FetchOptions } from "./download.js";
import { bad, quote } from "./fail.js";
import { hashOf } from "./hash.js";

/**
 * Where a checkpoint can come from: a path (Node), a file: or http(s): URL, `hf://owner/repo/file` of a hub, bytes in memory, or a
 * Blob/File.
 */
export type CheckpointInput = string | URL | Uint8Array | ArrayBuffer | Blob;

/** Imported when a file is behind an address: whoever has its bytes needs neither. */
const afar = () => import("./remote.js");
const hub = () => import("./hub.js");

/**
 * Opens `input` for reading. Of a file nothing but its size is read yet; of an address its first mebibyte.
 * @throws NcvsdError BAD_CHECKPOINT if it does not exist, is no regular file, or cannot be read.
 */
export async function openSource(input: CheckpointInput, options: FetchOptions = {}): Promise<ByteSource> {
  const address = await remoteAddress(input, options);
  if (address !== undefined) return (await afar()).openRemote(address.url, address.name, options);
  const source = await openHere(input);
  const wanted = options.sha256?.toLowerCase();
  const found = wanted === undefined ? undefined : await hashOf([source]);
  if (found === wanted) return source;
  await source.close();
  throw bad(`${quote(source.name)} has the SHA-256 ${found} where ${wanted} is expected: it is another file`);
}

/** What is behind an address; undefined: it is here. */
async function remoteAddress(
  input: CheckpointInput,
  options: FetchOptions,
): Promise<{ url: URL; name: string } | undefined> {
  if (typeof input !== "string" && !(input instanceof URL)) return undefined;
  const address = await hubAddress(input);
  if (address !== undefined) return (await hub()).hubFile(address, options);
  const url = asUrl(input);
  // Without query and fragment: signed addresses carry secrets there.
  return url && /^https?:$/.test(url.protocol) ? { url, name: url.origin + url.pathname } : undefined;
}

async function openHere(input: CheckpointInput): Promise<ByteSource> {
  if (input instanceof Uint8Array) return bytesSource("(bytes)", input);
  if (input instanceof ArrayBuffer) return bytesSource("(bytes)", new Uint8Array(input));
  if (typeof Blob === "function" && input instanceof Blob) {
    return blobSource(input, "name" in input && typeof input.name === "string" ? input.name : "(blob)");
  }
  if (typeof input !== "string" && !(input instanceof URL)) {
    throw new NcvsdError(
      "BAD_ARGUMENT",
      "a checkpoint is a path, a URL, hf://owner/repo/file, a Uint8Array, an ArrayBuffer or a Blob",
    );
  }
  const url = asUrl(input);
  if (url === undefined) return fileSource(String(input), String(input));
  if (url.protocol === "blob:") return blobSource(await fetched(url), url.href);
  if (url.protocol === "file:" && isNode) {
    const { fileURLToPath } = await node.url();
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

/** `hf://…`, also for "owner/repo" where there is no such file; undefined: something else. */
async function hubAddress(input: string | URL): Promise<string | undefined> {
  const text = String(input);
  if (isHubAddress(text)) return text;
  if (!isNode || input instanceof URL || !isRepository(text)) return undefined;
  const { existsSync } = await node.fs();
  return existsSync(text) ? undefined : `hf://${text}`;
}

async function fetched(url: URL): Promise<Blob> {
  try {
    return await (await fetch(url)).blob();
  } catch (cause) {
    throw bad(`${quote(url.href)} cannot be read any more: choose the file again`, cause);
  }
}

/** The file `name` beside `input`, or undefined if that has no place (bytes, a Blob). */
export async function besideInput(input: CheckpointInput, name: string): Promise<CheckpointInput | undefined> {
  if (typeof input !== "string" && !(input instanceof URL)) return undefined;
  const address = await hubAddress(input);
  const url = address === undefined ? asUrl(input) : (await (await hub()).hubFile(address)).url;
  if (url !== undefined) return url.protocol === "blob:" ? undefined : new URL(encodeURIComponent(name), url);
  const { dirname, join } = await node.path();
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
