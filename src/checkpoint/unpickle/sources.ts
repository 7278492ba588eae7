import type { ByteSource } from "../byte-source.js";
import { PickleError } from "./limits.js";

/** `source.read`, with a short or impossible read turned into the error of a damaged file. */
export async function readExactly(source: ByteSource, offset: number, length: number): Promise<Uint8Array> {
  if (length < 0 || offset < 0 || offset + length > source.size) {
    throw new PickleError(`it ends too early: ${length} bytes were expected at byte ${offset} of ${source.size}`);
  }
  const bytes = length === 0 ? new Uint8Array(0) : await source.read(offset, length);
  if (bytes.length !== length) throw new PickleError(`reading ${length} bytes at byte ${offset} gave ${bytes.length}`);
  return bytes;
}

/** Bytes that are held as text, one character each. They take memory only while they are read. */
export class TextSource implements ByteSource {
  readonly name = "(text)";
  readonly size: number;

  constructor(readonly text: string) {
    this.size = text.length;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) {
      const code = this.text.charCodeAt(offset + i);
      if (code > 255) throw new PickleError("a byte string written as text holds characters beyond U+00FF");
      bytes[i] = code;
    }
    return bytes;
  }

  async close(): Promise<void> {}
}

/** A part of another source, which stays open when the part is closed. */
export class SliceSource implements ByteSource {
  readonly name: string;

  constructor(
    readonly source: ByteSource,
    readonly offset: number,
    readonly size: number,
  ) {
    this.name = source.name;
  }

  read(offset: number, length: number): Promise<Uint8Array> {
    return this.source.read(this.offset + offset, length);
  }

  async close(): Promise<void> {}
}

const STEP = 2 ** 20;

/**
 * Bytes that protocol 2 wrote as text: code points 0 to 255 in UTF-8. Decoded a mebibyte at a time, with an index of how
 * many characters precede each of them, so that a storage of any size can be read from anywhere without holding it.
 */
export class Latin1Source implements ByteSource {
  readonly name: string;

  private constructor(
    private readonly encoded: ByteSource,
    /** Characters before encoded byte i * STEP. */
    private readonly charactersBefore: Float64Array,
    readonly size: number,
  ) {
    this.name = encoded.name;
  }

  static async open(encoded: ByteSource): Promise<Latin1Source> {
    const steps = Math.ceil(encoded.size / STEP);
    const before = new Float64Array(steps);
    let characters = 0;
    let pending = false;
    for (let step = 0; step < steps; step++) {
      before[step] = characters;
      const bytes = await readExactly(encoded, step * STEP, Math.min(STEP, encoded.size - step * STEP));
      for (const byte of bytes) {
        const continuation = byte >= 0x80 && byte < 0xc0;
        if (continuation !== pending) throw new PickleError("a byte string written as text is not valid UTF-8");
        if (continuation) {
          pending = false;
        } else {
          if (byte >= 0x80 && byte !== 0xc2 && byte !== 0xc3) {
            throw new PickleError("a byte string written as text holds characters beyond U+00FF");
          }
          pending = byte >= 0x80;
          characters++;
        }
      }
    }
    if (pending) throw new PickleError("a byte string written as text ends in the middle of a character");
    return new Latin1Source(encoded, before, characters);
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const out = new Uint8Array(length);
    const before = this.charactersBefore;
    let low = 0;
    let high = before.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (before[middle]! <= offset) low = middle;
      else high = middle;
    }
    let written = 0;
    for (let step = low; step < before.length && written < length; step++) {
      // One byte more, for a character that is split between two steps.
      const start = step * STEP;
      const bytes = await readExactly(this.encoded, start, Math.min(STEP + 1, this.encoded.size - start));
      const end = Math.min(STEP, bytes.length);
      let character = before[step]!;
      for (let i = 0; i < end && written < length; i++) {
        const byte = bytes[i]!;
        if (byte >= 0x80 && byte < 0xc0) continue;
        if (character++ < offset) continue;
        out[written++] = byte < 0x80 ? byte : ((byte & 3) << 6) | (bytes[i + 1]! & 0x3f);
      }
    }
    if (written < length) throw new PickleError(`reading ${length} bytes at byte ${offset} gave ${written}`);
    return out;
  }

  async close(): Promise<void> {}
}
