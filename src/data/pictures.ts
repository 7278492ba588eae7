import { readdirSync, readFileSync, statSync } from "node:fs";
import { extname, join, relative, sep } from "node:path";
import { decode as decodeJpegFile } from "jpeg-js";
import { openCheckpoint } from "../checkpoint/index.js";
import { bad, NcvsdError } from "../errors.js";
import { imagesFromPlanarBytes, type RawImage } from "../image/pixels.js";
import { decodePng } from "../image/png.js";
import type { ImageShape } from "../networks/session.js";
import { shapeText } from "./inputs.js";

const PICTURES = [".png", ".jpg", ".jpeg"];
/** Names that a message lists at most. */
const LISTED = 5;

/** A picture and what to call it. */
export interface Picture {
  readonly name: string;
  readonly image: RawImage;
}

export interface PictureFile {
  /** Path below the folder without the file's ending, parted by "/". */
  readonly name: string;
  readonly path: string;
}

/**
 * All PNG and JPEG files of a folder and its subfolders, in order of name.
 * @throws BAD_ARGUMENT when it is no folder, has none, or has two of one name
 */
function listPictures(folder: string): PictureFile[] {
  const found: PictureFile[] = [];
  const visit = (dir: string) => {
    for (const entry of readdirSync(dir, { withFileTypes: true })) {
      const path = join(dir, entry.name);
      if (entry.isDirectory()) visit(path);
      else if (PICTURES.includes(extname(entry.name).toLowerCase()) && !entry.name.startsWith(".")) {
        const inside = relative(folder, path).split(sep).join("/");
        found.push({ name: inside.slice(0, -extname(inside).length), path });
      }
    }
  };
  try {
    if (!statSync(folder).isDirectory()) throw bad(`${folder} is a file: name a folder of PNG or JPEG images`);
    visit(folder);
  } catch (cause) {
    if (cause instanceof NcvsdError) throw cause;
    const missing = (cause as NodeJS.ErrnoException).code === "ENOENT";
    throw bad(missing ? `${folder} is not there` : `${folder} cannot be read: ${(cause as Error).message}`, cause);
  }
  if (found.length === 0) throw bad(`${folder} has no images: it holds no PNG or JPEG file`);
  found.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const twice = found.find(({ name }, i) => found[i + 1]?.name === name);
  if (twice) throw bad(`${folder} has two images called ${twice.name}: rename one`);
  return found;
}

/**
 * The images of two folders that have the same name (whatever the ending).
 * @throws BAD_ARGUMENT naming those without a partner
 */
export function pairPictures(data: string, ref: string): { name: string; data: string; ref: string }[] {
  const [ours, theirs] = [listPictures(data), listPictures(ref)];
  const partner = new Map(theirs.map(({ name, path }) => [name, path]));
  const alone = ours.filter(({ name }) => !partner.has(name));
  const names = new Set(ours.map(({ name }) => name));
  const left = theirs.filter(({ name }) => !names.has(name));
  const say = (files: readonly PictureFile[], here: string, there: string) => {
    const shown = files
      .slice(0, LISTED)
      .map(({ name }) => name)
      .join(", ");
    const more = files.length > LISTED ? `, and ${files.length - LISTED} more` : "";
    return `${here} has ${shown}${more} without a partner of that name in ${there}`;
  };
  const complaints = [...(alone.length ? [say(alone, data, ref)] : []), ...(left.length ? [say(left, ref, data)] : [])];
  if (complaints.length > 0) throw bad(`${complaints.join("; ")}: images are compared name by name`);
  return ours.map(({ name, path }) => ({ name, data: path, ref: partner.get(name)! }));
}

/** Reads a PNG or JPEG file, grey or RGB. @throws BAD_ARGUMENT for a damaged one, or one with transparency */
export function readPicture(path: string): RawImage {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw bad(`${path} cannot be read: ${(cause as Error).message}`, cause);
  }
  const image = bytes[0] === 0xff && bytes[1] === 0xd8 ? decodeJpeg(bytes, path) : decodePng(bytes, path);
  if (image.channels === 4) throw bad(`${path} has an alpha channel: flatten it first`);
  return image;
}

function decodeJpeg(bytes: Uint8Array, path: string): RawImage {
  let decoded: { width: number; height: number; data: Uint8Array };
  try {
    decoded = decodeJpegFile(bytes, { useTArray: true, formatAsRGBA: false, tolerantDecoding: false });
  } catch (cause) {
    throw bad(`${path} is damaged, or a JPEG of a kind that is not read: ${(cause as Error).message}`, cause);
  }
  const { width, height, data } = decoded;
  if (jpegComponents(bytes) !== 1) return { width, height, channels: 3, data };
  return { width, height, channels: 1, data: data.filter((_, i) => i % 3 === 0) };
}

/** Colour components that a JPEG's frame header tells; the decoder gives RGB for grey ones too. */
function jpegComponents(bytes: Uint8Array): number {
  for (let at = 2; at + 9 < bytes.length; at += 2 + ((bytes[at + 2]! << 8) | bytes[at + 3]!)) {
    const marker = bytes[at + 1]!;
    const frame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (frame) return bytes[at + 9]!;
  }
  return 3;
}

/**
 * The images at a path in batches: a folder of PNG and JPEG files, or the tensor `images` (U8, [N, C, H, W]) of a safetensors
 * file. All must have the shape that is asked for.
 * @throws BAD_ARGUMENT naming the first that has another
 */
export async function openPictures(path: string, shape: ImageShape, whose: string) {
  const source = /\.safetensors$/i.test(path) ? await tensorPictures(path) : folderPictures(path);
  async function* batches(size: number): AsyncGenerator<Picture[]> {
    for (let at = 0; at < source.count; at += size) {
      const length = Math.min(size, source.count - at);
      const batch = Array.from({ length }, (_, i) => source.read(at + i));
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

function folderPictures(folder: string) {
  const files = listPictures(folder);
  const read = (i: number): Picture => ({ name: files[i]!.path, image: readPicture(files[i]!.path) });
  return { count: files.length, read };
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
