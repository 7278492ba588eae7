import type { ByteSource } from "./byte-source.js";
import type { Checkpoint, TensorInfo } from "./checkpoint.js";
import { bad, quote } from "./fail.js";
import { hashOf } from "./hash.js";
import { readSnapshot, type SnapshotTensor } from "./unpickle/snapshot.js";
import { checkedValues, requireFloats, toF32 } from "./values.js";

/**
 * A pickled network of the reference (`.pkl`, `torch.save`) as a checkpoint: its average where it has one, with the constructor
 * arguments that it tells. It is read as data; nothing in it is imported, called or executed.
 * @param ofAnyKind take a network of any kind, and its tensors as they are
 * @throws NcvsdError BAD_CHECKPOINT when there is no network in it, or several and none of them is the average
 */
export async function openPickled(source: ByteSource, ofAnyKind = false): Promise<Checkpoint> {
  const snapshot = await readSnapshot(source, undefined, ofAnyKind);
  const metadata: Record<string, string> = { format: "pt", architecture: snapshot.architecture };
  if (snapshot.complete || Object.keys(snapshot.arguments).length > 0)
    metadata.config = JSON.stringify(snapshot.arguments);
  if (snapshot.encoder) metadata.encoder = JSON.stringify(snapshot.encoder);
  const tensors = new Map<string, TensorInfo>();
  for (const [name, { dtype, shape, byteLength }] of snapshot.tensors)
    tensors.set(name, { name, dtype, shape, byteLength, file: source.name });

  const locate = (name: string): SnapshotTensor => {
    const found = snapshot.tensors.get(name);
    if (found === undefined) throw bad(`${quote(source.name)} has no tensor ${quote(name)}`);
    return found;
  };
  let digest: Promise<string> | undefined;
  return {
    name: source.name,
    metadata: Object.freeze(metadata),
    tensors,
    async readBytes(name) {
      const { byteLength, chunks } = locate(name);
      const bytes = new Uint8Array(byteLength);
      let at = 0;
      for await (const chunk of chunks()) {
        bytes.set(chunk, at);
        at += chunk.length;
      }
      return bytes;
    },
    async readF32(name, options = {}) {
      const tensor = locate(name);
      requireFloats(source.name, tensor);
      const values = new Float32Array(tensor.shape.reduce((product, extent) => product * extent, 1));
      let at = 0;
      for await (const chunk of tensor.chunks()) {
        const piece = toF32(chunk.byteLength === chunk.buffer.byteLength ? chunk : chunk.slice(), tensor.dtype);
        values.set(piece, at);
        at += piece.length;
      }
      return checkedValues(source.name, tensor, values, options);
    },
    sha256() {
      digest ??= hashOf([source]);
      return digest;
    },
    close: () => source.close(),
  };
}
