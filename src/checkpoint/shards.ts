import type { ByteSource } from "./byte-source.js";
import type { FetchOptions } from "./download.js";
import { bad, quote } from "./fail.js";
import { MAX_HEADER_BYTES, MAX_TENSORS, readHeader, type StoredTensor } from "./header.js";
import { type JsonValue, parseJson } from "./json.js";
import { besideInput, type CheckpointInput, openSource } from "./source.js";

/** Most shards of one checkpoint: they are all open at once, and a process may have 1024 files open. */
const MAX_SHARDS = 512;

/** One or more open safetensors files seen as one set of tensors. */
export interface OpenedShards {
  /** In the order in which the index first names them. */
  readonly sources: readonly ByteSource[];
  readonly metadata: ReadonlyMap<string, string>;
  readonly tensors: ReadonlyMap<string, { readonly tensor: StoredTensor; readonly source: ByteSource }>;
}

/**
 * Opens all shards of a Hugging Face style index `{"metadata": {...}, "weight_map": {tensor: file}}`; the files lie beside it.
 * Metadata are those of the shards together with the strings in the index's own; they must not disagree.
 * @throws NcvsdError BAD_CHECKPOINT if the index and the shards do not fit each other exactly.
 */
export async function openShards(
  index: ByteSource,
  input: CheckpointInput,
  options: FetchOptions = {},
): Promise<OpenedShards> {
  const { weightMap, own } = await readIndex(index);
  const files = [...new Set(weightMap.values())];
  if (files.length === 0) throw bad(`${quote(index.name)}: its weight_map is empty`);
  if (files.length > MAX_SHARDS)
    throw bad(`${quote(index.name)} names ${files.length} shards; the limit is ${MAX_SHARDS}`);

  const sources: ByteSource[] = [];
  const metadata = new Map(own);
  const tensors = new Map<string, { tensor: StoredTensor; source: ByteSource }>();
  try {
    for (const file of files) {
      const path = await besideInput(input, file);
      if (path === undefined) {
        throw bad(
          `${quote(index.name)} is an index given as bytes, so its shards cannot be found: give its path or URL`,
        );
      }
      const source = await openSource(path, options).catch((cause: Error) => {
        throw bad(`${quote(index.name)} names the shard ${quote(file)}, but ${cause.message}`, cause);
      });
      sources.push(source);
      const header = await readHeader(source);
      for (const [key, value] of header.metadata) {
        if (metadata.has(key) && metadata.get(key) !== value) {
          throw bad(
            `${quote(source.name)}: its metadata ${quote(key)} differs from that of the index or the shards before`,
          );
        }
        metadata.set(key, value);
      }
      for (const tensor of header.tensors) {
        const other = tensors.get(tensor.name);
        if (other !== undefined) {
          throw bad(
            `tensor ${quote(tensor.name)} is in two shards, ${quote(other.source.name)} and ${quote(source.name)}: the files do not belong together`,
          );
        }
        const named = weightMap.get(tensor.name);
        if (named !== file) {
          const says = named === undefined ? "does not name it" : `places it in ${quote(named)}`;
          throw bad(`${quote(source.name)} holds the tensor ${quote(tensor.name)}, but ${quote(index.name)} ${says}`);
        }
        tensors.set(tensor.name, { tensor, source });
      }
    }
    for (const [name, file] of weightMap) {
      if (!tensors.has(name)) {
        throw bad(
          `${quote(index.name)} places tensor ${quote(name)} in the shard ${quote(file)}, which does not have it`,
        );
      }
    }
  } catch (error) {
    await Promise.all(sources.map((source) => source.close()));
    throw error;
  }
  return { sources, metadata, tensors };
}

async function readIndex(
  source: ByteSource,
): Promise<{ weightMap: ReadonlyMap<string, string>; own: ReadonlyMap<string, string> }> {
  const file = quote(source.name);
  // The index names the tensors that the headers name, so their bound is its bound.
  if (source.size > MAX_HEADER_BYTES)
    throw bad(`${file} has ${source.size} bytes; an index may have ${MAX_HEADER_BYTES}`);
  let root: JsonValue;
  try {
    root = parseJson(new TextDecoder("utf-8", { fatal: true }).decode(await source.read(0, source.size)));
  } catch (cause) {
    throw bad(`${file} is not a valid index: ${(cause as Error).message}`, cause);
  }
  const map = root instanceof Map ? root.get("weight_map") : undefined;
  if (!(root instanceof Map) || !(map instanceof Map)) {
    throw bad(`${file} is not the index of a sharded checkpoint: it has no "weight_map"`);
  }
  if (map.size > MAX_TENSORS) throw bad(`${file} lists ${map.size} tensors; the limit is ${MAX_TENSORS}`);
  for (const [name, shard] of map) {
    // Beside the index and nowhere else: an index must not be able to make a program read other files.
    if (typeof shard !== "string" || !/^[^/\\:\0]+\.safetensors$/.test(shard)) {
      throw bad(`${file}: the shard of tensor ${quote(name)} is not the plain name of a .safetensors file`);
    }
  }
  const own = new Map<string, string>();
  const metadata = root.get("metadata");
  if (metadata instanceof Map) {
    for (const [key, value] of metadata) if (typeof value === "string") own.set(key, value);
  }
  return { weightMap: map as Map<string, string>, own };
}
