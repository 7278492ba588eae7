import { closeSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { bad } from "../errors.js";
import { decodeJpeg, isJpeg } from "../image/jpeg.js";
import type { RawImage } from "../image/pixels.js";
import { decodePng16 } from "../image/png.js";
import { type Label, readDatasetJson } from "./dataset-labels.js";
import { openTree } from "./file-tree.js";
import { unreadable } from "./folder.js";
import { openCifar, openIdx, openNpzPictures } from "./packed-sources.js";
import type { PictureSource, SourcePicture } from "./picture-source.js";

const PICTURES = [".png", ".jpg", ".jpeg"];

/**
 * What a data set is made of, by what lies at a path: a folder or zip archive of pictures, IDX (the MNIST family), CIFAR's binary
 * files, an .npz.
 * @param labels the labels of an IDX file
 * @throws BAD_ARGUMENT naming the path when it is none of them, or damaged
 */
export async function openPictureSource(path: string, labels?: string): Promise<PictureSource> {
  const kind = kindOf(path);
  if (labels !== undefined && kind !== "idx") throw bad(`--label-file goes with an IDX file of pictures, not ${path}`);
  if (kind === "idx") return openIdx(path, labels);
  if (kind === "npz") return openNpzPictures(path);
  if (kind === "cifar") return openCifar([path]);
  if (kind === "zip") return treeSource(path, "zip");
  const names = readdirSync(path).sort();
  const batches = names.filter((name) => /^data_batch_\d+\.bin$/.test(name));
  if (batches.length > 0) return openCifar(batches.map((name) => join(path, name)));
  if (names.includes("train.bin") && names.includes("test.bin")) return openCifar([join(path, "train.bin")]);
  const idx = names.find((name) => /^train-images[.-]idx3-ubyte(\.gz)?$/.test(name));
  return idx === undefined ? treeSource(path, "folder") : openIdx(join(path, idx), labels);
}

function kindOf(path: string): "folder" | "zip" | "npz" | "idx" | "cifar" {
  const start = Buffer.alloc(4);
  try {
    const info = statSync(path);
    if (info.isDirectory()) return "folder";
    if (!info.isFile()) throw bad(`${path} is a pipe or a device: name a folder or a file`);
    const fd = openSync(path, "r");
    try {
      readSync(fd, start);
    } finally {
      closeSync(fd);
    }
  } catch (cause) {
    throw unreadable(path, cause);
  }
  if (start.toString("latin1", 0, 2) === "PK") return /\.npz$/i.test(path) ? "npz" : "zip";
  const archive = /\.(tar|tgz|tar\.\w+|7z|rar)$/i.test(path);
  if (/\.bin$/i.test(path)) return "cifar";
  const gzipped = start[0] === 0x1f && start[1] === 0x8b && /\.gz$/i.test(path);
  if (!archive && (gzipped || start.readUInt16BE() === 0)) return "idx";
  throw bad(
    archive
      ? `${path} is an archive that is not read: unpack it and name the folder`
      : `${path} is no folder, zip archive, IDX file, CIFAR .bin or .npz`,
  );
}

async function treeSource(path: string, kind: string): Promise<PictureSource> {
  const tree = await openTree(path, PICTURES);
  try {
    if (tree.names.length === 0) throw bad(`${path} has no pictures: it holds no PNG or JPEG file`);
    const { labels: given, classes: named } = await readDatasetJson(tree);
    const folders = [...new Set(tree.names.map(topFolder))].sort((a, b) => (a < b ? -1 : 1));
    const byFolder = !given && folders.length > 1;
    const places = new Map(folders.map((name, i) => [name, i]));
    const labelOf = (name: string): Label | undefined =>
      given ? given.get(name) : byFolder ? places.get(topFolder(name)) : undefined;
    async function* pictures(): AsyncGenerator<SourcePicture> {
      for (const name of tree.names) {
        const where = tree.where(name);
        const image = async () => {
          const bytes = await tree.read(name);
          if (!bytes) throw bad(`${where} is not there any more`);
          return isJpeg(bytes) ? decodeJpeg(bytes, where) : highBytes(decodePng16(bytes, where));
        };
        yield { where, label: labelOf(name), image };
      }
    }
    const classes = named ?? (byFolder ? folders : undefined);
    return { kind, count: tree.names.length, classes, left: tree.left, pictures, close: () => tree.close() };
  } catch (error) {
    await tree.close();
    throw error;
  }
}

/** Of 16 bits the reference keeps the upper 8, as Pillow does, and does not round. */
function highBytes({ width, height, channels, data }: ReturnType<typeof decodePng16>): RawImage {
  return { width, height, channels, data: data instanceof Uint8Array ? data : Uint8Array.from(data, (v) => v >> 8) };
}

/** Pictures at the top have a class of their own, without a name. */
const topFolder = (name: string) => (name.includes("/") ? name.slice(0, name.indexOf("/")) : "");
