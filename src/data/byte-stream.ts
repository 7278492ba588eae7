import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { bad } from "../errors.js";
import { unreadable } from "./folder.js";

/** A file's bytes from its beginning on, unpacked where it is gzipped; one piece at a time is in memory. */
export class ByteStream {
  readonly #path: string;
  readonly #streams: readonly Readable[];
  readonly #pieces: AsyncIterator<Uint8Array>;
  #piece: Uint8Array = new Uint8Array(0);

  constructor(path: string) {
    const file = createReadStream(path, { highWaterMark: 2 ** 20 });
    const plain = /\.gz$/i.test(path) ? file.pipe(createGunzip({ chunkSize: 2 ** 18 })) : file;
    // An error of the file does not reach what it is piped into by itself.
    if (plain !== file) file.on("error", (error) => plain.destroy(error));
    this.#path = path;
    this.#streams = [file, plain];
    this.#pieces = plain[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  }

  /** Exactly so many bytes. @throws BAD_ARGUMENT when the file ends before */
  async take(length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    for (let filled = 0; filled < length; ) {
      if (this.#piece.length === 0 && !(await this.#next()))
        throw bad(`${this.#path} is cut off: ${length - filled} bytes are missing`);
      const part = this.#piece.subarray(0, length - filled);
      bytes.set(part, filled);
      filled += part.length;
      this.#piece = this.#piece.subarray(part.length);
    }
    return bytes;
  }

  /** @throws BAD_ARGUMENT when something follows */
  async end(): Promise<void> {
    if (this.#piece.length > 0 || (await this.#next()))
      throw bad(`${this.#path} is damaged: it is longer than its header says`);
  }

  close(): void {
    for (const stream of this.#streams) stream.destroy();
  }

  /** False at the end. */
  async #next(): Promise<boolean> {
    try {
      while (this.#piece.length === 0) {
        const { done, value } = await this.#pieces.next();
        if (done) return false;
        this.#piece = value;
      }
      return true;
    } catch (cause) {
      const { code = "" } = cause as NodeJS.ErrnoException;
      throw code.startsWith("Z_") || code.startsWith("ERR_")
        ? bad(`${this.#path} is damaged: it cannot be unpacked`, cause)
        : unreadable(this.#path, cause);
    }
  }
}
