import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { openCheckpoint } from "../checkpoint/index.js";
import { bad } from "../errors.js";
import { imagesFromPlanarBytes, type RawImage } from "../image/pixels.js";
import type { ImageShape } from "../networks/session.js";
import { readArray, type ValueRange } from "./arrays.js";
import { type FileTree, openTree } from "./file-tree.js";
import { unreadable } from "./folder.js";
import { shapeText } from "./inputs.js";
import { PICTURES, pictureIn, picturesOf, type Say } from "./pictures.js";

/** A picture and what to call it. */
export interface Picture {
  readonly name: string;
  readonly image: RawImage;
}

/** Pictures at one place, in a fixed order. */
export interface PictureSet {
  readonly count: number;
  /** Of the pictures; of files their names, their lengths and some of their bytes: so that others under the same names are told apart. */
  readonly sha256: string;
  /** One of them; alpha channels are kept. */
  read(i: number): Promise<Picture>;
  close(): Promise<void>;
}

interface SetOptions {
  readonly range?: ValueRange | undefined;
  readonly say: Say;
}

/**
 * The pictures of a folder or zip archive with what lies below (PNG, JPEG, .npy; in order of their paths as text), of the tensor
 * `images` (U8, [N, C, H, W]) of a safetensors file, or of an .npy or .npz of [N, C, H, W] or [N, H, W, C].
 * @throws BAD_ARGUMENT when there are none, or the place cannot be read
 */
export async function openPictureSet(path: string, { range, say }: SetOptions): Promise<PictureSet> {
  if (/\.safetensors$/i.test(path)) return tensorPictures(path);
  if (/\.np[yz]$/i.test(path) && !isFolder(path)) return arrayPictures(path, range, say);
  const tree = await openTree(path, PICTURES);
  const { names, left, where } = tree;
  if (left) say(left);
  if (names.length === 0) {
    await tree.close();
    throw bad(`${path} has no images: it holds no PNG, JPEG or .npy file`);
  }
  return {
    count: names.length,
    sha256: await fingerprint(tree),
    async read(i) {
      const name = where(names[i]!);
      const bytes = await tree.read(names[i]!);
      if (!bytes) throw bad(`${name} is not there any more`);
      return { name, image: await pictureIn(bytes, name, range, say) };
    },
    close: () => tree.close(),
  };
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/** Files of which all bytes are looked at. */
const LOOKED_AT = 64;

/** Pictures that were made again have other lengths; where these are all alike (.npy), other bytes in every file. */
async function fingerprint(tree: FileTree): Promise<string> {
  const { names } = tree;
  const hash = createHash("sha256");
  const every = Math.ceil(names.length / LOOKED_AT);
  try {
    for (const [i, name] of names.entries()) {
      hash.update(`${name}\n${await tree.mark(name)}\n`);
      if (i % every === 0) hash.update(`${(await tree.checksum(name)).crc}\n`);
    }
  } catch (error) {
    await tree.close();
    throw error;
  }
  return hash.digest("hex");
}

function hashOf(parts: Iterable<Uint8Array>): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
}

async function arrayPictures(path: string, range: ValueRange | undefined, say: Say): Promise<PictureSet> {
  const array = await readArray(path, ["images", "arr_0"]);
  const images = picturesOf(array, path, range, say);
  if (images.length === 0)
    throw bad(`${path} is ${shapeText(array.shape)}: pictures are [N, C, H, W] or [N, H, W, C] with 1 or 3 channels`);
  return {
    count: images.length,
    sha256: hashOf(images.map(({ data }) => data)),
    read: async (i) => ({ name: `image ${i} of ${path}`, image: images[i]! }),
    close: async () => {},
  };
}

async function tensorPictures(path: string): Promise<PictureSet> {
  const file = await openCheckpoint(path);
  try {
    const tensor = file.tensors.get("images");
    const [count = 0, c = 0, h = 0, w = 0, more] = tensor?.shape ?? [];
    if (tensor?.dtype !== "U8" || w === 0 || more !== undefined)
      throw bad(`${path} has no tensor called images of bytes (U8) and shape [N, C, H, W]`);
    const bytes = await file.readBytes("images");
    const size = c * h * w;
    const image = (i: number) => imagesFromPlanarBytes(bytes.subarray(i * size, (i + 1) * size), [1, c, h, w])[0]!;
    return {
      count,
      sha256: hashOf([bytes]),
      read: async (i) => ({ name: `image ${i} of ${path}`, image: image(i) }),
      close: async () => {},
    };
  } finally {
    await file.close();
  }
}

/**
 * The pictures at a path in batches, as a set; all must have the shape that is asked for.
 * @throws BAD_ARGUMENT naming the first that has another
 */
export async function openPictures(path: string, shape: ImageShape, whose: string, options: SetOptions) {
  const set = await openPictureSet(path, options);
  async function* batches(size: number): AsyncGenerator<Picture[]> {
    for (let at = 0; at < set.count; at += size) {
      const batch: Picture[] = [];
      for (let i = at; i < Math.min(at + size, set.count); i++) batch.push(await set.read(i));
      for (const { name, image } of batch) requireShape(name, image, shape, whose);
      yield batch;
      // Signals are delivered in between.
      await new Promise((resolve) => setImmediate(resolve));
    }
    await set.close();
  }
  return { count: set.count, batches };
}

/** @throws BAD_ARGUMENT unless the picture is C x H x W */
export function requireShape(name: string, image: RawImage, shape: ImageShape, whose: string): void {
  const found = [image.channels, image.height, image.width] as const;
  if (found.join() === shape.join()) return;
  throw bad(
    `${name} is ${shapeText(found)}, but ${whose} takes images of ${shapeText(shape)}: resize or convert it first`,
  );
}
