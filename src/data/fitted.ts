import { statSync } from "node:fs";
import { basename, extname } from "node:path";
import { bad } from "../errors.js";
import { fromImage } from "../image/pictures.js";
import { fromByte } from "../image/pixels.js";
import type { ImageShape } from "../networks/session.js";
import { ARRAY_FILES, decodePicture, pixelArray } from "./arrays.js";
import { type Label, readDatasetJson } from "./dataset-labels.js";
import { type FileTree, openTree } from "./file-tree.js";
import { unreadable } from "./folder.js";
import { foldedName } from "./names.js";

export type Fit = "crop" | "pad" | "none";

/** Endings of pictures, which can be fitted; numbers cannot. */
const PICTURES: readonly string[] = [".png", ".jpg", ".jpeg"];

/** Whether a file is a picture by its name. */
export const isPicture = (path: string): boolean => PICTURES.includes(extname(path).toLowerCase());

export interface Fitted {
  /** In [-1, 1], of the wanted shape. */
  readonly values: Float32Array;
  /** What it was before, in words; undefined: as wanted. */
  readonly was: string | undefined;
}

/**
 * A PNG or JPEG as values of a network's picture. What has the shape already keeps all of its bits.
 * @throws NcvsdError BAD_ARGUMENT naming the file, for a damaged one or, with `fit: "none"`, one of another size
 */
export async function fittedPicture(
  bytes: Uint8Array,
  where: string,
  [c, h, w]: ImageShape,
  fit: Fit,
): Promise<Fitted> {
  const image = await decodePicture(bytes, where);
  const { width, height, channels } = image;
  if (width === w && height === h && channels === c)
    return { values: pixelArray(image, where).values.map(fromByte), was: undefined };
  if (fit === "none" && (width !== w || height !== h))
    throw bad(`${where} is ${width}x${height}, but ${w}x${h} is wanted: take --fit crop or pad, or resize it first`);
  const kind = ["", "grey", "grey with alpha", "RGB", "RGBA"][channels];
  return { values: await fromImage(bytes, { shape: [c, h, w], fit }), was: `${width}x${height} ${kind}` };
}

/** A file of images. */
export interface ImageFile {
  /** Names the results: the file's name, or its path where two are called the same. */
  readonly name: string;
  readonly where: string;
  /** Where it can be opened by itself; undefined: a member of an archive. */
  readonly path: string | undefined;
  /** Its class in a dataset.json. */
  readonly label: number | undefined;
  bytes(): Promise<Uint8Array>;
}

/**
 * The images of a folder and its subfolders (pictures, .npy, .npz, .safetensors), or the pictures of a zip archive, in order of
 * path; undefined for another file.
 * @throws NcvsdError BAD_ARGUMENT where there are none
 */
export async function imageFiles(
  path: string,
  say: (line: string) => void,
): Promise<{ files: ImageFile[]; close(): Promise<void> } | undefined> {
  let folder: boolean;
  try {
    folder = statSync(path).isDirectory();
  } catch (cause) {
    throw unreadable(path, cause);
  }
  if (!folder && !/\.zip$/i.test(path)) return undefined;
  const endings = folder ? ARRAY_FILES : PICTURES;
  const tree = await openTree(path, endings);
  try {
    if (tree.left) say(tree.left);
    if (tree.names.length === 0)
      throw bad(
        `${path} has no images: it holds no ${folder ? "PNG, JPEG, .npy, .npz or .safetensors" : "PNG or JPEG"} file`,
      );
    const { labels } = await readDatasetJson(tree);
    return { files: listed(tree, folder, labels), close: () => tree.close() };
  } catch (error) {
    await tree.close();
    throw error;
  }
}

function listed(tree: FileTree, folder: boolean, labels: ReadonlyMap<string, Label> | undefined): ImageFile[] {
  const names = [...tree.names].sort((a, b) => a.localeCompare(b, "en", { numeric: true }) || (a < b ? -1 : 1));
  const bare = names.map((name) => basename(name, extname(name)));
  const unique = new Set(bare.map(foldedName)).size === bare.length;
  return names.map((name, i) => {
    const label = labels?.get(name);
    const where = tree.where(name);
    return {
      name: unique ? bare[i]! : name.slice(0, name.length - extname(name).length).replaceAll("/", "-"),
      where,
      path: folder ? where : undefined,
      label: typeof label === "number" ? label : undefined,
      async bytes() {
        const bytes = await tree.read(name);
        if (!bytes) throw bad(`${where} is not there any more`);
        return bytes;
      },
    };
  });
}
