import { node } from "../node/modules.js";
import { type ByteSource, blobSource, bytesSource, checkRange, fileSource, isNode } from "./byte-source.js";
import { download, type FetchOptions, refuse, request, sameVersion, type Version, versionOf } from "./download.js";
import { bad, quote } from "./fail.js";
import { hashOf } from "./hash.js";
import { hubHeaders } from "./hub.js";
import { inBrowser, inMemory, type Keeper, type KeptFile } from "./kept.js";

/** The first request asks for so much: all of a small file, and the header of most large ones. */
const HEAD_BYTES = 2 ** 20;

/** Downloads that are under way in this process: whoever wants the same file waits for the same one. */
const underWay = new Map<string, Promise<KeptFile>>();

/** The folder in which Node keeps what it fetched; NCVSD_MODELS names another, "off" none. */
async function keeper(): Promise<Keeper> {
  if (!isNode) return typeof caches === "object" ? inBrowser : inMemory;
  const folder = await modelsFolder();
  return folder === undefined ? inMemory : (await import("./kept-folder.js")).inFolder(folder);
}

/** Undefined: nothing is to be kept. Node only. */
export async function modelsFolder(): Promise<string | undefined> {
  const { join } = await node.path();
  const { homedir } = await node.os();
  const { NCVSD_MODELS, XDG_CACHE_HOME } = process.env;
  if (/^(off|0|no|false)$/i.test(NCVSD_MODELS ?? "")) return undefined;
  return NCVSD_MODELS || join(XDG_CACHE_HOME || join(homedir(), ".cache"), "ncvsd-gpu", "models");
}

/**
 * A file behind an http(s) address. Its first mebibyte is fetched at once, with the first request; whoever reads beyond it has the
 * whole file fetched, in one stream, and kept for the next time: in Node in the user's cache folder, in a browser in its Cache
 * storage. What is kept is used without being fetched again while the server says that it is the same, or cannot be reached.
 * @throws NcvsdError BAD_CHECKPOINT when it cannot be had, or is not what `sha256` says
 */
export async function openRemote(url: URL, name: string, options: FetchOptions): Promise<ByteSource> {
  const { signal, sha256 } = options;
  const offline = options.offline ?? (isNode && /^(1|on|yes|true)$/i.test(process.env.NCVSD_OFFLINE ?? ""));
  const kept = await keeper();
  const known = await kept.find(url);
  if (known && sha256 !== undefined && known.sha256 === sha256.toLowerCase()) return sourceOf(known, name);
  if (offline) {
    if (known) return checked(known, name, sha256);
    throw bad(`${quote(name)} is not kept on this machine: fetch it once without --offline`);
  }

  const headers = hubHeaders(url);
  const length = known ? 1 : HEAD_BYTES;
  let first: Response;
  try {
    // Where there is something to fall back on, nobody waits for a server that does not answer.
    const init = { headers: { ...headers, Range: `bytes=0-${length - 1}` }, signal: signal ?? null };
    first = await request(url, name, init, known ? 1 : undefined);
  } catch (cause) {
    signal?.throwIfAborted();
    if (known) return checked(known, name, sha256);
    throw cause;
  }
  // 416: an empty file has no first byte.
  if (first.status === 416) return bytesSource(name, new Uint8Array(0));
  refuse(name, first);
  const version = versionOf(first);
  if (known && version && sameVersion(known.version, version)) {
    await first.body?.cancel();
    return checked(known, name, sha256);
  }
  await known?.forget();

  const whole = (parts: Begun) => fetchWhole(kept, url, name, version, parts, options);
  if (known || first.status !== 206 || !version) {
    // All that the server sends, or the first byte of a version that takes the place of the one that was kept.
    if (first.status === 200) return sourceOf(await whole({ response: first }), name);
    await first.body?.cancel();
    return sourceOf(await whole({}), name);
  }
  const head = new Uint8Array(
    await first.arrayBuffer().catch((cause) => {
      throw bad(`${quote(name)}: the connection broke while it was being fetched`, cause);
    }),
  );
  if (!first.headers.get("Content-Range")?.startsWith("bytes 0-") || head.length !== Math.min(length, version.size))
    throw bad(`${quote(name)}: the server sent other bytes than were asked for`);

  let opened: Promise<ByteSource> | undefined;
  const open = () => {
    opened ??= whole({ head }).then((file) => sourceOf(file, name));
    return opened;
  };
  // A small file is there already, and is kept at once.
  if (head.length === version.size || sha256 !== undefined) return open();
  const source = { name, size: version.size };
  return {
    ...source,
    async read(offset, wanted) {
      checkRange(source, offset, wanted);
      if (!opened && offset + wanted <= head.length) return head.slice(offset, offset + wanted);
      return (await open()).read(offset, wanted);
    },
    async close() {
      await (await opened?.catch(() => undefined))?.close();
    },
  };
}

/** What has been fetched of a file before all of it is asked for. */
interface Begun {
  readonly head?: Uint8Array;
  readonly response?: Response;
}

type Fetched = readonly [
  kept: Keeper,
  url: URL,
  name: string,
  version: Version | undefined,
  begun: Begun,
  options: FetchOptions,
];

function fetchWhole(...args: Fetched): Promise<KeptFile> {
  const { href } = args[1];
  const running = underWay.get(href);
  if (running) return running;
  const started = fetchOnce(...args).finally(() => underWay.delete(href));
  underWay.set(href, started);
  return started;
}

async function fetchOnce(...[kept, url, name, version, { head, response }, options]: Fetched): Promise<KeptFile> {
  const place = await kept.begin(url, version);
  try {
    if (head && place.length < head.length) {
      if (place.length > 0) await place.restart();
      await place.append(head);
      options.onBytes?.(head.length, version!.size);
    }
    const done = await download(url, name, place, version, hubHeaders(url), options, response);
    const file = await place.finish(done, options.sha256?.toLowerCase() ?? null);
    if (head && !sameVersion(done, version!))
      throw bad(`${quote(name)} was replaced on the server while it was being read: load it again`);
    return options.sha256 === undefined ? file : await proven(file, name, options.sha256);
  } catch (cause) {
    await place.pause();
    throw cause;
  }
}

const checked = async (file: KeptFile, name: string, sha256: string | undefined): Promise<ByteSource> =>
  sourceOf(sha256 === undefined ? file : await proven(file, name, sha256), name);

/** @throws NcvsdError BAD_CHECKPOINT, and forgets the file, when it is another one */
async function proven(file: KeptFile, name: string, sha256: string): Promise<KeptFile> {
  const source = await sourceOf(file, name);
  const found = await hashOf([source]).finally(() => source.close());
  if (found === sha256.toLowerCase()) return file;
  await file.forget();
  throw bad(
    `${quote(name)} has the SHA-256 ${found} where ${sha256.toLowerCase()} is expected: it is another file, or was changed on its way`,
  );
}

async function sourceOf(file: KeptFile, name: string): Promise<ByteSource> {
  const found = await file.open();
  return "path" in found ? fileSource(found.path, name) : blobSource(found, name);
}
