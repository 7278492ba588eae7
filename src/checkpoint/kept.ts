import type { Sink, Version } from "./download.js";

/** Files that were fetched once, by their addresses. */
export interface Keeper {
  /** The whole file under this address; undefined: it was never fetched, or not to its end. */
  find(url: URL): Promise<KeptFile | undefined>;
  /** A place for the file, with the bytes of an earlier attempt at the same version. */
  begin(url: URL, version: Version | undefined): Promise<Keeping>;
}

export interface KeptFile {
  readonly version: Version;
  readonly sha256: string | null;
  open(): Promise<Blob | { readonly path: string }>;
  forget(): Promise<void>;
}

export interface Keeping extends Sink {
  /** Makes what arrived the file under its address. */
  finish(version: Version, sha256: string | null): Promise<KeptFile>;
  /** Ends the attempt; what arrived stays for the next one where that is possible. */
  pause(): Promise<void>;
  discard(): Promise<void>;
}

/** What is fetched is kept in memory only. */
export const inMemory: Keeper = {
  find: () => Promise.resolve(undefined),
  begin: () => Promise.resolve(new InMemory()),
};

class InMemory implements Keeping {
  protected parts: Uint8Array[] = [];
  length = 0;

  async append(bytes: Uint8Array): Promise<void> {
    this.parts.push(bytes);
    this.length += bytes.length;
  }

  async restart(): Promise<void> {
    this.parts = [];
    this.length = 0;
  }

  async finish(version: Version, sha256: string | null): Promise<KeptFile> {
    const blob = new Blob(this.parts as Uint8Array<ArrayBuffer>[]);
    this.parts = [];
    return { version, sha256, open: () => Promise.resolve(blob), forget: () => Promise.resolve() };
  }

  async pause(): Promise<void> {
    await this.restart();
  }

  discard(): Promise<void> {
    return this.restart();
  }
}

const CACHE = "ncvsd-gpu-models";

/** Keeps files in a browser's Cache storage, where a page may use it (https, or localhost). */
export const inBrowser: Keeper = {
  async find(url) {
    const cache = await caches.open(CACHE);
    const answer = await cache.match(url.href);
    if (!answer) return undefined;
    const size = Number(answer.headers.get("X-Size"));
    return {
      version: { size, tag: answer.headers.get("X-Tag") },
      sha256: answer.headers.get("X-Sha256"),
      open: () => answer.blob(),
      async forget() {
        await cache.delete(url.href);
      },
    };
  },
  async begin(url) {
    return new InCache(url);
  },
};

class InCache extends InMemory {
  readonly #url: URL;

  constructor(url: URL) {
    super();
    this.#url = url;
  }

  override async finish(version: Version, sha256: string | null): Promise<KeptFile> {
    const kept = await super.finish(version, sha256);
    const blob = (await kept.open()) as Blob;
    const headers: Record<string, string> = { "X-Size": String(version.size) };
    if (version.tag !== null) headers["X-Tag"] = version.tag;
    if (sha256 !== null) headers["X-Sha256"] = sha256;
    try {
      const cache = await caches.open(CACHE);
      await cache.put(this.#url.href, new Response(blob, { headers }));
    } catch {
      // No room: the next visit fetches it again.
    }
    return kept;
  }
}
