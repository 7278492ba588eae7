import { bad, quote } from "../errors.js";
import { decodeJpeg, isJpeg } from "../image/jpeg.js";
import type { RawImage } from "../image/pixels.js";
import { decodePng } from "../image/png.js";
import { type FileArray, inRange, npyFile, readInput, type ValueRange } from "./arrays.js";
import { type FolderFile, listed, listFolder } from "./folder.js";
import { shapeText } from "./inputs.js";

/** What folders of pictures hold. */
export const PICTURES: readonly string[] = [".png", ".jpg", ".jpeg", ".npy"];

/** Tells people about something beside the result. */
export type Say = (line: string) => void;

/** A picture and what to call it. */
export interface Picture {
  readonly name: string;
  readonly image: RawImage;
}

/**
 * All pictures of a folder and its subfolders (links followed, each once), in order of name.
 * @throws BAD_ARGUMENT when it is no folder, has none, or has two of one name
 */
function listPictures(folder: string, say: Say): readonly FolderFile[] {
  const { files, left } = listFolder(folder, PICTURES, true);
  if (left) say(left);
  if (files.length === 0) throw bad(`${folder} has no images: it holds no PNG, JPEG or .npy file`);
  const names = new Set<string>();
  for (const { name } of files) {
    if (names.has(name)) throw bad(`${folder} has two images called ${quote(name)}: rename one`);
    names.add(name);
  }
  return files;
}

/**
 * The images of two folders that have the same name (whatever the ending, and the Unicode form).
 * @throws BAD_ARGUMENT naming those without a partner
 */
export function pairPictures(data: string, ref: string, say: Say): { name: string; data: string; ref: string }[] {
  const [ours, theirs] = [listPictures(data, say), listPictures(ref, say)];
  const partner = new Map(theirs.map(({ name, path }) => [name, path]));
  const names = new Set(ours.map(({ name }) => name));
  const alone = ours.filter(({ name }) => !partner.has(name));
  const left = theirs.filter(({ name }) => !names.has(name));
  const complaint = (files: readonly FolderFile[], here: string, there: string) =>
    files.length === 0
      ? []
      : [`${here} has ${listed(files.map(({ name }) => name))} without a partner of that name in ${there}`];
  const complaints = [...complaint(alone, data, ref), ...complaint(left, ref, data)];
  if (complaints.length > 0) throw bad(`${complaints.join("; ")}: images are compared name by name`);
  return ours.map(({ name, path }) => ({ name, data: path, ref: partner.get(name)! }));
}

const decodePicture = (bytes: Uint8Array, path: string): RawImage | Promise<RawImage> =>
  isJpeg(bytes) ? decodeJpeg(bytes, path) : decodePng(bytes, path);

/**
 * Reads one picture from a PNG, JPEG or .npy file: grey or RGB. Arrays are [H, W], [C, H, W] or [H, W, C], bytes or numbers of
 * `range`.
 * @throws BAD_ARGUMENT for a damaged one, one with transparency, or an array that is no picture
 */
export async function readPicture(path: string, range: ValueRange | undefined, say: Say): Promise<RawImage> {
  const image = await pictureIn(readInput(path), path, range, say);
  if (image.channels === 4) throw bad(`${path} has an alpha channel: flatten it first`);
  return image;
}

/** The picture in the bytes of a PNG, JPEG or .npy file, which may have an alpha channel. @throws BAD_ARGUMENT for a damaged one */
export async function pictureIn(
  bytes: Uint8Array,
  path: string,
  range: ValueRange | undefined,
  say: Say,
): Promise<RawImage> {
  // Pixels stay bytes: as numbers a large picture takes four times the memory.
  if (!/\.npy$/i.test(path)) return decodePicture(bytes, path);
  const array = npyFile(bytes, path);
  const [image, more] = picturesOf(array, path, range, say);
  if (!image || more) throw bad(`${path} is ${shapeText(array.shape)}: one picture is [H, W], [C, H, W] or [H, W, C]`);
  return image;
}

const isColours = (n: number | undefined) => n === 1 || n === 3;

/** Pictures of an array: [H, W], [C, H, W], [H, W, C], [N, C, H, W] or [N, H, W, C], C 1 or 3; none of any other. */
export function picturesOf(array: FileArray, path: string, range: ValueRange | undefined, say: Say): RawImage[] {
  const { shape } = array;
  const dims = shape.length === 2 ? [1, 1, ...shape] : shape.length === 3 ? [1, ...shape] : shape;
  const last = !isColours(dims[1]) && isColours(dims[3]);
  if (dims.length !== 4 || (!last && !isColours(dims[1]))) return [];
  const [n, c, h, w] = last ? [dims[0]!, dims[3]!, dims[1]!, dims[2]!] : (dims as [number, number, number, number]);
  const values =
    array.kind === "bytes" ? array.values : inRange(array.values, path, range, say).map((v) => 127.5 * v + 127.5);
  const size = c * h * w;
  return Array.from({ length: n }, (_, i) => {
    const data = new Uint8Array(size);
    const own = values.subarray(i * size, (i + 1) * size);
    for (let p = 0; p < h * w; p++)
      for (let ch = 0; ch < c; ch++) data[p * c + ch] = Math.round(own[last ? p * c + ch : ch * h * w + p]!);
    return { width: w, height: h, channels: c as 1 | 3, data };
  });
}
