import { bad } from "../errors.js";
import { MAX_PIXELS, type RawImage } from "./pixels.js";

/** Passes over a progressive picture that are read; libjpeg-turbo's tools and browsers stop there as well. */
const MAX_SCANS = 500;
/** Pixels in four inks: their decoder takes some 50 bytes for each. */
const MAX_INKED_PIXELS = 2 ** 22;
/** The decoder's memory never shrinks: above this much it is thrown away after use. */
const KEPT_BYTES = 2 ** 26;

/** What the segments in front of the pixels tell. */
interface JpegHeader {
  readonly width: number;
  readonly height: number;
  readonly components: number;
  readonly precision: number;
  readonly arithmetic: boolean;
  /** As Exif counts them: 1 to 8. */
  readonly orientation: number;
}

export const isJpeg = (bytes: Uint8Array): boolean => bytes[0] === 0xff && bytes[1] === 0xd8;

/**
 * Reads a JPEG as libjpeg does: baseline and progressive, any subsampling, colours as YCbCr, RGB, CMYK or YCCK (converted
 * without a colour profile), grey; turned upright as its Exif data say.
 * @param name what to call the file in a message
 * @throws NcvsdError BAD_ARGUMENT for a damaged one, one of more than `MAX_PIXELS`, with more than 500 scans, or of 12 bits
 */
export async function decodeJpeg(bytes: Uint8Array, name = "the image"): Promise<RawImage> {
  const header = readHeader(bytes, name);
  const { width, height, components, precision, orientation } = header;
  if (precision !== 8) throw bad(`${name} is a JPEG of ${precision} bits: save it with 8 bits, or as PNG`);
  if (width * height > MAX_PIXELS)
    throw bad(`${name} has ${width}x${height} pixels: more than ${MAX_PIXELS} are not read`);
  // Huffman codes take a bit at least for every block of 8x8: a size that the file cannot fill is not made room for.
  if (!header.arithmetic && Math.ceil(width / 8) * Math.ceil(height / 8) > 8 * bytes.length)
    throw bad(`${name} is damaged: ${bytes.length} bytes cannot hold the ${width}x${height} pixels that it claims`);
  if (components === 4 && width * height > MAX_INKED_PIXELS)
    throw bad(`${name} has ${width}x${height} pixels of four inks (CMYK), too many to be read: save it as RGB`);
  if (countScans(bytes) > MAX_SCANS) throw bad(`${name} has more than ${MAX_SCANS} scans: save it again`);
  const image = components === 4 ? await decodeFourColours(bytes, name) : await decodeLibjpeg(bytes, name);
  if (image.width !== width || image.height !== height)
    throw bad(`${name} is damaged: its sizes contradict each other`);
  return upright(image, orientation);
}

type Libjpeg = Awaited<ReturnType<typeof import("@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs").default>>;
let libjpeg: Promise<Libjpeg> | undefined;

/** libjpeg-turbo, compiled to WebAssembly; loaded by the first JPEG. */
async function decodeLibjpeg(bytes: Uint8Array, name: string): Promise<RawImage> {
  libjpeg ??= import("@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs").then(({ default: open }) =>
    open({ print() {}, printErr() {} }),
  );
  const codec = await libjpeg;
  const decoder = new codec.JPEGDecoder();
  try {
    decoder.getEncodedBuffer(bytes.length).set(bytes);
    decoder.decode();
    const { width, height, componentCount } = decoder.getFrameInfo();
    const data = Uint8Array.from(decoder.getDecodedBuffer());
    decoder.delete();
    if (codec.HEAPU8.length > KEPT_BYTES) libjpeg = undefined;
    return { width, height, channels: componentCount === 1 ? 1 : 3, data };
  } catch (cause) {
    // What an exception left in the decoder's memory is of no use to the next picture.
    libjpeg = undefined;
    throw bad(`${name} is damaged, or a JPEG of a kind that is not read`, cause instanceof Error ? cause : undefined);
  }
}

/** Four inks, which libjpeg leaves to its caller. */
async function decodeFourColours(bytes: Uint8Array, name: string): Promise<RawImage> {
  const { decode } = await import("jpeg-js");
  try {
    const limits = { maxResolutionInMP: MAX_PIXELS / 1e6, maxMemoryUsageInMB: 2048 };
    const options = { useTArray: true, formatAsRGBA: false, tolerantDecoding: false, ...limits } as const;
    const { width, height, data } = decode(bytes, options);
    return { width, height, channels: 3, data };
  } catch (cause) {
    throw bad(`${name} is damaged, or a JPEG of a kind that is not read: ${(cause as Error).message}`, cause);
  }
}

const u16 = (bytes: Uint8Array, at: number) => (bytes[at]! << 8) | bytes[at + 1]!;

function readHeader(bytes: Uint8Array, name: string): JpegHeader {
  let orientation = 1;
  for (let at = 2; at + 4 <= bytes.length; ) {
    if (bytes[at] !== 0xff) break;
    const marker = bytes[at + 1]!;
    // Fill bytes, and markers without a length.
    if (marker === 0xff || marker === 0x01 || (marker >= 0xd0 && marker <= 0xd7)) {
      at += marker === 0xff ? 1 : 2;
      continue;
    }
    const length = u16(bytes, at + 2);
    const data = bytes.subarray(at + 4, at + 2 + length);
    if (marker === 0xe1) orientation = exifOrientation(data) ?? orientation;
    const frame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (frame && data.length >= 6) {
      const [height, width, components] = [u16(data, 1), u16(data, 3), data[5]!];
      if (width === 0 || height === 0) throw bad(`${name} is damaged: its header says ${width}x${height} pixels`);
      if (![1, 3, 4].includes(components)) throw bad(`${name} is a JPEG of ${components} colours, which is not read`);
      return { width, height, components, precision: data[0]!, arithmetic: marker > 0xc8, orientation };
    }
    if (marker === 0xda || marker === 0xd9) break;
    at += 2 + length;
  }
  throw bad(`${name} is damaged: no header of a JPEG is in it`);
}

function countScans(bytes: Uint8Array): number {
  let scans = 0;
  for (let at = bytes.indexOf(0xff); at >= 0 && scans <= MAX_SCANS; at = bytes.indexOf(0xff, at + 1))
    if (bytes[at + 1] === 0xda) scans++;
  return scans;
}

/** Tag 0x0112 of the first directory of an Exif segment. */
function exifOrientation(data: Uint8Array): number | undefined {
  if (String.fromCharCode(...data.subarray(0, 6)) !== "Exif\0\0") return undefined;
  const tiff = new DataView(data.buffer, data.byteOffset + 6, data.length - 6);
  try {
    const little = tiff.getUint16(0) === 0x4949;
    const first = tiff.getUint32(4, little);
    for (let i = 0; i < tiff.getUint16(first, little); i++) {
      const entry = first + 2 + 12 * i;
      if (tiff.getUint16(entry, little) !== 0x0112) continue;
      const value = tiff.getUint16(entry + 8, little);
      return value >= 1 && value <= 8 ? value : undefined;
    }
  } catch {
    // Cut off: a picture is none the worse for it.
  }
  return undefined;
}

/** Turns and mirrors a picture so that row 0 is the top: orientations 5 to 8 exchange rows and columns. */
function upright(image: RawImage, orientation: number): RawImage {
  if (orientation === 1) return image;
  const { width: w, height: h, channels, data } = image;
  const turned = orientation >= 5;
  const [width, height] = turned ? [h, w] : [w, h];
  const mirroredX = [2, 3, 7, 8].includes(orientation);
  const mirroredY = [3, 4, 6, 7].includes(orientation);
  const out = new Uint8Array(data.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [a, b] = turned ? [y, x] : [x, y];
      const from = (mirroredY ? h - 1 - b : b) * w + (mirroredX ? w - 1 - a : a);
      for (let c = 0; c < channels; c++) out[(y * width + x) * channels + c] = data[from * channels + c]!;
    }
  }
  return { width, height, channels, data: out };
}
