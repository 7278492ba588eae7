import { NcvsdError } from "../errors.js";
import { bad, quote } from "./fail.js";

/** What a caller may say of a file that is fetched. */
export interface FetchOptions {
  /** Stops the download; what has arrived is kept where there is a cache. The call rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Bytes there, bytes in all. */
  readonly onBytes?: ((done: number, total: number) => void) | undefined;
  /** SHA-256 that the file must have, in hexadecimal. */
  readonly sha256?: string | undefined;
  /** Use what is kept on this machine and ask no server. */
  readonly offline?: boolean | undefined;
}

/** What tells one version of a file on a server from another. */
export interface Version {
  readonly size: number;
  /** ETag or Last-Modified; null: the server says neither. */
  readonly tag: string | null;
}

/** Where the bytes of a download go, in order. */
export interface Sink {
  /** Bytes that are there already. */
  readonly length: number;
  append(bytes: Uint8Array): Promise<void>;
  /** Throws away what is there. */
  restart(): Promise<void>;
}

/** Attempts without a single new byte before giving up, the first wait between them, and the longest that a server may ask for. */
const ATTEMPTS = 5;
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 30_000;
/** A connection that sends nothing for so long is taken for cut. */
const STALL_MS = 30_000;

const BUSY = new Set([408, 425, 429, 500, 502, 503, 504]);

/** The version that an answer (whole, or a part of the whole) belongs to; undefined: it does not say how long the whole is. */
export function versionOf(response: Response): Version | undefined {
  const { headers, status } = response;
  const range = /^bytes (?:\d+-\d+|\*)\/(\d+)$/.exec(headers.get("Content-Range") ?? "")?.[1];
  const length = status === 206 || status === 416 ? range : headers.get("Content-Length");
  // The length of packed bytes is not that of the file.
  const size = length === null || headers.has("Content-Encoding") ? Number.NaN : Number(length);
  return Number.isSafeInteger(size) ? { size, tag: headers.get("ETag") ?? headers.get("Last-Modified") } : undefined;
}

export const sameVersion = (a: Version, b: Version): boolean => a.size === b.size && a.tag === b.tag;

/**
 * One request, repeated with growing waits while the server is busy or the connection fails.
 * @throws NcvsdError BAD_CHECKPOINT when it stays so, or the server refuses
 */
export async function request(url: URL, name: string, init: RequestInit, attempts = ATTEMPTS): Promise<Response> {
  for (let attempt = 1; ; attempt++) {
    const response = await fetch(url, init).catch((cause) => {
      init.signal?.throwIfAborted();
      if (attempt >= attempts)
        throw bad(`${quote(name)} cannot be fetched: check the address and the connection`, cause);
      return undefined;
    });
    if (response && !BUSY.has(response.status)) return response;
    await response?.body?.cancel();
    if (response && attempt >= attempts) return response;
    await pause(waitOf(response, attempt), init.signal ?? undefined);
  }
}

/** @throws NcvsdError BAD_CHECKPOINT for an answer that is no file */
export function refuse(name: string, response: Response): void {
  const { status, statusText } = response;
  if (response.ok) return;
  const why: Record<number, string> = {
    401: ": it needs a token (HF_TOKEN for a hub)",
    403: ": it needs a permission that you have not got",
    404: ": check the address",
  };
  throw bad(
    `${quote(name)} cannot be fetched: the server answered ${status} ${statusText}${why[status] ?? ""}`.trimEnd(),
  );
}

/**
 * Fetches all of a file in one stream. A connection that is cut is taken up where it stopped (by a range request, and only if the
 * server still has the same version); otherwise it begins anew.
 * @param begun the answer to a request for all of it, if there was one already
 * @returns the version that is there
 * @throws NcvsdError BAD_CHECKPOINT; the signal's reason when it stops
 */
export async function download(
  url: URL,
  name: string,
  sink: Sink,
  known: Version | undefined,
  headers: HeadersInit,
  { signal, onBytes }: FetchOptions,
  begun?: Response,
): Promise<Version> {
  let version = known;
  let answer = begun;
  for (let fruitless = 0; ; ) {
    const before = sink.length;
    if (version && before === version.size) return version;
    const resumed = version?.tag != null && before > 0;
    if (!resumed && before > 0) await sink.restart();
    const stall = new Stall(signal);
    try {
      const more = resumed ? { Range: `bytes=${before}-`, "If-Range": version!.tag! } : {};
      const response = answer ?? (await request(url, name, { headers: { ...headers, ...more }, signal: stall.signal }));
      answer = undefined;
      refuse(name, response);
      const found = versionOf(response);
      const continues =
        resumed &&
        response.status === 206 &&
        found !== undefined &&
        sameVersion(found, version!) &&
        response.headers.get("Content-Range")?.startsWith(`bytes ${before}-`);
      if (!continues && sink.length > 0) await sink.restart();
      if (!continues && response.status === 206) {
        await response.body?.cancel();
        throw new Cut("the server sent another part than was asked for");
      }
      version = found ?? { size: Number.NaN, tag: null };
      await receive(response, sink, version, stall, onBytes);
      if (Number.isNaN(version.size)) return { ...version, size: sink.length };
      if (sink.length === version.size) return version;
      if (sink.length > version.size) {
        await sink.restart();
        throw new Cut("the server sent more bytes than it said");
      }
      throw new Cut("the connection ended early");
    } catch (cause) {
      signal?.throwIfAborted();
      if (cause instanceof NcvsdError) throw cause;
      fruitless = sink.length > before ? 0 : fruitless + 1;
      if (fruitless >= ATTEMPTS)
        throw bad(
          `${quote(name)}: the connection broke ${ATTEMPTS} times at byte ${sink.length}: try again later`,
          cause,
        );
      await pause(waitOf(undefined, fruitless + 1), signal);
    } finally {
      stall.end();
    }
  }
}

/** Something that another attempt may mend. */
class Cut extends Error {}

async function receive(
  response: Response,
  sink: Sink,
  version: Version,
  stall: Stall,
  onBytes: FetchOptions["onBytes"],
): Promise<void> {
  const reader = response.body!.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    stall.alive();
    await sink.append(value);
    onBytes?.(sink.length, version.size);
    if (sink.length > version.size) {
      await reader.cancel();
      return;
    }
  }
}

/** Ends an attempt when nothing arrives any more, or the caller wishes. */
class Stall {
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #stop = () => this.#controller.abort(this.#outer?.reason);

  constructor(outer: AbortSignal | undefined) {
    this.#outer = outer;
    outer?.throwIfAborted();
    outer?.addEventListener("abort", this.#stop);
    this.alive();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  alive(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#controller.abort(new Cut("nothing arrived for a while")), STALL_MS);
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#outer?.removeEventListener("abort", this.#stop);
  }
}

function waitOf(response: Response | undefined, attempt: number): number {
  const asked = 1000 * Number(response?.headers.get("Retry-After") ?? Number.NaN);
  return asked >= 0 ? Math.min(asked, LONGEST_WAIT_MS) : FIRST_WAIT_MS * 2 ** (attempt - 1);
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    const stop = () => {
      clearTimeout(timer);
      reject(signal!.reason);
    };
    signal?.addEventListener("abort", stop, { once: true });
  });
}
