import { closeSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { planSafetensors } from "../checkpoint/unpickle/writer.js";
import { NcvsdError } from "../errors.js";

/** `--save-raw`: the tensor `images` (N, C, H, W) F32, written batch by batch and given its name when it is whole. */
export class RawFile {
  readonly #path: string;
  readonly #temporary: string;
  readonly #fd: number;

  constructor(
    path: string,
    shape: readonly [number, number, number, number],
    metadata: Readonly<Record<string, string>>,
  ) {
    this.#path = path;
    this.#temporary = `${path}.${process.pid}.tmp`;
    const byteLength = 4 * shape.reduce((a, b) => a * b, 1);
    const { head } = planSafetensors([{ name: "images", dtype: "F32", shape, byteLength }], metadata);
    try {
      this.#fd = openSync(this.#temporary, "w");
    } catch (cause) {
      throw new NcvsdError("BAD_ARGUMENT", `--save-raw ${path} cannot be written: ${(cause as Error).message}`, {
        cause,
      });
    }
    this.#write(head);
  }

  /** Appends the next images, in the order of the run's seeds. */
  append(values: Float32Array): void {
    this.#write(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }

  finish(): void {
    closeSync(this.#fd);
    renameSync(this.#temporary, this.#path);
  }

  /** Leaves nothing behind. */
  discard(): void {
    try {
      closeSync(this.#fd);
    } catch {
      // Already closed.
    }
    rmSync(this.#temporary, { force: true });
  }

  #write(bytes: Uint8Array): void {
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at);
    } catch (cause) {
      this.discard();
      throw new NcvsdError("BAD_ARGUMENT", `${this.#path} cannot be written: ${(cause as Error).message}`, { cause });
    }
  }
}
