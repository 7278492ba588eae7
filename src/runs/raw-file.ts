import { planSafetensors } from "../checkpoint/unpickle/writer.js";
import { WholeFile } from "./whole-file.js";

/** `--save-raw`: the tensor `images` (N, C, H, W) F32, written batch by batch and given its name when it is whole. */
export class RawFile {
  readonly #file: WholeFile;

  /** @throws NcvsdError BAD_ARGUMENT when the file cannot be written; so do `append` and `finish`. */
  constructor(
    path: string,
    shape: readonly [number, number, number, number],
    metadata: Readonly<Record<string, string>>,
  ) {
    const byteLength = 4 * shape.reduce((a, b) => a * b, 1);
    const { head } = planSafetensors([{ name: "images", dtype: "F32", shape, byteLength }], metadata);
    this.#file = new WholeFile(path);
    this.#file.write(head);
  }

  /** Appends the next images, in the order of the run's seeds. */
  append(values: Float32Array): void {
    this.#file.write(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }

  finish(): void {
    this.#file.finish();
  }

  /** Leaves nothing behind. Safe to call twice. */
  discard(): void {
    this.#file.discard();
  }
}
