import { npyHeader, npyValues } from "../checkpoint/npy.js";
import { bad } from "../errors.js";
import { decodeJpeg, isJpeg } from "../image/jpeg.js";
import { decodePng } from "../image/png.js";

/** Channels, height, width. */
export type ItemShape = readonly [channels: number, height: number, width: number];

/** A file of a data set, read: bytes of pixels, or values of a latent, [C, H, W]. */
export interface StoredItem {
  readonly shape: ItemShape;
  readonly values: Uint8Array | Float32Array;
}

export const LATENT_CHANNELS = 8;
/** A latent of 1024 x 1024. */
const LARGEST_LATENT = LATENT_CHANNELS * 2 ** 20;

/** @param where the file, which ends in .npy for a latent @throws BAD_ARGUMENT naming it */
export async function decodeItem(bytes: Uint8Array, where: string): Promise<StoredItem> {
  if (/\.npy$/i.test(where)) return decodeLatent(bytes, where);
  const image = isJpeg(bytes) ? await decodeJpeg(bytes, where) : decodePng(bytes, where);
  const { width, height, channels, data } = image;
  if (channels === 4) throw bad(`${where} has an alpha channel: flatten it first`);
  const values = new Uint8Array(data.length);
  for (let ch = 0; ch < channels; ch++)
    for (let p = 0; p < width * height; p++) values[ch * width * height + p] = data[p * channels + ch]!;
  return { shape: [channels, height, width], values };
}

function decodeLatent(bytes: Uint8Array, where: string): StoredItem {
  const header = npyHeader(bytes, where);
  const [channels = 0, height = 0, width = 0, more] = header.shape;
  if (channels !== LATENT_CHANNELS || height * width === 0 || more !== undefined || !/^f/.test(header.type))
    throw bad(`${where} is (${header.shape.join(", ")}) of ${header.type}: latents are floats of (8, H, W)`);
  if (header.fortran) throw bad(`${where} is in Fortran order: save it in C order`);
  if (header.count > LARGEST_LATENT) throw bad(`${where} is too large for a latent`);
  if (header.size !== bytes.length) throw bad(`${where} is damaged: its data do not fill its shape`);
  const values = npyValues(bytes, header, where, new Float32Array(header.count));
  const at = values.findIndex((v) => !Number.isFinite(v));
  if (at >= 0) throw bad(`${where} has a value that is ${values[at]} (element ${at})`);
  return { shape: [channels, height, width], values };
}
