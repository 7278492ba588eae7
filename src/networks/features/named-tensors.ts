import { bytesSource } from "../../checkpoint/byte-source.js";
import { hashOf } from "../../checkpoint/hash.js";
import type { Checkpoint } from "../../checkpoint/index.js";
import { NcvsdError } from "../../errors.js";

/** Why a file holds no such network. */
export function notThis(file: string, network: string, why: string): NcvsdError {
  return new NcvsdError("BAD_CHECKPOINT", `${file} holds no ${network}: ${why}`);
}

/** Shape of a tensor by its name in the file. @throws BAD_CHECKPOINT where it is missing */
export function shapeOf(file: Checkpoint, network: string, name: string): readonly number[] {
  const tensor = file.tensors.get(name);
  if (!tensor) throw notThis(file.name, network, `the tensor ${name} is missing`);
  return tensor.shape;
}

/** @throws BAD_CHECKPOINT unless the tensor has this shape */
export function requireShape(file: Checkpoint, network: string, name: string, shape: readonly number[]): void {
  const found = shapeOf(file, network, name);
  if (found.join() === shape.join()) return;
  throw notThis(
    file.name,
    network,
    `the tensor ${name} is [${found.join(", ")}] where [${shape.join(", ")}] is needed`,
  );
}

/**
 * The hash of a network's tensors rather than of its file: the same weights come in several containers, under several names.
 * Of every tensor in the order of the names that this program gives them: name, shape and SHA-256 of its values as F32.
 */
export class TensorHash {
  readonly #lines = new Map<string, string>();

  async add(name: string, shape: readonly number[], values: Float32Array): Promise<void> {
    if (this.#lines.has(name)) return;
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    this.#lines.set(name, `${name} [${shape.join(", ")}] ${await hashOf([bytesSource(name, bytes)])}\n`);
  }

  async sha256(): Promise<string> {
    const text = [...this.#lines].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, line]) => line);
    return hashOf([bytesSource("tensors", new TextEncoder().encode(text.join("")))]);
  }
}
