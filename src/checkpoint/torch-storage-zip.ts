import type { ByteSource } from "./byte-source.js";
import { type Budget, PickleError } from "./unpickle/limits.js";
import { unpickle } from "./unpickle/machine.js";
import { readExactly } from "./unpickle/sources.js";
import { storageId } from "./unpickle/tensors.js";
import { DTYPE_BYTES, type PyStorage, type PyValue } from "./unpickle/values.js";
import { ZipArchive } from "./zip.js";

/**
 * Reads a `torch.save` zip archive: `<name>/data.pkl`, whose persistent ids name the members `<name>/data/<key>`. torch
 * stores its members as they are; archives that were packed again with compression are read too.
 */
export async function openTorchZip(source: ByteSource, budget: Budget): Promise<PyValue> {
  const archive = await ZipArchive.open(source);
  const pickle = [...archive.names].find((name) => /^(.*\/)?data\.pkl$/.test(name));
  if (pickle === undefined) throw new PickleError("it is a zip archive, but not one of torch.save (no data.pkl)");
  const folder = pickle.slice(0, -"data.pkl".length);

  const order = archive.member(`${folder}byteorder`);
  if (order) {
    const text = await readExactly(order, 0, Math.min(order.size, 16));
    if (new TextDecoder().decode(text).trim() !== "little") {
      throw new PickleError("its storages come from a big-endian machine");
    }
  }

  const storages = new Map<string, PyStorage>();
  const { value } = await unpickle(archive.member(pickle)!, 0, budget, (id) => {
    const { storage, key } = storageId(id);
    const known = storages.get(key);
    if (known && known.dtype !== storage.dtype) throw new PickleError("one storage is used with two element types");
    if (!known) storages.set(key, storage);
    return known ?? storage;
  });

  for (const [key, storage] of storages) {
    const member = archive.member(`${folder}data/${key}`);
    if (!member) throw new PickleError("a storage is missing in the archive");
    if (storage.elements * DTYPE_BYTES[storage.dtype] > member.size) {
      throw new PickleError(`a storage of ${storage.elements} elements has only ${member.size} bytes in the archive`);
    }
    storage.data = { source: member, offset: 0 };
  }
  // All of them: damage beside the network that is taken is a reason not to trust the file either.
  await archive.verify();
  return value;
}
