import { NcvsdError } from "../errors.js";

/** One chunk of a PNG file: the type and its data, CRC already checked. */
export interface PngChunk {
  type: string;
  data: Uint8Array;
}

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c >>> 0;
});

function crc32(bytes: Uint8Array): number {
  let c = 0xffffffff;
  for (const byte of bytes) c = CRC_TABLE[(c ^ byte) & 0xff]! ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}

const bad = (name: string, what: string) => new NcvsdError("BAD_ARGUMENT", `${name} ${what}`);

/** What a file that is no PNG looks like, for the error message. */
function looksLike(bytes: Uint8Array): string {
  const start = String.fromCharCode(...bytes.subarray(0, 12));
  if (bytes.length === 0) return "it is empty";
  if (start.startsWith("\xff\xd8\xff")) return "it looks like a JPEG; convert it to PNG first";
  if (start.startsWith("GIF8")) return "it looks like a GIF; convert it to PNG first";
  if (start.startsWith("RIFF") && start.endsWith("WEBP")) return "it looks like a WebP; convert it to PNG first";
  if (start.startsWith("BM")) return "it looks like a BMP; convert it to PNG first";
  if (start.startsWith("II*\0") || start.startsWith("MM\0*")) return "it looks like a TIFF; convert it to PNG first";
  return "it does not begin with the PNG signature";
}

/**
 * Splits a PNG file into its chunks up to and including IEND; whatever follows IEND is ignored.
 * @param name what to call the file in a message
 * @throws NcvsdError BAD_ARGUMENT when it is no PNG, ends early, or a chunk's CRC is wrong.
 */
export function readChunks(bytes: Uint8Array, name: string): PngChunk[] {
  if (SIGNATURE.some((byte, i) => bytes[i] !== byte)) throw bad(name, `is not a PNG file: ${looksLike(bytes)}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const chunks: PngChunk[] = [];
  let offset = SIGNATURE.length;
  while (chunks.at(-1)?.type !== "IEND") {
    if (offset + 12 > bytes.length)
      throw bad(name, `is cut off: it ends at byte ${bytes.length} without its last chunk`);
    const length = view.getUint32(offset);
    const type = String.fromCharCode(...bytes.subarray(offset + 4, offset + 8));
    if (!/^[A-Za-z]{4}$/.test(type)) throw bad(name, `is damaged: no chunk begins at byte ${offset}`);
    if (length > bytes.length - offset - 12) {
      throw bad(name, `is cut off: its ${type} chunk at byte ${offset} is longer than the file`);
    }
    const end = offset + 8 + length;
    if (view.getUint32(end) !== crc32(bytes.subarray(offset + 4, end))) {
      throw bad(name, `is damaged: the checksum of its ${type} chunk at byte ${offset} is wrong`);
    }
    chunks.push({ type, data: bytes.subarray(offset + 8, end) });
    offset = end + 4;
  }
  return chunks;
}

/** Puts chunks back together: signature, then for each one length, type, data, CRC. */
export function writeChunks(chunks: readonly PngChunk[]): Uint8Array {
  const total = chunks.reduce((sum, { data }) => sum + data.length + 12, SIGNATURE.length);
  const out = new Uint8Array(total);
  const view = new DataView(out.buffer);
  out.set(SIGNATURE);
  let offset = SIGNATURE.length;
  for (const { type, data } of chunks) {
    view.setUint32(offset, data.length);
    for (let i = 0; i < 4; i++) out[offset + 4 + i] = type.charCodeAt(i);
    out.set(data, offset + 8);
    view.setUint32(offset + 8 + data.length, crc32(out.subarray(offset + 4, offset + 8 + data.length)));
    offset += data.length + 12;
  }
  return out;
}

const latin1 = (bytes: Uint8Array) => {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
};
const fromLatin1 = (text: string) => Uint8Array.from(text, (ch) => ch.charCodeAt(0));

function concat(...parts: Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}

/**
 * One keyword and its text as a chunk: tEXt where Latin-1 holds it, else iTXt (UTF-8, not compressed).
 * PNG specification, 11.3.3.
 */
export function textChunk(keyword: string, text: string): PngChunk {
  if (!/^[\x21-\x7e]([\x20-\x7e]{0,77}[\x21-\x7e])?$/.test(keyword)) {
    throw new NcvsdError("BAD_ARGUMENT", `"${keyword}" cannot be a PNG keyword: 1 to 79 printable ASCII characters`);
  }
  if (text.includes("\0")) throw new NcvsdError("BAD_ARGUMENT", `the PNG text "${keyword}" holds a NUL character`);
  const key = fromLatin1(keyword);
  if (/^[\n\x20-\x7e\xa0-\xff]*$/.test(text)) {
    return { type: "tEXt", data: concat(key, new Uint8Array(1), fromLatin1(text)) };
  }
  // After the keyword's NUL: compression flag 0, method 0, empty language tag, empty translated keyword.
  return { type: "iTXt", data: concat(key, new Uint8Array(5), new TextEncoder().encode(text)) };
}

/** The keyword and text of a tEXt or uncompressed iTXt chunk; undefined for every other or malformed one. */
export function readTextChunk({ type, data }: PngChunk): [keyword: string, text: string] | undefined {
  const nul = data.indexOf(0);
  if (nul < 1 || nul > 79) return undefined;
  const keyword = latin1(data.subarray(0, nul));
  if (type === "tEXt") return [keyword, latin1(data.subarray(nul + 1))];
  if (type !== "iTXt" || data[nul + 1] !== 0) return undefined;
  const languageEnd = data.indexOf(0, nul + 3);
  const translatedEnd = languageEnd < 0 ? -1 : data.indexOf(0, languageEnd + 1);
  if (translatedEnd < 0) return undefined;
  return [keyword, new TextDecoder().decode(data.subarray(translatedEnd + 1))];
}
