import { narrowF16 } from "../../checkpoint/index.js";
import { elementBytes } from "../../gpu/contract.js";
import type { Gpu } from "../../gpu/device.js";
import type { Tensor } from "../../graph/graph.js";
import type { Program } from "../../graph/program.js";

/** Writes values to an external tensor of the storage type. */
export function upload(gpu: Gpu, program: Program, tensor: Tensor, values: Float32Array): void {
  const stored = elementBytes(tensor.type, gpu.precision) === 2 ? narrowF16(values) : values;
  const bytes = new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
  // A write has to be whole words.
  const padded = bytes.length % 4 === 0 ? bytes : new Uint8Array(Math.ceil(bytes.length / 4) * 4);
  if (padded !== bytes) padded.set(bytes);
  gpu.write(program.buffer(tensor), padded);
}
