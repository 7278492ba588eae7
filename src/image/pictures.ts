import { bad, checkKeys } from "../errors.js";
import { decodeJpeg, isJpeg } from "./jpeg.js";
import { imagesFromValues, type RawImage, toChannels, toRgb, valuesFromImages } from "./pixels.js";
import { decodePng, encodePng as encode } from "./png.js";
import { asBatch, type PictureShape } from "./quality.js";
import { cropped, resampled } from "./resample.js";

/** Pixels as a canvas holds them: RGBA, rows from the top. A browser's `ImageData` is one. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray | Uint8Array;
}

/** One picture, or the pictures of a batch side by side in rows, as square as they fit. */
function sheet(values: Float32Array, shape: PictureShape): RawImage {
  const images = imagesFromValues(values, asBatch(shape));
  const first = images[0];
  if (!first) throw bad(`shape [${shape.join(", ")}] holds no picture: give at least one`);
  if (images.length === 1) return first;
  const { width, height, channels } = first;
  const columns = Math.ceil(Math.sqrt(images.length));
  const rows = Math.ceil(images.length / columns);
  const data = new Uint8Array(columns * width * rows * height * channels);
  images.forEach((image, i) => {
    const [row, column] = [Math.floor(i / columns), i % columns];
    for (let y = 0; y < height; y++) {
      const line = image.data.subarray(y * width * channels, (y + 1) * width * channels);
      data.set(line, ((row * height + y) * columns + column) * width * channels);
    }
  });
  return { width: columns * width, height: rows * height, channels, data };
}

/**
 * A PNG file of a picture. A batch becomes one PNG with its pictures side by side, in rows, as square as they fit.
 * @param images values in [-1, 1], NCHW; C is 1 (grey) or 3 (RGB); what lies outside is clipped
 * @param shape [C, H, W] or [N, C, H, W]
 * @param options `text`: PNG text chunks by keyword (1 to 79 ASCII characters)
 * @throws NcvsdError BAD_ARGUMENT when values and shape do not fit or a keyword is not allowed, NOT_FINITE for NaN or infinity
 */
export function encodePng(
  images: Float32Array,
  shape: PictureShape,
  options: { readonly text?: Readonly<Record<string, string>> } = {},
): Uint8Array {
  checkKeys("encodePng", options, { text: true });
  return encode(sheet(images, shape), options.text);
}

/**
 * RGBA pixels for a canvas: an `ImageData` where there is that class (browsers), else an object of the same fields.
 * @param image values in [-1, 1], [C, H, W] with C 1 or 3; a batch becomes one picture as `encodePng` makes it
 * @throws NcvsdError as `encodePng`
 */
export function toImageData(image: Float32Array, shape: PictureShape): Pixels {
  const { width, height, channels, data } = sheet(image, shape);
  const rgba = new Uint8ClampedArray(width * height * 4).fill(255);
  const step = channels === 1 ? 0 : 1;
  for (let p = 0; p < width * height; p++) for (let c = 0; c < 3; c++) rgba[4 * p + c] = data[p * channels + c * step]!;
  return typeof ImageData === "function" ? new ImageData(rgba, width, height) : { width, height, data: rgba };
}

export interface FromImageOptions {
  /** [C, H, W] of the result, C 1 (grey) or 3 (RGB): a model's `shape`. */
  readonly shape: readonly [number, number, number];
  /**
   * `"crop"` (default): resized until it covers the shape, what stands out is cut off evenly; `"pad"`: resized until it fits,
   * black around it; `"none"`: it must have the size already.
   */
  readonly fit?: "crop" | "pad" | "none";
}

/**
 * A picture as values of the network's range: decoded, laid over white where it is transparent, made grey (0.299 R + 0.587 G +
 * 0.114 B) or RGB, resized with a Lanczos filter, mapped to [-1, 1].
 * @param image the bytes of a PNG or JPEG file (in a browser, of whatever it decodes), or pixels (`ImageData`, RGBA)
 * @returns C*H*W values in [-1, 1]
 * @throws NcvsdError BAD_ARGUMENT for bytes that are neither, a damaged file, a shape that is no picture's, or another size with
 *   `fit: "none"`
 */
export async function fromImage(
  image: Uint8Array | ArrayBuffer | Pixels,
  options: FromImageOptions,
): Promise<Float32Array> {
  checkKeys("fromImage", options, { shape: true, fit: true });
  const { shape, fit = "crop" } = options;
  const [channels, height, width] = checkShape(shape);
  if (!["crop", "pad", "none"].includes(fit)) throw bad(`fromImage: fit must be crop, pad or none, got ${fit}.`);
  const coloured = toChannels(opaque(await decoded(image)), channels);
  if (fit === "none" && (coloured.width !== width || coloured.height !== height))
    throw bad(
      `fromImage: the picture is ${coloured.width}x${coloured.height}, wanted is ${width}x${height}: take fit "crop" or "pad".`,
    );
  return valuesFromImages([fitted(coloured, width, height, fit)]).values;
}

function checkShape(shape: FromImageOptions["shape"] | undefined): readonly [1 | 3, number, number] {
  const [c, ...sides] = shape ?? [];
  const whole = shape?.length === 3 && sides.every((side) => Number.isInteger(side) && side > 0);
  if (!whole || (c !== 1 && c !== 3))
    throw bad(`fromImage: shape must be [1 or 3, height, width] of the wanted picture, got ${JSON.stringify(shape)}.`);
  return [c, sides[0]!, sides[1]!];
}

const opaque = (image: RawImage): RawImage => (image.channels === 4 ? toRgb(image) : image);

async function decoded(image: Uint8Array | ArrayBuffer | Pixels): Promise<RawImage> {
  const bytes = image instanceof ArrayBuffer ? new Uint8Array(image) : image;
  if (bytes instanceof Uint8Array) {
    if (bytes[0] === 0x89 && bytes[1] === 0x50) return decodePng(bytes);
    if (isJpeg(bytes)) return decodeJpeg(bytes);
    throw bad("fromImage: the bytes are neither a PNG nor a JPEG: convert the picture, or decode it to pixels.");
  }
  const { width, height, data } = bytes ?? {};
  if (!(width > 0 && height > 0) || data?.length !== width * height * 4)
    throw bad("fromImage: give the bytes of a PNG or JPEG, or pixels with width, height and width * height * 4 bytes.");
  return { width, height, channels: 4, data: new Uint8Array(data.buffer, data.byteOffset, data.length) };
}

/** The picture brought to width x height: what stands out is cut off, what is missing is black. */
function fitted(image: RawImage, width: number, height: number, fit: "crop" | "pad" | "none"): RawImage {
  const [sx, sy] = [width / image.width, height / image.height];
  const scale = fit === "pad" ? Math.min(sx, sy) : Math.max(sx, sy);
  const w = Math.max(1, Math.round(image.width * scale));
  const h = Math.max(1, Math.round(image.height * scale));
  return cropped(resampled(image, w, h, "lanczos"), (w - width) >> 1, (h - height) >> 1, width, height);
}
