import { node } from "../node/modules.js";
import { type ByteSource, isNode } from "./byte-source.js";
import { quote } from "./fail.js";
import { CHUNK_BYTES, LIMITS, PickleError } from "./unpickle/limits.js";
import { readExactly } from "./unpickle/sources.js";

/** A member of a zip archive, as the central directory describes it. */
interface Entry {
  readonly name: string;
  /** Bytes of its content, and in the archive. */
  readonly size: number;
  readonly packed: number;
  readonly deflated: boolean;
  /** CRC-32 of the content; 0 where the writer left it out, as torch does when asked to. */
  readonly crc: number;
  readonly header: number;
}

const END = 0x06054b50;
const END64 = 0x06064b50;
const END64_LOCATOR = 0x07064b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
const IN_ZIP64 = 0xffffffff;

/** What an archive may be; by default what a checkpoint needs. */
export interface ZipLimits {
  readonly entries: number;
  readonly directoryBytes: number;
  /** A deflated member that is unpacked again does not count again: for those who read members over and over. */
  readonly again?: boolean;
}

const CHECKPOINT_LIMITS: ZipLimits = { entries: LIMITS.zipEntries, directoryBytes: LIMITS.zipDirectoryBytes };

/**
 * An open zip archive. Members are stored or deflated; their checksums are compared before the first byte is given out. Of
 * deflated members one at a time is held in memory, and what they unpack to is bounded by the size of the file.
 */
export class ZipArchive {
  readonly #source: ByteSource;
  readonly #entries: ReadonlyMap<string, Entry>;
  readonly #starts = new Map<Entry, Promise<number>>();
  #unpacked: { entry: Entry; bytes: Uint8Array } | undefined;
  /** Bytes that may still be unpacked. */
  #budget: number;
  readonly #counted: Set<Entry> | undefined;

  private constructor(source: ByteSource, entries: ReadonlyMap<string, Entry>, limits: ZipLimits) {
    this.#source = source;
    this.#entries = entries;
    if (limits.again) this.#counted = new Set();
    this.#budget = LIMITS.unpackedBase + LIMITS.expansion * source.size;
  }

  /** @throws PickleError if the directory is damaged or beyond the limits */
  static async open(source: ByteSource, limits: ZipLimits = CHECKPOINT_LIMITS): Promise<ZipArchive> {
    return new ZipArchive(source, await readDirectory(source, limits), limits);
  }

  get names(): Iterable<string> {
    return this.#entries.keys();
  }

  /** The CRC-32 that the directory gives for a member's content; 0 where the writer left it out. */
  checksum(name: string): number {
    return this.#entries.get(name)?.crc ?? 0;
  }

  /** The content of a member, or undefined if there is none of this name. Nothing of it is read yet. */
  member(name: string): ByteSource | undefined {
    const entry = this.#entries.get(name);
    if (!entry) return undefined;
    return {
      name: this.#source.name,
      size: entry.size,
      read: async (offset, length) => {
        const at = await this.#verified(entry);
        if (!entry.deflated) return readExactly(this.#source, at + offset, length);
        const bytes = await this.#inflated(entry, at);
        if (offset + length > bytes.length) throw new PickleError(`${member(entry)} ends too early`);
        return bytes.slice(offset, offset + length);
      },
      close: async () => {},
    };
  }

  /** Compares the checksums of all stored members; those of deflated ones are compared when they are read. */
  async verify(): Promise<void> {
    for (const entry of this.#entries.values()) if (!entry.deflated) await this.#verified(entry);
  }

  /** Where the packed bytes of a member start, once its checksum has been compared. */
  #verified(entry: Entry): Promise<number> {
    const known = this.#starts.get(entry) ?? this.#compare(entry);
    this.#starts.set(entry, known);
    return known;
  }

  async #compare(entry: Entry): Promise<number> {
    const at = await dataOffset(this.#source, entry);
    if (entry.deflated) {
      await this.#inflated(entry, at);
    } else if (entry.crc !== 0) {
      let crc = 0;
      for (let done = 0; done < entry.size; done += CHUNK_BYTES) {
        crc = await crc32(await readExactly(this.#source, at + done, Math.min(CHUNK_BYTES, entry.size - done)), crc);
      }
      compare(entry, crc);
    }
    return at;
  }

  async #inflated(entry: Entry, at: number): Promise<Uint8Array> {
    if (this.#unpacked?.entry === entry) return this.#unpacked.bytes;
    this.#unpacked = undefined;
    if (!this.#counted?.has(entry)) this.#budget -= entry.size;
    this.#counted?.add(entry);
    if (this.#budget < 0) {
      throw new PickleError(
        `its compressed members unpack to more than ${LIMITS.expansion} times the bytes of the file: save it again without compression`,
      );
    }
    const bytes = await inflate(this.#source, entry, at);
    if (entry.crc !== 0) compare(entry, await crc32(bytes, 0));
    this.#unpacked = { entry, bytes };
    return bytes;
  }
}

const member = (entry: Entry) => `the member ${quote(entry.name)} of its archive`;

function compare(entry: Entry, crc: number): void {
  if (crc !== entry.crc) {
    throw new PickleError(`${member(entry)} is damaged: its checksum is wrong; copy or download the file again`);
  }
}

/** Unpacks a member to exactly the size that the directory claims. */
async function inflate(source: ByteSource, entry: Entry, at: number): Promise<Uint8Array> {
  let sent = 0;
  const packed = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      const length = Math.min(CHUNK_BYTES, entry.packed - sent);
      if (length === 0) return controller.close();
      controller.enqueue((await readExactly(source, at + sent, length)) as Uint8Array<ArrayBuffer>);
      sent += length;
    },
  });
  const out = new Uint8Array(entry.size);
  let filled = 0;
  const reader = packed.pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (filled + value.length > out.length) throw new RangeError("too long");
      out.set(value, filled);
      filled += value.length;
    }
  } catch (cause) {
    await reader.cancel().catch(() => {});
    if (cause instanceof PickleError) throw cause;
    throw new PickleError(
      `${member(entry)} is compressed and damaged: it cannot be unpacked to the ${entry.size} bytes that it claims`,
    );
  }
  if (filled !== out.length) throw new PickleError(`${member(entry)} unpacks to ${filled} bytes, not ${entry.size}`);
  return out;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

/** CRC-32 of `bytes` after others whose CRC-32 is `crc`. */
async function crc32(bytes: Uint8Array, crc: number): Promise<number> {
  // Several times as fast as the loop below.
  const native = isNode ? (await node.zlib()).crc32 : undefined;
  if (native) return native(bytes, crc);
  let c = ~crc;
  for (const byte of bytes) c = CRC_TABLE[(c ^ byte) & 0xff]! ^ (c >>> 8);
  return ~c >>> 0;
}

/** The members of the archive, from its central directory. */
async function readDirectory(source: ByteSource, limits: ZipLimits): Promise<Map<string, Entry>> {
  const { count, size, offset } = await findDirectory(source);
  if (count > limits.entries || size > limits.directoryBytes) {
    throw new PickleError(`its archive has ${count} members; ${limits.entries} is the limit`);
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
    if (method !== 0 && method !== 8) {
      throw new PickleError("its archive is compressed in another way than deflate: save it again without compression");
    }
    if (method === 0 && plain !== packed) throw new PickleError("its archive's directory is damaged");
    if (flags & 1) throw new PickleError("its archive is encrypted");
    if (entries.has(name)) throw new PickleError("its archive has two members of one name");
    const crc = view.getUint32(at + 16, true);
    entries.set(name, { name, size: plain, packed, deflated: method === 8, crc, header });
    at = end;
  }
  const claimed = [...entries.values()].reduce((sum, entry) => sum + entry.packed, 0);
  if (claimed > source.size) throw new PickleError("the members of its archive overlap one another");
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
  if (offset + entry.packed > source.size) throw new PickleError("a member of its archive reaches beyond the file");
  return offset;
}
