import { node } from "../node/modules.js";
import { type ByteSource, isNode } from "./byte-source.js";

/** Files are read in pieces of this size. */
const HASH_CHUNK = 4 * 2 ** 20;

/** SHA-256 of files one after the other, in hexadecimal. */
export async function hashOf(sources: readonly ByteSource[]): Promise<string> {
  let update: (bytes: Uint8Array) => void;
  let finish: () => string;
  if (isNode) {
    const { createHash } = await node.crypto();
    const native = createHash("sha256");
    update = (bytes) => native.update(bytes);
    finish = () => native.digest("hex");
  } else {
    const { Sha256 } = await import("./sha256.js");
    const own = new Sha256();
    update = (bytes) => own.update(bytes);
    finish = () => own.hex();
  }
  for (const source of sources) {
    for (let at = 0; at < source.size; at += HASH_CHUNK) {
      update(await source.read(at, Math.min(HASH_CHUNK, source.size - at)));
    }
  }
  return finish();
}
