import { decode, encode } from "fast-png";
import { Unzlib } from "fflate";
import { bad, NcvsdError } from "../errors.js";
import { MAX_PIXELS, type RawImage } from "./pixels.js";
import { type PngChunk, readChunks, readTextChunk, textChunk, writeChunks } from "./png-chunks.js";

/** What a PNG file holds, brought to 8 bits. */
export interface DecodedPng extends RawImage {
  /** The tEXt and uncompressed iTXt chunks, by keyword; the last one wins. */
  text: Record<string, string>;
}

/**
 * A picture as a PNG file of 8 bits a channel.
 * @param text keyword (1 to 79 ASCII characters) to text of any characters; written before the pixels, so that even a
 *   cut-off file still says where it came from.
 * @param level of compression, 0 (none) to 9
 * @throws NcvsdError BAD_ARGUMENT when the data do not fill the size or a keyword is not allowed.
 */
export function encodePng(image: RawImage, text: Record<string, string> = {}, level = 6): Uint8Array {
  const { width, height, channels, data } = image;
  const whole = Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0;
  if (!whole || ![1, 3, 4].includes(channels) || data.length !== width * height * channels) {
    throw bad(`a picture of ${width}x${height} with ${channels} channels cannot be made of ${data.length} bytes`);
  }
  const plain = readChunks(
    encode({ width, height, channels, data, depth: 8 }, { zlib: { level: level as 6 } }),
    "the picture",
  );
  const texts = Object.entries(text).map(([keyword, value]) => textChunk(keyword, value));
  return writeChunks([...plain.slice(0, 1), ...texts, ...plain.slice(1)]);
}

/**
 * Reads a PNG file: grey, RGB, palette and alpha, 1 to 16 bits, interlaced or not. The result has 8 bits: 16 are rounded,
 * fewer are spread over 0..255; a palette becomes RGB; transparency (alpha or a transparent colour) makes it RGBA.
 * Colour profiles and gamma are not applied.
 * @param name what to call the file in a message
 * @throws NcvsdError BAD_ARGUMENT when it is no PNG, cut off, damaged, too large, or of a kind that is not read.
 */
export function decodePng(bytes: Uint8Array, name = "the image"): DecodedPng {
  const { text, data, top: _, ...image } = decodeSamples(bytes, name, 8);
  return { ...image, data: data as Uint8Array, text };
}

/** The same with all 16 bits of a picture that has them (others have their 8). */
export function decodePng16(bytes: Uint8Array, name = "the image") {
  return decodeSamples(bytes, name, 16);
}

function decodeSamples(bytes: Uint8Array, name: string, bits: 8 | 16) {
  const chunks = readChunks(bytes, name);
  const header = readHeader(chunks, name);
  const text = pngText(chunks);
  // Only what decides the pixels is passed on: a malformed colour profile or comment is no reason to refuse a picture.
  const pixelChunks = chunks.filter(({ type }) => ["IHDR", "PLTE", "IDAT", "IEND"].includes(type));
  const tRNS = chunks.find(({ type }) => type === "tRNS")?.data;
  refuseBomb(chunks, header, name);
  let decoded: ReturnType<typeof decode>;
  try {
    decoded = decode(writeChunks(pixelChunks));
  } catch (cause) {
    throw bad(`${name} is damaged: its pixels cannot be unpacked`, cause);
  }
  const samples = unpackSamples(decoded.data, header);
  return { ...toPixels(samples, header, decoded.palette, tRNS, name, bits), text };
}

/** The most that deflate makes of a byte. */
const DEFLATE_RATIO = 1032;
/** Bytes beyond those of the pixels that some encoders write, and that are worth no second pass. */
const SLACK = 2 ** 16;
const HARMLESS = 2 ** 24;

/**
 * Refuses pixels that unpack to more than the header's size takes, having unpacked hardly more than that. Where the packed bytes
 * cannot hold much, nothing is unpacked.
 */
function refuseBomb(chunks: readonly PngChunk[], header: Header, name: string): void {
  const { width, height, depth, samplesPerPixel, interlaced } = header;
  const rows = interlaced
    ? ADAM7.map(([x, y, dx, dy]) => [passes(width, x, dx), passes(height, y, dy)])
    : [[width, height]];
  const expected = rows.reduce(
    (sum, [w, h]) => sum + (w! > 0 ? h! * (1 + Math.ceil((w! * samplesPerPixel * depth) / 8)) : 0),
    0,
  );
  const packed = chunks.filter(({ type }) => type === "IDAT");
  if (packed.reduce((sum, { data }) => sum + data.length, 0) * DEFLATE_RATIO <= expected + HARMLESS) return;
  let size = 0;
  const inflate = new Unzlib((piece) => {
    size += piece.length;
    if (size > expected + SLACK)
      throw bad(
        `${name} is damaged: its pixels unpack to more than the ${expected} bytes that ${width}x${height} take`,
      );
  });
  try {
    for (const { data } of packed)
      for (let at = 0; at < data.length; at += 4096) inflate.push(data.subarray(at, at + 4096));
  } catch (cause) {
    throw cause instanceof NcvsdError ? cause : bad(`${name} is damaged: its pixels cannot be unpacked`, cause);
  }
}

/** Where the seven passes of an interlaced picture begin, and their steps: x, y, dx, dy. */
const ADAM7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;
const passes = (length: number, start: number, step: number) => Math.max(0, Math.ceil((length - start) / step));

/** The text chunks of a PNG file of which only the beginning may be there; empty when there is none or it is no PNG. */
export function peekPngText(bytes: Uint8Array): Record<string, string> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let offset = 8; offset + 12 <= bytes.length; ) {
    const end = offset + 12 + view.getUint32(offset);
    const last = String.fromCharCode(...bytes.subarray(offset + 4, offset + 8)) === "IDAT" || end > bytes.length;
    if (last) {
      try {
        const iend = writeChunks([{ type: "IEND", data: new Uint8Array(0) }]).subarray(8);
        const head = new Uint8Array(offset + iend.length);
        head.set(bytes.subarray(0, offset));
        head.set(iend, offset);
        return pngText(readChunks(head, ""));
      } catch {
        return {};
      }
    }
    offset = end;
  }
  return {};
}

interface Header {
  width: number;
  height: number;
  depth: number;
  /** 0 grey, 2 RGB, 3 palette, 4 grey + alpha, 6 RGBA */
  colourType: number;
  samplesPerPixel: number;
  interlaced: boolean;
}

const SAMPLES: Record<number, number> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

function readHeader(chunks: readonly PngChunk[], name: string): Header {
  const first = chunks[0]!;
  if (first.type !== "IHDR" || first.data.length !== 13)
    throw bad(`${name} is damaged: it does not begin with a header`);
  const view = new DataView(first.data.buffer, first.data.byteOffset, 13);
  const [width, height] = [view.getUint32(0), view.getUint32(4)];
  const [depth, colourType, interlace] = [view.getUint8(8), view.getUint8(9), view.getUint8(12)];
  const samplesPerPixel = SAMPLES[colourType];
  if (!samplesPerPixel || ![1, 2, 4, 8, 16].includes(depth)) {
    throw bad(`${name} is damaged: its header asks for colour type ${colourType} with ${depth} bits`);
  }
  if (width === 0 || height === 0) throw bad(`${name} is damaged: its header says ${width}x${height} pixels`);
  if (width * height > MAX_PIXELS)
    throw bad(`${name} has ${width}x${height} pixels: more than ${MAX_PIXELS} are not read`);
  if (interlace !== 0 && depth < 8) {
    throw bad(`${name} is interlaced with fewer than 8 bits, which is not read: save it without interlacing`);
  }
  const foreign = chunks.find(({ type }) => /^[A-Z]/.test(type) && !["IHDR", "PLTE", "IDAT", "IEND"].includes(type));
  if (foreign) throw bad(`${name} needs the unknown PNG chunk ${foreign.type}: save it as a standard PNG`);
  if (!chunks.some(({ type }) => type === "IDAT")) throw bad(`${name} is damaged: it has no pixels`);
  return { width, height, depth, colourType, samplesPerPixel, interlaced: interlace !== 0 };
}

function pngText(chunks: readonly PngChunk[]): Record<string, string> {
  return Object.fromEntries(chunks.map(readTextChunk).filter((entry) => entry !== undefined));
}

/** One number a sample: packed rows (1, 2, 4 bits, each row begins on a byte) are taken apart. */
function unpackSamples(data: ArrayLike<number>, { width, height, depth, samplesPerPixel }: Header): ArrayLike<number> {
  if (depth >= 8) return data;
  const perRow = width * samplesPerPixel;
  const bytesPerRow = Math.ceil((perRow * depth) / 8);
  const out = new Uint8Array(perRow * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < perRow; x++) {
      const byte = data[y * bytesPerRow + ((x * depth) >> 3)]!;
      out[y * perRow + x] = (byte >> (8 - depth - ((x * depth) & 7))) & ((1 << depth) - 1);
    }
  }
  return out;
}

function toPixels(
  samples: ArrayLike<number>,
  header: Header,
  palette: readonly (readonly number[])[] | undefined,
  tRNS: Uint8Array | undefined,
  name: string,
  bits: 8 | 16,
) {
  const { width, height, depth, colourType, samplesPerPixel } = header;
  const pixels = width * height;
  const max = (1 << depth) - 1;
  const top = depth === 16 && bits === 16 ? 65535 : 255;
  const scaled = (v: number) => (max === top ? v : Math.round((v * top) / max));
  if (colourType === 3 && !palette) throw bad(`${name} is damaged: its palette is missing`);
  // The one colour that is transparent in a grey or RGB picture (16-bit numbers, whatever the depth).
  const key =
    tRNS && colourType !== 3
      ? Array.from({ length: tRNS.length >> 1 }, (_, i) => (tRNS[2 * i]! << 8) | tRNS[2 * i + 1]!)
      : undefined;
  const hasAlpha = colourType === 4 || colourType === 6 || tRNS !== undefined;
  const channels: 1 | 3 | 4 = hasAlpha ? 4 : colourType === 0 ? 1 : 3;
  // Grey and RGB of 8 bits are pixels as they are.
  if (depth === 8 && colourType !== 3 && !hasAlpha && samples instanceof Uint8Array)
    return { width, height, channels, data: samples, top };
  const data = top === 255 ? new Uint8Array(pixels * channels) : new Uint16Array(pixels * channels);
  for (let p = 0; p < pixels; p++) {
    const at = p * samplesPerPixel;
    const to = p * channels;
    let alpha = top;
    if (colourType === 3) {
      const index = samples[at]!;
      const colour = palette![index];
      if (!colour) throw bad(`${name} is damaged: pixel ${p} uses colour ${index}, which its palette does not have`);
      data.set(colour.slice(0, 3), to);
      alpha = tRNS?.[index] ?? 255;
    } else {
      const colours = samplesPerPixel >= 3 ? 3 : 1;
      for (let ch = 0; ch < Math.min(channels, 3); ch++)
        data[to + ch] = scaled(samples[at + Math.min(ch, colours - 1)]!);
      if (samplesPerPixel > colours) alpha = scaled(samples[at + colours]!);
      else if (key?.length === colours && key.every((v, ch) => v === samples[at + ch])) alpha = 0;
    }
    if (hasAlpha) data[to + 3] = alpha;
  }
  return { width, height, channels, data, top };
}
