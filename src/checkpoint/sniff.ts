/** How many bytes of a file `sniff` wants to see. */
export const SNIFF_BYTES = 512;

const CONVERT = "turn it into .safetensors with `ncvsd-gpu convert`";

function startsWith(bytes: Uint8Array, magic: string | readonly number[], at = 0): boolean {
  const codes = typeof magic === "string" ? [...magic].map((c) => c.charCodeAt(0)) : magic;
  return bytes.length >= at + codes.length && codes.every((code, i) => bytes[at + i] === code);
}

/** Whether a file begins as a pickle or an archive of PyTorch does. */
export function isPickled(head: Uint8Array): boolean {
  // The length of a safetensors header may have the same first bytes; four zeros and a brace follow it.
  if (startsWith(head, [0, 0, 0, 0, 0x7b], 4)) return false;
  // PROTO opcode; PyTorch's own files before 1.6 start with a pickle too.
  if (head[0] === 0x80 && head[1] !== undefined && head[1] >= 2 && head[1] <= 5) return true;
  return startsWith(head, "PK\x03\x04") && TORCH_ENTRY.test(firstEntry(head, new TextDecoder("latin1").decode(head)));
}

/**
 * What a file that is not safetensors looks like, from its first bytes: the second half of the sentence
 * "FILE is not a safetensors file: it ...". Undefined when nothing is recognised.
 */
export function sniff(head: Uint8Array): string | undefined {
  if (head.length === 0) return "is empty; copy or download it again";
  const text = new TextDecoder("latin1").decode(head);

  if (startsWith(head, "version https://git-lfs")) {
    return "is a git-lfs pointer, not the file itself; fetch the file with `git lfs pull`";
  }
  if (startsWith(head, "PK\x03\x04")) return zip(head, text);
  if (startsWith(head, "PK\x05\x06")) return "is an empty zip archive";
  if (startsWith(head, "GGUF")) return "looks like a GGUF file; a .safetensors export of the network is needed";
  if (startsWith(head, "\x93NUMPY")) return "looks like a NumPy array (.npy); a .safetensors file is needed";
  if (startsWith(head, "\x89HDF\r\n")) return "looks like an HDF5 file; a .safetensors file is needed";
  if (startsWith(head, "\x89PNG")) return "is a PNG image; give the network's .safetensors file";
  if (startsWith(head, [0xff, 0xd8, 0xff])) return "is a JPEG image; give the network's .safetensors file";
  if (startsWith(head, [0x1f, 0x8b])) return "is compressed with gzip; decompress it first";
  if (startsWith(head, [0x28, 0xb5, 0x2f, 0xfd])) return "is compressed with zstd; decompress it first";
  if (startsWith(head, "ustar", 257)) return "looks like a tar archive; extract it first";
  // ONNX is a protobuf: field 1 (ir_version, a small number), then producer_name, domain, model_version or graph.
  if (
    head[0] === 0x08 &&
    head[1]! >= 1 &&
    head[1]! <= 20 &&
    [0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42].includes(head[2]!)
  ) {
    return "looks like an ONNX model; a .safetensors export of the network is needed";
  }
  const trimmed = text.replace(/^\xef\xbb\xbf/, "").trimStart();
  if (/^<(!doctype|html|head|body|\?xml|!--)/i.test(trimmed)) {
    return "is an HTML page, perhaps an error or login page saved instead of the file; download the file itself";
  }
  if (/^\{\s*("|\})|^\[\s*([[{"\d\]-]|$)/.test(trimmed)) {
    return "looks like JSON; for a sharded checkpoint give the file named *.safetensors.index.json";
  }
  if (/^[\t\n\r\x20-\x7e]{8,}$/.test(text)) return "is a text file; give the network's .safetensors file";
  return undefined;
}

/** What PyTorch's archives begin with. */
const TORCH_ENTRY =
  /(^|\/)(data\.pkl|data\/\d+|constants\.pkl|byteorder|version|\.format_version|\.storage_alignment)$/;

function firstEntry(head: Uint8Array, text: string): string {
  const nameLength = (head[26] ?? 0) | ((head[27] ?? 0) << 8);
  return text.slice(30, 30 + nameLength);
}

function zip(head: Uint8Array, text: string): string {
  const name = firstEntry(head, text);
  if (name.endsWith(".npy")) return "looks like a NumPy archive (.npz); a .safetensors file is needed";
  return `is a zip archive; if it was saved by PyTorch, ${CONVERT}, otherwise extract it first`;
}
