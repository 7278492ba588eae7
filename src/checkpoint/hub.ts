import { NETWORK } from "./addresses.js";
import { type FetchOptions, refuse, request } from "./download.js";
import { bad, quote } from "./fail.js";

/** "hf://owner/repo@revision/folder/file"; the revision (default main) and the file may be left out. */
const ADDRESS = /^hf:\/\/([\w.-]+)\/([\w.-]+?)(?:@([^/]+))?(?:\/(.+))?$/;
const SHARD = /-\d{5}-of-\d{5}\.safetensors$/;

const environment = (name: string): string | undefined =>
  typeof process === "object" ? (process.env?.[name] ?? undefined) : undefined;

/** The hub's own address; HF_ENDPOINT names another (a mirror). */
const endpoint = (): string => (environment("HF_ENDPOINT") || "https://huggingface.co").replace(/\/+$/, "");

/** What a server of the hub has to be told: who asks, if HF_TOKEN says so. Nobody else is told. */
export function hubHeaders(url: URL): Record<string, string> {
  const token = environment("HF_TOKEN");
  return token && url.origin === new URL(endpoint()).origin ? { Authorization: `Bearer ${token}` } : {};
}

/** A file of a hub: where it is, and how messages call it. */
export interface HubFile {
  readonly url: URL;
  readonly name: string;
}

/**
 * Finds `hf://owner/repo/file`. Without a file: of the only network in the repository (a safetensors file or index before a
 * pickle).
 * @throws NcvsdError BAD_CHECKPOINT when it is no such address, there is no such repository, or it holds several networks
 */
export async function hubFile(address: string, options: FetchOptions = {}): Promise<HubFile> {
  const [, owner, repository, revision = "main", file] = ADDRESS.exec(address) ?? [];
  if (!owner || !repository) throw bad(`${quote(address)} is no address of a hub: hf://owner/repository/file is one`);
  const path = file ?? (await onlyNetwork(`${owner}/${repository}`, revision, options));
  const encoded = [owner, repository, "resolve", revision, ...path.split("/")].map(encodeURIComponent);
  const name = file ? address : `${address}/${path}`;
  return { url: new URL(`${endpoint()}/${encoded.join("/")}`), name };
}

async function onlyNetwork(repository: string, revision: string, { signal, offline }: FetchOptions): Promise<string> {
  const address = `hf://${repository}`;
  if (offline) throw bad(`${quote(address)} names no file, and no server may be asked which it holds: name the file`);
  const url = new URL(`${endpoint()}/api/models/${repository}/revision/${encodeURIComponent(revision)}`);
  const response = await request(url, address, { headers: hubHeaders(url), signal: signal ?? null });
  refuse(address, response);
  const listing: unknown = await response.json().catch((cause) => {
    throw bad(`${quote(address)}: the hub's list of files cannot be read`, cause);
  });
  const siblings = (listing as { siblings?: unknown })?.siblings;
  const names = (Array.isArray(siblings) ? siblings : [])
    .map((entry: { rfilename?: unknown }) => entry?.rfilename)
    .filter((name): name is string => typeof name === "string" && NETWORK.test(name) && !SHARD.test(name));
  const tensors = names.filter((name) => /\.safetensors/.test(name));
  const candidates = tensors.length > 0 ? tensors : names;
  if (candidates.length === 1) return candidates[0]!;
  const which = candidates.slice(0, 6).map((name) => `${address}/${name}`);
  throw bad(
    candidates.length === 0
      ? `${quote(address)} holds no .safetensors and no .pkl`
      : `${quote(address)} holds ${candidates.length} networks: name one, such as ${which.join(", ")}`,
  );
}
