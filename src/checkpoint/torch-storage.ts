import type { ByteSource } from "./byte-source.js";
import { SNIFF_BYTES, sniff } from "./sniff.js";
import { openTorchZip } from "./torch-storage-zip.js";
import { type Budget, PickleError } from "./unpickle/limits.js";
import { unpickle } from "./unpickle/machine.js";
import { readExactly, SliceSource } from "./unpickle/sources.js";
import { storageId } from "./unpickle/tensors.js";
import {
  DTYPE_BYTES,
  PyDict,
  PyGlobal,
  PyList,
  PyStorage,
  type PyStorageBlob,
  PyTuple,
  type PyValue,
} from "./unpickle/values.js";

/** First value of a legacy `torch.save` file. */
const MAGIC = 0x1950a86a20f9469cfc6cn;

/**
 * Reads whatever Python wrote into `source`: a plain pickle, or a file of `torch.save` in either container (a zip
 * archive, or the legacy sequence of five pickles and the raw storages). Storages are located, their data not read.
 */
export async function openPickleOrTorch(source: ByteSource, budget: Budget): Promise<PyValue> {
  const head = await readExactly(source, 0, Math.min(4, source.size));
  if (head[0] === 0x50 && head[1] === 0x4b) return openTorchZip(source, budget);
  // Anything else is named for what it looks like, where that is known.
  const looks = head[0] === 0x80 ? undefined : sniff(await readExactly(source, 0, Math.min(SNIFF_BYTES, source.size)));
  const text = new TextDecoder("latin1").decode(await readExactly(source, 0, Math.min(SNIFF_BYTES, source.size)));
  // Protocols 0 and 1, the defaults of Python 2, have no head: a dict, a list, a tuple or the name of a class.
  if (/^(\([dlit(IKSUVX]|[\]}]q|c[\w.]+\n\w+\n)/.test(text)) {
    throw new PickleError(
      "it looks like a pickle of protocol 0 or 1, which are not read: save it again with protocol 2 or higher",
    );
  }
  if (looks !== undefined) throw new PickleError(`it is no pickle: it ${looks}`);
  const first = await unpickle(source, 0, budget);
  return first.value === MAGIC ? openLegacy(source, first.end, budget) : first.value;
}

/** The storage behind a tensor; an embedded `torch.save` file is read once, however many tensors share it. */
export async function resolveStorage(storage: PyStorage | PyStorageBlob, budget: Budget): Promise<PyStorage> {
  if (storage instanceof PyStorage) return storage;
  storage.resolved ??= openBlob(storage, budget);
  return storage.resolved;
}

async function openBlob({ bytes }: PyStorageBlob, budget: Budget): Promise<PyStorage> {
  const value = await openPickleOrTorch(new SliceSource(bytes.source, bytes.offset, bytes.length), budget);
  if (!(value instanceof PyStorage)) throw new PickleError("a storage does not hold a storage");
  return value;
}

/** The legacy container, from its second pickle on: version, platform, object, keys; then each storage's length and data. */
async function openLegacy(source: ByteSource, start: number, budget: Budget): Promise<PyValue> {
  const version = await unpickle(source, start, budget);
  if (version.value !== 1001) throw new PickleError("a legacy torch.save file does not have version 1001");
  const platform = await unpickle(source, version.end, budget);
  if (platform.value instanceof PyDict && platform.value.get("little_endian") === false) {
    throw new PickleError("a legacy torch.save file comes from a big-endian machine");
  }

  const roots = new Map<string, PyStorage>();
  const views: { root: PyStorage; view: PyStorage; offset: number }[] = [];
  const object = await unpickle(source, platform.end, budget, (id) => {
    // The class of a module, with its source text beside it: only the name is of interest.
    if (id instanceof PyTuple && id.items[0] === "module") {
      const [, cls] = id.items;
      if (cls instanceof PyGlobal) return cls;
    }
    const { storage, key, view } = storageId(id);
    const root = roots.get(key) ?? storage;
    if (root.dtype !== storage.dtype) throw new PickleError("one storage is used with two element types");
    roots.set(key, root);
    if (view === null) return root;
    const [, offset, elements] = view instanceof PyTuple ? view.items : [];
    if (typeof offset !== "number" || typeof elements !== "number" || !(offset >= 0) || !(elements >= 0)) {
      throw new PickleError("the view of a storage has no range");
    }
    if (!(offset + elements <= root.elements)) throw new PickleError("the view of a storage reaches beyond it");
    const part = new PyStorage(root.dtype, elements, undefined);
    views.push({ root, view: part, offset });
    return part;
  });

  const keys = await unpickle(source, object.end, budget);
  if (!(keys.value instanceof PyList)) throw new PickleError("a legacy torch.save file has no list of storages");
  let at = keys.end;
  for (const key of keys.value.items) {
    const storage = typeof key === "string" ? roots.get(key) : undefined;
    if (!storage || storage.data)
      throw new PickleError("a legacy torch.save file lists a storage that it does not use");
    const head = await readExactly(source, at, 8);
    const elements = Number(new DataView(head.buffer, head.byteOffset, 8).getBigInt64(0, true));
    if (elements !== storage.elements) {
      throw new PickleError(`a storage of ${storage.elements} elements is stored with ${elements}`);
    }
    storage.data = { source, offset: at + 8 };
    at += 8 + elements * DTYPE_BYTES[storage.dtype];
    if (at > source.size) throw new PickleError(`it ends in the middle of a storage of ${elements} elements`);
  }
  for (const { root, view, offset } of views) {
    if (root.data) view.data = { source, offset: root.data.offset + offset * DTYPE_BYTES[root.dtype] };
  }
  return object.value;
}
