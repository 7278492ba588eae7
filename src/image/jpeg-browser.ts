import { bad } from "../errors.js";
import type { RawImage } from "./pixels.js";

// Stands in for jpeg.ts where a bundler builds for browsers (package.json, `browser`): a browser has decoders of its own.

/** Whatever is no PNG may be a picture that the browser knows: JPEG, WebP, AVIF, GIF. */
export const isJpeg = (_bytes: Uint8Array): boolean => true;

/**
 * Has the browser decode a picture, turned upright as its Exif data say; also in a worker.
 * @throws NcvsdError BAD_ARGUMENT for what the browser does not know
 */
export async function decodeJpeg(bytes: Uint8Array, name = "the image"): Promise<RawImage> {
  const options = { colorSpaceConversion: "none", premultiplyAlpha: "none" } as const;
  const bitmap = await createImageBitmap(new Blob([bytes as Uint8Array<ArrayBuffer>]), options).catch((cause) => {
    throw bad(`${name} is damaged, or a picture of a kind that this browser does not read`, cause);
  });
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d")!;
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const { data } = context.getImageData(0, 0, width, height);
  return { width, height, channels: 4, data: new Uint8Array(data.buffer) };
}
