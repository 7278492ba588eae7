import type { ByteSource } from "./source.js";
import { type Budget, LIMITS, PickleError } from "./unpickle/limits.js";
import { unpickle } from "./unpickle/machine.js";
import { readExactly, SliceSource } from "./unpickle/sources.js";
import { storageId } from "./unpickle/tensors.js";
import { DTYPE_BYTES, type PyStorage, type PyValue } from "./unpickle/values.js";

/** A member of a zip archive that is stored as it is. */
interface Entry {
  readonly name: string;
  readonly size: number;
  readonly header: number;
}

const END = 0x06054b50;
const END64 = 0x06064b50;
const END64_LOCATOR = 0x07064b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
const IN_ZIP64 = 0xffffffff;

/**
 * Reads a `torch.save` zip archive: `<name>/data.pkl`, whose persistent ids name the members `<name>/data/<key>`.
 * torch stores members without compression, so that nothing here can expand: compressed members are refused.
 */
export async function openTorchZip(source: ByteSource, budget: Budget): Promise<PyValue> {
  const entries = await readDirectory(source);
  const pickle = [...entries.keys()].find((name) => /^[^/]+\/data\.pkl$/.test(name));
  if (pickle === undefined) throw new PickleError("it is a zip archive, but not one of torch.save (no data.pkl)");
  const folder = pickle.slice(0, pickle.indexOf("/"));

  const order = entries.get(`${folder}/byteorder`);
  if (order) {
    const text = await readExactly(source, await dataOffset(source, order), Math.min(order.size, 16));
    if (new TextDecoder().decode(text).trim() !== "little") {
      throw new PickleError("its storages come from a big-endian machine");
    }
  }

  const storages = new Map<string, PyStorage>();
  const data = entries.get(pickle)!;
  const offset = await dataOffset(source, data);
  const { value } = await unpickle(new SliceSource(source, offset, data.size), 0, budget, (id) => {
    const { storage, key } = storageId(id);
    const known = storages.get(key);
    if (known && known.dtype !== storage.dtype) throw new PickleError("one storage is used with two element types");
    if (!known) storages.set(key, storage);
    return known ?? storage;
  });

  for (const [key, storage] of storages) {
    const entry = entries.get(`${folder}/data/${key}`);
    if (!entry) throw new PickleError("a storage is missing in the archive");
    if (storage.elements * DTYPE_BYTES[storage.dtype] > entry.size) {
      throw new PickleError(`a storage of ${storage.elements} elements has only ${entry.size} bytes in the archive`);
    }
    storage.data = { source, offset: await dataOffset(source, entry) };
  }
  return value;
}

/** The members of the archive, from its central directory. */
async function readDirectory(source: ByteSource): Promise<Map<string, Entry>> {
  const { count, size, offset } = await findDirectory(source);
  if (count > LIMITS.zipEntries || size > LIMITS.zipDirectoryBytes) {
    throw new PickleError(`its archive has ${count} members; ${LIMITS.zipEntries} is the limit`);
  }
  const bytes = await readExactly(source, offset, size);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries = new Map<string, Entry>();
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + 46 > size || view.getUint32(at, true) !== CENTRAL)
      throw new PickleError("its archive's directory is damaged");
    const flags = view.getUint16(at + 8, true);
    const method = view.getUint16(at + 10, true);
    const nameLength = view.getUint16(at + 28, true);
    const extraLength = view.getUint16(at + 30, true);
    const end = at + 46 + nameLength + extraLength + view.getUint16(at + 32, true);
    if (end > size) throw new PickleError("its archive's directory is damaged");
    const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameLength));
    const extra = new DataView(bytes.buffer, bytes.byteOffset + at + 46 + nameLength, extraLength);
    const fields = [view.getUint32(at + 24, true), view.getUint32(at + 20, true), view.getUint32(at + 42, true)];
    const [plain, packed, header] = zip64Fields(fields, extra) as [number, number, number];
    if (method !== 0 || plain !== packed)
      throw new PickleError("its archive is compressed, which torch.save never does");
    if (flags & 1) throw new PickleError("its archive is encrypted");
    if (entries.has(name)) throw new PickleError("its archive has two members of one name");
    entries.set(name, { name, size: plain, header });
    at = end;
  }
  return entries;
}

/** Replaces the fields that do not fit 32 bits by those of the zip64 extra field, which lists just them, in this order. */
function zip64Fields(fields: readonly number[], extra: DataView): number[] {
  if (!fields.includes(IN_ZIP64)) return [...fields];
  for (let at = 0; at + 4 <= extra.byteLength; at += 4 + extra.getUint16(at + 2, true)) {
    if (extra.getUint16(at, true) !== 1) continue;
    const end = Math.min(extra.byteLength, at + 4 + extra.getUint16(at + 2, true));
    let next = at + 4;
    return fields.map((field) => {
      if (field !== IN_ZIP64) return field;
      if (next + 8 > end) throw new PickleError("its archive's directory is damaged");
      next += 8;
      return Number(extra.getBigUint64(next - 8, true));
    });
  }
  throw new PickleError("its archive's directory is damaged");
}

async function findDirectory(source: ByteSource): Promise<{ count: number; size: number; offset: number }> {
  // The end record is 22 bytes and a comment of at most 65,535; torch writes no comment.
  const length = Math.min(source.size, 22 + 0xffff);
  const start = source.size - length;
  const tail = await readExactly(source, start, length);
  const view = new DataView(tail.buffer, tail.byteOffset, tail.byteLength);
  for (let at = length - 22; at >= 0; at--) {
    if (view.getUint32(at, true) !== END) continue;
    const found = {
      count: view.getUint16(at + 10, true),
      size: view.getUint32(at + 12, true),
      offset: view.getUint32(at + 16, true),
    };
    const zip64 = at >= 20 && view.getUint32(at - 20, true) === END64_LOCATOR;
    return zip64 ? readEnd64(source, Number(view.getBigUint64(at - 12, true))) : found;
  }
  throw new PickleError("its archive has no directory: the file may be cut short");
}

async function readEnd64(source: ByteSource, at: number): Promise<{ count: number; size: number; offset: number }> {
  const bytes = await readExactly(source, at, 56);
  const view = new DataView(bytes.buffer, bytes.byteOffset, 56);
  if (view.getUint32(0, true) !== END64) throw new PickleError("its archive's directory is damaged");
  const field = (offset: number) => Number(view.getBigUint64(offset, true));
  return { count: field(32), size: field(40), offset: field(48) };
}

/** Where the data of a member start: its local header has a name and extra field of its own lengths. */
async function dataOffset(source: ByteSource, entry: Entry): Promise<number> {
  const head = await readExactly(source, entry.header, 30);
  const view = new DataView(head.buffer, head.byteOffset, 30);
  if (view.getUint32(0, true) !== LOCAL) throw new PickleError("a member of its archive is damaged");
  const offset = entry.header + 30 + view.getUint16(26, true) + view.getUint16(28, true);
  if (offset + entry.size > source.size) throw new PickleError("a member of its archive reaches beyond the file");
  return offset;
}
