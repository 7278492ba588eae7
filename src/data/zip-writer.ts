import { crc32 } from "node:zlib";

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const END64 = 0x06064b50;
const END64_LOCATOR = 0x07064b50;
/** In place of a number that does not fit 32 bits: it stands in the zip64 field. */
const IN_ZIP64 = 0xffffffff;
/** Names are UTF-8. */
const FLAGS = 0x800;
const VERSION = 20;
const VERSION_64 = 45;
/** 1 January 1980, the first day of the format: equal contents give equal files. */
const DATE = 0x21;

/** Numbers after one another, little-endian: [bytes, value]. */
function record(...fields: readonly (readonly [2 | 4 | 8, number])[]): Uint8Array {
  const bytes = new Uint8Array(fields.reduce((sum, [size]) => sum + size, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const [size, value] of fields) {
    if (size === 2) view.setUint16(at, value, true);
    else if (size === 4) view.setUint32(at, value, true);
    else view.setBigUint64(at, BigInt(value), true);
    at += size;
  }
  return bytes;
}

/** Writes a zip archive of stored members, one after the other; with zip64 records where the format needs them. */
export class ZipWriter {
  readonly #write: (bytes: Uint8Array) => void;
  /** The directory, in pieces. */
  readonly #directory: Uint8Array[] = [];
  readonly #names = new Set<string>();
  #at = 0;

  constructor(write: (bytes: Uint8Array) => void) {
    this.#write = write;
  }

  /** @param content of less than 4 GiB */
  add(name: string, content: Uint8Array): void {
    if (this.#names.has(name)) throw new Error(`two members are called ${name}`);
    if (content.length >= IN_ZIP64) throw new Error(`${name} is too large for a member`);
    this.#names.add(name);
    const bytes = new TextEncoder().encode(name);
    const offset = this.#at;
    const crc = crc32(content);
    const sizes = [
      [4, crc],
      [4, content.length],
      [4, content.length],
      [2, bytes.length],
    ] as const;
    const common = [[2, FLAGS], [2, 0], [2, 0], [2, DATE], ...sizes] as const;
    this.#put(record([4, LOCAL], [2, VERSION], ...common, [2, 0]));
    this.#put(bytes);
    this.#put(content);
    const far = offset >= IN_ZIP64;
    const version = far ? VERSION_64 : VERSION;
    const extra = far ? record([2, 1], [2, 8], [8, offset]) : new Uint8Array(0);
    const rest = [
      [2, extra.length],
      [2, 0],
      [2, 0],
      [2, 0],
      [4, 0],
      [4, far ? IN_ZIP64 : offset],
    ] as const;
    this.#directory.push(record([4, CENTRAL], [2, version], [2, version], ...common, ...rest), bytes, extra);
  }

  /** Writes the directory: nothing can be added any more. */
  finish(): void {
    const start = this.#at;
    for (const piece of this.#directory) this.#put(piece);
    const size = this.#at - start;
    const count = this.#names.size;
    if (count >= 0xffff || start >= IN_ZIP64 || size >= IN_ZIP64) {
      const end = this.#at;
      const counts = [
        [8, count],
        [8, count],
        [8, size],
        [8, start],
      ] as const;
      this.#put(record([4, END64], [8, 44], [2, VERSION_64], [2, VERSION_64], [4, 0], [4, 0], ...counts));
      this.#put(record([4, END64_LOCATOR], [4, 0], [8, end], [4, 1]));
    }
    const short = Math.min(count, 0xffff);
    const place = [
      [4, Math.min(size, IN_ZIP64)],
      [4, Math.min(start, IN_ZIP64)],
    ] as const;
    this.#put(record([4, END], [2, 0], [2, 0], [2, short], [2, short], ...place, [2, 0]));
  }

  #put(bytes: Uint8Array): void {
    this.#write(bytes);
    this.#at += bytes.length;
  }
}
