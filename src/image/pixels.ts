import { NcvsdError } from "../errors.js";

/** An 8-bit picture: rows from the top, channels interleaved (grey, RGB or RGBA), `data.length = width * height * channels`. */
export interface RawImage {
  width: number;
  height: number;
  channels: 1 | 3 | 4;
  data: Uint8Array;
}

/** Pixels that a picture from a file may have: a small file can claim any size. */
export const MAX_PIXELS = 1 << 27;

/** Batch shape [N, C, H, W]. */
export type BatchShape = readonly [number, number, number, number];

/**
 * One value of the network's range [-1, 1] to a byte: truncate(clip(127.5 x + 128, 0, 255)), product and sum each rounded to
 * float32 as the reference computes them. Values outside the range saturate; this undoes `fromByte` exactly.
 */
export function toByte(x: number): number {
  const v = Math.fround(Math.fround(127.5 * Math.fround(x)) + 128);
  return v <= 0 ? 0 : v >= 255 ? 255 : Math.trunc(v);
}

/** One byte to the network's range: u8 / 127.5 - 1, in float32. */
export function fromByte(u8: number): number {
  return Math.fround(Math.fround(u8 / 127.5) - 1);
}

function checkShape(length: number, [n, c, h, w]: BatchShape): void {
  if (c !== 1 && c !== 3) {
    const hint = c === 4 || c === 8 ? " (latents, probably: keep the raw values instead)" : "";
    throw new NcvsdError(
      "BAD_ARGUMENT",
      `values with ${c} channels are no picture${hint}: only 1 (grey) or 3 (RGB) channels can be written as PNG`,
    );
  }
  if (length !== n * c * h * w) {
    throw new NcvsdError("BAD_ARGUMENT", `${length} values do not fill a batch of shape [${n}, ${c}, ${h}, ${w}]`);
  }
}

function interleave(shape: BatchShape, byteAt: (index: number) => number): RawImage[] {
  const [n, c, h, w] = shape;
  const plane = h * w;
  return Array.from({ length: n }, (_, i) => {
    const data = new Uint8Array(plane * c);
    for (let ch = 0; ch < c; ch++) {
      const start = (i * c + ch) * plane;
      for (let p = 0; p < plane; p++) data[p * c + ch] = byteAt(start + p);
    }
    return { width: w, height: h, channels: c as 1 | 3, data };
  });
}

/**
 * NCHW values in [-1, 1] to N pictures (C = 1 grey, C = 3 RGB).
 * @throws NcvsdError BAD_ARGUMENT for other channel counts or a wrong length, NOT_FINITE when a value is NaN or infinite
 *   (a clip would hide it).
 */
export function imagesFromValues(values: Float32Array, shape: BatchShape): RawImage[] {
  checkShape(values.length, shape);
  return interleave(shape, (index) => {
    const x = values[index]!;
    if (!Number.isFinite(x)) {
      const perImage = shape[1] * shape[2] * shape[3];
      throw new NcvsdError("NOT_FINITE", `image ${Math.floor(index / perImage)} of the batch has a value that is ${x}`);
    }
    return toByte(x);
  });
}

/** NCHW bytes (already converted, on the GPU for instance) to N pictures. */
export function imagesFromPlanarBytes(bytes: Uint8Array, shape: BatchShape): RawImage[] {
  checkShape(bytes.length, shape);
  return interleave(shape, (index) => bytes[index]!);
}

/**
 * N pictures of one size and channel count (1 or 3) to NCHW values in [-1, 1].
 * @throws NcvsdError BAD_ARGUMENT when there is none, they differ, or one has an alpha channel.
 */
export function valuesFromImages(images: readonly RawImage[]): { values: Float32Array; shape: BatchShape } {
  if (images[0]?.channels === 4) {
    throw new NcvsdError(
      "BAD_ARGUMENT",
      "an image with an alpha channel has no place in the network: flatten it first",
    );
  }
  const { bytes, shape } = planarFromImages(images);
  return { values: Float32Array.from(bytes, fromByte), shape };
}

/**
 * N pictures of one size and channel count to NCHW bytes.
 * @throws NcvsdError BAD_ARGUMENT when there is none, or they differ.
 */
export function planarFromImages(images: readonly RawImage[]): { bytes: Uint8Array; shape: BatchShape } {
  const first = images[0];
  if (!first) throw new NcvsdError("BAD_ARGUMENT", "no image was given");
  const { width, height, channels } = first;
  const plane = width * height;
  const bytes = new Uint8Array(images.length * channels * plane);
  images.forEach((image, i) => {
    if (image.width !== width || image.height !== height || image.channels !== channels) {
      throw new NcvsdError(
        "BAD_ARGUMENT",
        `image ${i} is ${image.width}x${image.height} with ${image.channels} channels where the first is ${width}x${height} with ${channels}: a batch has one shape`,
      );
    }
    for (let ch = 0; ch < channels; ch++) {
      const start = (i * channels + ch) * plane;
      for (let p = 0; p < plane; p++) bytes[start + p] = image.data[p * channels + ch]!;
    }
  });
  return { bytes, shape: [images.length, channels, height, width] };
}

/** The picture as RGB: grey is repeated, transparency lies over white. RGB comes back as it is, not copied. */
export function toRgb(image: RawImage): RawImage {
  if (image.channels === 3) return image;
  const { width, height, channels, data } = image;
  const rgb = new Uint8Array(width * height * 3);
  for (let p = 0; p < width * height; p++) {
    const alpha = channels === 4 ? data[p * 4 + 3]! : 255;
    for (let ch = 0; ch < 3; ch++) {
      const v = channels === 4 ? data[p * 4 + ch]! : data[p]!;
      rgb[p * 3 + ch] = Math.round((v * alpha + 255 * (255 - alpha)) / 255);
    }
  }
  return { width, height, channels: 3, data: rgb };
}

/**
 * The picture as an imaging library converts it to RGB or to grey: transparency is dropped, grey is repeated, and grey of colours
 * is 0.299 R + 0.587 G + 0.114 B in 16 bits.
 */
export function toChannels(image: RawImage, wanted: 1 | 3): RawImage {
  const { width, height, channels, data } = image;
  if (channels === wanted) return image;
  const out = new Uint8Array(width * height * wanted);
  // From one colour to the next.
  const next = channels === 1 ? 0 : 1;
  for (let p = 0; p < width * height; p++) {
    const at = p * channels;
    const [r, g, b] = [data[at]!, data[at + next]!, data[at + 2 * next]!];
    if (wanted === 1) out[p] = (19595 * r + 38470 * g + 7471 * b + 32768) >> 16;
    else {
      out[3 * p] = r;
      out[3 * p + 1] = g;
      out[3 * p + 2] = b;
    }
  }
  return { width, height, channels: wanted, data: out };
}
