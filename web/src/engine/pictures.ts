/** Files of pictures, written and read: in a chunk of its own. */
import { encodePng, fromImage, pngText } from "ncvsd-gpu";
import { PIXELS, type PngJob, type Read, type ReadJob, SIDE } from "./protocol.js";

export async function png({ images, text }: PngJob): Promise<Uint8Array> {
  return encodePng(images, [images.length / PIXELS, 1, SIDE, SIDE], { text });
}

/** The library reads PNG and JPEG; what else there is the browser may know. */
async function known(bytes: Uint8Array): Promise<Uint8Array | ImageData> {
  if (bytes[0] === 0x89 || bytes[0] === 0xff) return bytes;
  const bitmap = await createImageBitmap(new Blob([bytes as Uint8Array<ArrayBuffer>])).catch(() => undefined);
  // The library says what is wrong with it.
  if (!bitmap) return bytes;
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d")!;
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return context.getImageData(0, 0, width, height);
}

/** Any picture in the network's size and range, and the text chunks where it is a PNG. */
export async function read({ bytes }: ReadJob): Promise<Read> {
  const values = await fromImage(await known(bytes), { shape: [1, SIDE, SIDE] });
  return { values, text: pngText(bytes) };
}
