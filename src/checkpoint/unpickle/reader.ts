import type { ByteSource } from "../byte-source.js";
import { PickleError } from "./limits.js";
import { readExactly } from "./sources.js";

const WINDOW = 64 * 1024;
const NO_BYTES = new Uint8Array(0);
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
const latin1 = new TextDecoder("latin1");

/**
 * Reads a source from a position on through a window of 64 KiB. The getters are synchronous and need their bytes in the
 * window: call `fill` first. Bytes beyond the window are never read unless asked for, so skipping costs nothing.
 */
export class PickleReader {
  #bytes: Uint8Array = NO_BYTES;
  #view: DataView = new DataView(NO_BYTES.buffer);
  /** Position of the window's first byte, and the next byte inside the window. */
  #start: number;
  #next = 0;

  constructor(
    readonly source: ByteSource,
    position: number,
  ) {
    this.#start = position;
  }

  get position(): number {
    return this.#start + this.#next;
  }

  get remaining(): number {
    return this.source.size - this.position;
  }

  /** True if `count` bytes are in the window already. */
  has(count: number): boolean {
    return this.#bytes.length - this.#next >= count;
  }

  /** Brings the next `count` bytes into the window, or as many as there are. */
  async fill(count: number): Promise<void> {
    const position = this.position;
    const length = Math.min(this.remaining, Math.max(count, WINDOW));
    this.#bytes = length <= 0 ? NO_BYTES : await readExactly(this.source, position, length);
    this.#view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.byteLength);
    this.#start = position;
    this.#next = 0;
  }

  #take(count: number): number {
    const at = this.#next;
    if (at + count > this.#bytes.length) throw new PickleError("it ends in the middle of an opcode");
    this.#next = at + count;
    return at;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  i32(): number {
    return this.#view.getInt32(this.#take(4), true);
  }

  /** An unsigned length; beyond 2^53 it is larger than any file, and any number beyond the file will do. */
  u64(): number {
    return Number(this.#view.getBigUint64(this.#take(8), true));
  }

  f64BigEndian(): number {
    return this.#view.getFloat64(this.#take(8), false);
  }

  /** The next `length` bytes, valid until the next `fill`. */
  bytes(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  text(length: number, encoding: "utf8" | "latin1"): string {
    return (encoding === "utf8" ? utf8 : latin1).decode(this.bytes(length));
  }

  /** A line of at most `limit` bytes, without its line feed. */
  line(limit: number): string {
    const at = this.#next;
    const end = this.#bytes.indexOf(10, at);
    if (end < 0 || end - at > limit) throw new PickleError(`a line of text is longer than ${limit} bytes`);
    const text = this.text(end - at, "utf8");
    this.#next = end + 1;
    return text;
  }

  /** Passes over `length` bytes, which must exist, and returns their position. */
  skip(length: number): number {
    const at = this.position;
    if (length > this.remaining) {
      throw new PickleError(`it promises ${length} bytes where only ${this.remaining} are left`);
    }
    if (this.has(length)) {
      this.#next += length;
    } else {
      this.#start = at + length;
      this.#bytes = NO_BYTES;
      this.#view = new DataView(NO_BYTES.buffer);
      this.#next = 0;
    }
    return at;
  }
}
