import { closeSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { planSafetensors } from "../checkpoint/unpickle/writer.js";
import { NcvsdError } from "../errors.js";
import { makeFolders, reason, sweep, temporaryName } from "./output.js";

/** `--save-raw`: the tensor `images` (N, C, H, W) F32, written batch by batch and given its name when it is whole. */
export class RawFile {
  readonly #path: string;
  readonly #temporary: string;
  #fd: number | undefined;

  /** @throws NcvsdError BAD_ARGUMENT when the file cannot be written; so do `append` and `finish`. */
  constructor(
    path: string,
    shape: readonly [number, number, number, number],
    metadata: Readonly<Record<string, string>>,
  ) {
    this.#path = path;
    this.#temporary = temporaryName(path);
    const byteLength = 4 * shape.reduce((a, b) => a * b, 1);
    const { head } = planSafetensors([{ name: "images", dtype: "F32", shape, byteLength }], metadata);
    this.#attempt(() => {
      const folder = dirname(resolve(path));
      makeFolders(folder);
      sweep(folder);
      this.#fd = openSync(this.#temporary, "w");
      this.#write(head);
    });
  }

  /** Appends the next images, in the order of the run's seeds. */
  append(values: Float32Array): void {
    this.#attempt(() => this.#write(new Uint8Array(values.buffer, values.byteOffset, values.byteLength)));
  }

  finish(): void {
    this.#attempt(() => {
      this.#close();
      renameSync(this.#temporary, this.#path);
    });
  }

  /** Leaves nothing behind. Safe to call twice. */
  discard(): void {
    try {
      this.#close();
      rmSync(this.#temporary, { force: true });
    } catch {
      // It is on the way out already: what led here is the thing to tell.
    }
  }

  #write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd!, bytes, at);
  }

  #close(): void {
    const fd = this.#fd;
    this.#fd = undefined;
    if (fd !== undefined) closeSync(fd);
  }

  #attempt(action: () => void): void {
    try {
      action();
    } catch (cause) {
      this.discard();
      throw new NcvsdError("BAD_ARGUMENT", `${this.#path} cannot be written: ${reason(cause)}`, { cause });
    }
  }
}
