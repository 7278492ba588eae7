/** Files of pictures, written and read: in a chunk of its own. */
import { encodePng, fromImage, pngText } from "ncvsd-gpu";
import { PIXELS, type PngJob, type Read, type ReadJob, SIDE } from "./protocol.js";

export async function png({ images, text }: PngJob): Promise<Uint8Array> {
  return encodePng(images, [images.length / PIXELS, 1, SIDE, SIDE], { text });
}

/** Any picture in the network's size and range, and the text chunks where it is a PNG. */
export async function read({ bytes }: ReadJob): Promise<Read> {
  const values = await fromImage(bytes, { shape: [1, SIDE, SIDE] });
  return { values, text: pngText(bytes) };
}
