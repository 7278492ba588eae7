import type { ByteSource } from "./byte-source.js";
import type { Checkpoint, TensorInfo } from "./checkpoint.js";
import type { FetchOptions } from "./download.js";
import { bad, quote } from "./fail.js";
import { hashOf } from "./hash.js";
import { type Header, readHeader, type StoredTensor } from "./header.js";
import { bareName, networkPrefixes } from "./prefixes.js";
import type { OpenedShards } from "./shards.js";
import { isPickled, SNIFF_BYTES } from "./sniff.js";
import { type CheckpointInput, openSource } from "./source.js";
import { checkedValues, readValues, requireFloats } from "./values.js";

/**
 * Opens one `.safetensors` file, a set of shards through their `*.safetensors.index.json`, or a pickled network of the reference
 * (read as data, nothing in it is executed), and checks all of it except the tensor values. Close it when the weights are read.
 * @param options.ofAnyKind take a pickled network of any kind, and its tensors as they are
 * @throws NcvsdError BAD_CHECKPOINT: what is wrong, in which file, with which tensor.
 */
export async function openCheckpoint(
  input: CheckpointInput,
  options: FetchOptions & { readonly ofAnyKind?: boolean } = {},
): Promise<Checkpoint> {
  const source = await openSource(input, options);
  try {
    if (source.name.endsWith(".json")) {
      const { openShards } = await import("./shards.js");
      const shards = await openShards(source, input, { ...options, sha256: undefined });
      await source.close();
      return checkpointOf(source.name, shards);
    }
    if (isPickled(await source.read(0, Math.min(source.size, SNIFF_BYTES)))) {
      return await (await import("./pickled.js")).openPickled(source, options.ofAnyKind);
    }
    return checkpointOf(source.name, singleFile(source, await readHeader(source)));
  } catch (error) {
    await source.close();
    throw error;
  }
}

function singleFile(source: ByteSource, header: Header): OpenedShards {
  const tensors = new Map(header.tensors.map((tensor) => [tensor.name, { tensor, source }]));
  return { sources: [source], metadata: header.metadata, tensors };
}

/** Names as the network has them: without what wrappers put in, and without a prefix that all of them have. */
function withoutPrefixes(stored: OpenedShards["tensors"]): OpenedShards["tensors"] {
  const bare = new Map([...stored].map(([name, value]) => [bareName(name), value]));
  // Two copies of one tensor: whoever reads them has to see both.
  if (bare.size < stored.size) return stored;
  const [only, ...more] = networkPrefixes(bare.keys());
  const prefix = more.length === 0 ? (only?.prefix ?? "") : "";
  if (prefix === "" || ![...bare.keys()].every((name) => name.startsWith(prefix))) return bare;
  return new Map([...bare].map(([name, value]) => [name.slice(prefix.length), value]));
}

function checkpointOf(name: string, { sources, metadata, tensors: stored }: OpenedShards): Checkpoint {
  const tensors = withoutPrefixes(stored);
  const infos = new Map<string, TensorInfo>();
  for (const [key, { tensor, source }] of tensors) {
    const { dtype, shape, byteLength } = tensor;
    infos.set(key, { name: key, dtype, shape, byteLength, file: source.name });
  }
  let digest: Promise<string> | undefined;

  function locate(tensorName: string): { tensor: StoredTensor; source: ByteSource } {
    const found = tensors.get(tensorName);
    if (found === undefined) throw bad(`${quote(name)} has no tensor ${quote(tensorName)}`);
    return found;
  }

  return {
    name,
    metadata: Object.freeze(nullPrototype(metadata)),
    tensors: infos,
    async readBytes(tensorName) {
      const { tensor, source } = locate(tensorName);
      return source.read(tensor.offset, tensor.byteLength);
    },
    async readF32(tensorName, options = {}) {
      const { tensor, source } = locate(tensorName);
      requireFloats(source.name, tensor);
      const values = await readValues(source, tensor);
      return checkedValues(source.name, tensor, values, options);
    },
    sha256() {
      digest ??= hashOf(sources);
      return digest;
    },
    async close() {
      await Promise.all(sources.map((source) => source.close()));
    },
  };
}

/** A plain record without a prototype, so that a key such as `__proto__` or `toString` is only ever what the file says. */
function nullPrototype(map: ReadonlyMap<string, string>): Record<string, string> {
  const record: Record<string, string> = Object.create(null);
  for (const [key, value] of map) record[key] = value;
  return record;
}
