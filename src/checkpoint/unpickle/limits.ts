/**
 * A pickle is untrusted: whatever it says, reading it stays within these limits. Each has ample room above the largest
 * published snapshot (EDM2-XXL: some 50,000 opcodes, 400 tensors, 3 GB) and keeps hostile files below a second.
 */
export const LIMITS = {
  /** Opcodes over the whole file, nested storage pickles included; also bounds the stack, the memo and all containers. */
  opcodes: 1_000_000,
  /** Containers inside containers, and open marks. CPython's own pickler gives up near 330. */
  nesting: 400,
  /** Text up to this many bytes is decoded; longer text (the embedded Python source) stays a reference into the file. */
  inlineTextBytes: 4096,
  /** All decoded text of one file together. */
  totalTextBytes: 64 * 2 ** 20,
  /** One line of a GLOBAL opcode. */
  globalLineBytes: 512,
  /** One integer; the magic number of torch.save has 10. */
  longBytes: 64,
  /** Entries of dicts and lists looked at in search of networks, and networks in one file. */
  searched: 200_000,
  networks: 64,
  /** Modules inside modules when the network is walked, and modules visited in all (shared modules count each time). */
  moduleDepth: 64,
  modules: 20_000,
  /** Parameters and buffers of all of them, those that are None included. */
  moduleEntries: 200_000,
  /** Tensors of a network, and dimensions of one tensor. */
  tensors: 20_000,
  dimensions: 16,
  /** Characters of a state_dict name. */
  nameLength: 512,
  /** Tensors may share storages, but together hold at most this many times the bytes of the file. */
  expansion: 4,
  /** Deflated members of an archive may unpack to that many times its bytes, and this much more (pickles pack well). */
  unpackedBase: 64 * 2 ** 20,
  /** A strided view may span this many bytes of its storage beyond its own size: the span is what is held in memory. */
  viewSlackBytes: 128 * 2 ** 20,
  /** Members, and bytes of the central directory, of a zip archive. */
  zipEntries: 100_000,
  zipDirectoryBytes: 32 * 2 ** 20,
  /** Values of a numpy array, and of a constructor argument, that is read as metadata. */
  arrayValues: 4096,
  /** Constructor arguments, and values of an attribute of a block, such as the taps of its filter. */
  arguments: 256,
  attributeValues: 64,
} as const;

/** Bytes of a tensor handled at a time. */
export const CHUNK_BYTES = 4 * 2 ** 20;

/** What is wrong inside the file, without the file's name: the exported functions turn it into a BAD_CHECKPOINT. */
export class PickleError extends Error {}

/** A call that is refused; the machine, which knows where it stands, says under which key. */
export class RefusedCall extends PickleError {}

/** The opcodes one file may still spend. */
export class Budget {
  opcodes: number = LIMITS.opcodes;
  textBytes: number = LIMITS.totalTextBytes;

  /** Entries that are copied count as the opcodes that would have written them. */
  spend(entries: number): void {
    this.opcodes -= entries;
    if (this.opcodes < 0) throw new PickleError(`it takes more than ${LIMITS.opcodes} opcodes`);
  }

  spendText(bytes: number): void {
    this.textBytes -= bytes;
    if (this.textBytes < 0) throw new PickleError(`it holds more than ${LIMITS.totalTextBytes} bytes of text`);
  }
}
