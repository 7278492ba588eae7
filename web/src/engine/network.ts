/** Networks that were fetched once; the service worker keeps everything else. */
const CACHE = "ncvsd-desk-networks";

/**
 * A network's file: kept from an earlier visit, or fetched whole in one request.
 * @param onBytes bytes there, bytes in all; not called for what is kept
 * @throws an error of code "DOWNLOAD" that says what to do
 */
export async function network(url: URL, onBytes: (bytes: number, total: number) => void): Promise<File> {
  const name = url.pathname
    .split("/")
    .at(-1)!
    .replace(/-[\w-]{8}\.safetensors$/, ".safetensors");
  const cache = typeof caches === "object" ? await caches.open(CACHE).catch(() => undefined) : undefined;
  const kept = await cache?.match(url.href);
  if (kept) return new File([await kept.blob()], name);
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
  // Without room it is fetched again the next time.
  await cache?.put(url.href, new Response(file)).catch(() => {});
  return file;
}

function failed(response: Response | undefined): Error {
  const why = response ? `the server answered ${response.status}` : "the connection broke";
  return Object.assign(new Error(`The network could not be fetched: ${why}.`), { code: "DOWNLOAD" });
}
