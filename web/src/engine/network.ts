/** Networks that were fetched once; the service worker keeps everything else. */
const CACHE = "ncvsd-desk-networks";

/** Without the part of its name that the build gives to each version. */
const plain = (url: string) => url.replace(/-[\w-]{8}\.safetensors$/, ".safetensors");

/** Does it begin as a network's file does? A sign-in page of a network or a server's error may come as an answer, too. */
async function isNetwork(file: Blob): Promise<boolean> {
  const head = new DataView(await file.slice(0, 9).arrayBuffer());
  if (head.byteLength < 9) return false;
  return head.getBigUint64(0, true) < BigInt(file.size) && head.getUint8(8) === "{".charCodeAt(0);
}

/** Versions that were kept before this one. */
async function forgetOthers(cache: Cache, url: string): Promise<void> {
  const keys = await cache.keys();
  const old = keys.filter((key) => key.url !== url && plain(key.url) === plain(url));
  await Promise.all(old.map((key) => cache.delete(key)));
}

/**
 * A network's file: kept from an earlier visit, or fetched whole in one request.
 * @param onBytes bytes there, bytes in all; not called for what is kept
 * @throws an error of code "DOWNLOAD" that says what to do
 */
export async function network(url: URL, onBytes: (bytes: number, total: number) => void): Promise<File> {
  const name = plain(url.pathname.split("/").at(-1)!);
  const cache = typeof caches === "object" ? await caches.open(CACHE).catch(() => undefined) : undefined;
  const kept = await (await cache?.match(url.href))?.blob();
  if (kept && (await isNetwork(kept))) return new File([kept], name);
  // The service worker would answer with it again.
  if (kept) await cache?.delete(url.href);
  const response = await fetch(url).catch(() => undefined);
  if (!response?.ok || !response.body) throw failed(response);
  const total = Number(response.headers.get("content-length"));
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let bytes = 0;
  try {
    for (const reader = response.body.getReader(); ; ) {
      const { done, value } = await reader.read();
      if (done) break;
      parts.push(value);
      bytes += value.length;
      onBytes(bytes, Math.max(total, bytes));
    }
  } catch {
    throw failed(undefined);
  }
  const file = new File(parts, name);
  if (!(await isNetwork(file))) throw failed(undefined, "what came is no network");
  // Without room it is fetched again the next time.
  await cache
    ?.put(url.href, new Response(file))
    .then(() => forgetOthers(cache, url.href))
    .catch(() => {});
  return file;
}

function failed(response: Response | undefined, what = "the connection broke"): Error {
  const why = response ? `the server answered ${response.status}` : what;
  return Object.assign(new Error(`The network could not be fetched: ${why}.`), { code: "DOWNLOAD" });
}
