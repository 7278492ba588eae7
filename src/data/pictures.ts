import { openCheckpoint } from "../checkpoint/index.js";
import { bad, quote } from "../errors.js";
import { decodeJpeg, isJpeg } from "../image/jpeg.js";
import { imagesFromPlanarBytes, type RawImage } from "../image/pixels.js";
import { decodePng } from "../image/png.js";
import type { ImageShape } from "../networks/session.js";
import { type FileArray, inRange, readArray, readInput, type ValueRange } from "./arrays.js";
import { type FolderFile, listed, listFolder } from "./folder.js";
import { shapeText } from "./inputs.js";

/** What folders of pictures hold. */
const PICTURES = [".png", ".jpg", ".jpeg", ".npy"];

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
  // Pixels stay bytes: as numbers a large picture takes four times the memory.
  if (/\.(png|jpe?g)$/i.test(path)) {
    const image = await decodePicture(readInput(path), path);
    if (image.channels === 4) throw bad(`${path} has an alpha channel: flatten it first`);
    return image;
  }
  const array = await readArray(path, []);
  const [image] = picturesOf(array, path, range, say);
  if (!image) throw bad(`${path} is ${shapeText(array.shape)}: one picture is [H, W], [C, H, W] or [H, W, C]`);
  return image;
}

const isColours = (n: number | undefined) => n === 1 || n === 3;

/** Pictures of an array: [H, W], [C, H, W], [H, W, C], [N, C, H, W] or [N, H, W, C], C 1 or 3; none of any other. */
function picturesOf(array: FileArray, path: string, range: ValueRange | undefined, say: Say): RawImage[] {
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

/**
 * The images at a path in batches: a folder of pictures, the tensor `images` (U8, [N, C, H, W]) of a safetensors file, or an
 * .npy or .npz of [N, C, H, W] or [N, H, W, C]. All must have the shape that is asked for.
 * @throws BAD_ARGUMENT naming the first that has another
 */
export async function openPictures(
  path: string,
  shape: ImageShape,
  whose: string,
  { range, say }: { range?: ValueRange | undefined; say: Say },
) {
  const source = /\.safetensors$/i.test(path)
    ? await tensorPictures(path)
    : /\.np[yz]$/i.test(path)
      ? await arrayPictures(path, range, say)
      : folderPictures(path, range, say);
  async function* batches(size: number): AsyncGenerator<Picture[]> {
    for (let at = 0; at < source.count; at += size) {
      const length = Math.min(size, source.count - at);
      const batch: Picture[] = [];
      for (let i = 0; i < length; i++) batch.push(await source.read(at + i));
      for (const { name, image } of batch) requireShape(name, image, shape, whose);
      yield batch;
      // Signals are delivered in between.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  return { count: source.count, batches };
}

/** @throws BAD_ARGUMENT unless the picture is C x H x W */
function requireShape(name: string, image: RawImage, shape: ImageShape, whose: string): void {
  const found = [image.channels, image.height, image.width] as const;
  if (found.join() === shape.join()) return;
  throw bad(
    `${name} is ${shapeText(found)}, but ${whose} takes images of ${shapeText(shape)}: resize or convert it first`,
  );
}

function folderPictures(folder: string, range: ValueRange | undefined, say: Say) {
  const files = listPictures(folder, say);
  const read = async (i: number): Promise<Picture> => {
    const { path } = files[i]!;
    return { name: path, image: await readPicture(path, range, say) };
  };
  return { count: files.length, read };
}

async function arrayPictures(path: string, range: ValueRange | undefined, say: Say) {
  const array = await readArray(path, ["images", "arr_0"]);
  const images = picturesOf(array, path, range, say);
  if (images.length === 0)
    throw bad(`${path} is ${shapeText(array.shape)}: pictures are [N, C, H, W] or [N, H, W, C] with 1 or 3 channels`);
  return { count: images.length, read: (i: number): Picture => ({ name: `image ${i} of ${path}`, image: images[i]! }) };
}

async function tensorPictures(path: string) {
  const file = await openCheckpoint(path);
  try {
    const tensor = file.tensors.get("images");
    const [count = 0, c = 0, h = 0, w = 0, more] = tensor?.shape ?? [];
    if (tensor?.dtype !== "U8" || w === 0 || more !== undefined)
      throw bad(`${path} has no tensor called images of bytes (U8) and shape [N, C, H, W]`);
    const bytes = await file.readBytes("images");
    const size = c * h * w;
    const read = (i: number): Picture => ({
      name: `image ${i} of ${path}`,
      image: imagesFromPlanarBytes(bytes.subarray(i * size, (i + 1) * size), [1, c, h, w])[0]!,
    });
    return { count, read };
  } finally {
    await file.close();
  }
}
