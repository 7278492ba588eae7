import { readFileSync, statSync } from "node:fs";
import { basename, extname } from "node:path";
import { openCheckpoint } from "../checkpoint/index.js";
import { type NpyHeader, npyHeader, npyValues } from "../checkpoint/npy.js";
import { openNpz } from "../checkpoint/npz.js";
import { bad, NcvsdError } from "../errors.js";
import { decodeJpeg, isJpeg } from "../image/jpeg.js";
import type { RawImage } from "../image/pixels.js";
import { decodePng16 } from "../image/png.js";
import { listed, unreadable } from "./folder.js";

/** Numbers of any shape from a file; bytes stay bytes, so that the reader can tell pixels from values. */
export interface FileArray {
  /** Row-major. A PNG is [C, H, W]. */
  readonly shape: readonly number[];
  /** `bytes`: 0 to 255 as stored (PNG, U8); `values`: floating point as stored. */
  readonly kind: "bytes" | "values";
  /** One picture, whatever its first extent. */
  readonly picture?: true;
  /** The numbers of black and white, where the file's metadata say so. */
  readonly range?: ValueRange;
  readonly values: Float32Array;
}

/** What is read. */
export const ARRAY_FILES: readonly string[] = [".png", ".jpg", ".jpeg", ".npy", ".npz", ".safetensors"];
/** Pictures in floating point of 2 GiB and more do not fit an array. */
const LARGEST_FILE = 2 ** 31 - 1;

/** A file's whole content, or one sentence on why not. Only regular files: a pipe or a device may never end. */
export function readInput(path: string): Uint8Array {
  checkFile(path);
  try {
    return readFileSync(path);
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/** Says in one sentence why a path is no file. */
function checkFile(path: string): void {
  try {
    const stats = statSync(path);
    if (stats.isDirectory()) throw bad(`${path} is a folder: name a file`);
    if (!stats.isFile()) throw bad(`${path} is a pipe or a device: name a regular file`);
    if (stats.size > LARGEST_FILE)
      throw bad(`${path} has ${stats.size} bytes: more than ${LARGEST_FILE} are not read at once`);
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/**
 * Reads a PNG or JPEG (grey or RGB), NumPy (.npy, or an .npz with one array: u1, b1, f2, f4, f8, i4, i8, C order) or safetensors file.
 * @param names the tensors to look for in an .npz or safetensors file, in this order; a file with a single one needs none of them
 * @throws NcvsdError BAD_ARGUMENT for another kind of file, a damaged one, or one with NaN or infinite values
 */
export async function readArray(path: string, names: readonly string[]): Promise<FileArray> {
  const kind = extname(path).toLowerCase();
  if (!ARRAY_FILES.includes(kind))
    throw bad(`${path} is of a kind that is not read: give a PNG, JPEG, .npy, .npz or .safetensors file`);
  if (kind === ".safetensors") return readTensor(path, names);
  const bytes = readInput(path);
  if (kind === ".npy") return npyFile(bytes, path);
  if (kind === ".npz") return finite(await readNpzArray(bytes, path, names), path);
  return pixelArray(await decodePicture(bytes, path), path);
}

/** Pixels of 8 or 16 bits, whose largest value is `top`. */
export type DeepImage = Pick<RawImage, "width" | "height" | "channels"> & { data: ArrayLike<number>; top: number };

/** A PNG with all of its bits, or a JPEG. @throws NcvsdError BAD_ARGUMENT for a damaged one, naming it */
export async function decodePicture(bytes: Uint8Array, path: string): Promise<DeepImage> {
  return isJpeg(bytes) ? { ...(await decodeJpeg(bytes, path)), top: 255 } : decodePng16(bytes, path);
}

/** Pixels as [C, H, W] from 0 to 255; those of 16 bits keep them, as fractions. */
export function pixelArray(image: DeepImage, path: string): FileArray {
  if (image.channels === 4) throw bad(`${path} has an alpha channel: flatten it first`);
  const { width, height, channels, data, top } = image;
  const values = new Float32Array(data.length);
  for (let ch = 0; ch < channels; ch++)
    for (let p = 0; p < width * height; p++) values[ch * width * height + p] = (data[p * channels + ch]! * 255) / top;
  return { shape: [channels, height, width], kind: "bytes", picture: true, values };
}

async function readTensor(path: string, names: readonly string[]): Promise<FileArray> {
  checkFile(path);
  let file: Awaited<ReturnType<typeof openCheckpoint>>;
  try {
    file = await openCheckpoint(path);
  } catch (cause) {
    throw bad((cause as Error).message, cause);
  }
  try {
    const all = [...file.tensors.keys()];
    const name = names.find((wanted) => file.tensors.has(wanted)) ?? (all.length === 1 ? all[0] : undefined);
    if (name === undefined)
      throw bad(`${path} has no tensor called ${names.join(" or ")}: it has ${all.slice(0, 10).join(", ") || "none"}`);
    const { dtype, shape } = file.tensors.get(name)!;
    if (dtype === "U8" || dtype === "BOOL")
      return { shape, kind: "bytes", values: Float32Array.from(await file.readBytes(name)) };
    const range = rangeOf(file.metadata.value_range);
    return { shape, kind: "values", ...(range ? { range } : {}), values: await file.readF32(name) };
  } catch (cause) {
    throw cause instanceof NcvsdError && cause.code === "BAD_ARGUMENT" ? cause : bad((cause as Error).message, cause);
  } finally {
    await file.close();
  }
}

/** `value_range` of a measurement's metadata, as `measure import` writes it. */
function rangeOf(text: string | undefined): ValueRange | undefined {
  const found = /^\[\s*(-?[\d.e+-]+)\s*,\s*(-?[\d.e+-]+)\s*\]$/.exec(text ?? "");
  const [black, white] = found ? [Number(found[1]), Number(found[2])] : [];
  return Number.isFinite(black) && Number.isFinite(white) && black !== white ? [black!, white!] : undefined;
}

/** The array in the bytes of an .npy file, all of it finite. */
export const npyFile = (bytes: Uint8Array, path: string): FileArray => finite(readNpy(bytes, path), path);

/** NumPy's own format: bytes and truth values stay bytes. */
function readNpy(bytes: Uint8Array, path: string): FileArray {
  const header = npyHeader(bytes, path);
  return npyArray(bytes, header, path);
}

function npyArray(bytes: Uint8Array, header: NpyHeader, path: string): FileArray {
  if (header.fortran) throw bad(`${path} is in Fortran order: save it in C order`);
  if (header.count === 0) throw bad(`${path} is empty: its shape is (${header.shape.join(", ")})`);
  // Before anything is made of a size that the file only claims.
  if (header.size !== bytes.length)
    throw bad(
      `${path} is damaged: ${bytes.length - header.start} bytes of data do not fill the shape (${header.shape.join(", ")})`,
    );
  const values = npyValues(bytes, header, path, new Float32Array(header.count));
  return { shape: header.shape, kind: /^[ub]1$/.test(header.type) ? "bytes" : "values", values };
}

async function readNpzArray(bytes: Uint8Array, path: string, names: readonly string[]): Promise<FileArray> {
  const arrays = await openNpz(bytes, path, [], LARGEST_FILE);
  const all = [...arrays.keys()];
  const name = names.find((wanted) => arrays.has(wanted)) ?? (all.length === 1 ? all[0] : undefined);
  if (name === undefined)
    throw bad(`${path} has no array called ${names.join(" or ") || "images"}: it has ${listed(all) || "none"}`);
  const { header, bytes: content } = arrays.get(name)!;
  return npyArray(await content(), header, `${path}: ${name}`);
}

function finite(array: FileArray, path: string): FileArray {
  const at = array.values.findIndex((v) => !Number.isFinite(v));
  if (at >= 0)
    throw bad(`${path} has a value that is ${array.values[at]} (element ${at}): only finite values are read`);
  return array;
}

/** A file's name without folder and ending. */
export const stem = (path: string): string => basename(path, extname(path));

/** The numbers that black and white have in a file of floating point. */
export type ValueRange = readonly [black: number, white: number];

/** What pictures in floating point may miss the range by. */
const MARGIN = 0.01;

/**
 * Numbers of a picture brought to the network's range, -1 (black) to 1 (white). Without a range they are taken to have that
 * one; values from 0 to 1 alone, as Python's tools have them, are spoken of.
 * @param measured measurements have noise, and may leave the range
 * @throws BAD_ARGUMENT for values outside
 */
export function inRange(
  values: Float32Array,
  path: string,
  range: ValueRange | undefined,
  say: (line: string) => void,
  what: "images" | "measurements" = "images",
): Float32Array {
  const [black, white] = range ?? [-1, 1];
  let [min, max] = [Infinity, -Infinity];
  for (const v of values) {
    if (v < min) min = v;
    if (v > max) max = v;
  }
  const found = `${path} has values from ${min.toPrecision(3)} to ${max.toPrecision(3)}`;
  const margin = MARGIN * Math.abs(white - black);
  if (what === "images" && (min < Math.min(black, white) - margin || max > Math.max(black, white) + margin))
    throw bad(
      `${found}: ${range ? `--range says ${black} to ${white}` : "they are taken for -1 (black) to 1 (white); say --range 0,255, for one, if they are others"}`,
    );
  if (!range && min >= 0 && max > 0 && max <= 1 + MARGIN)
    say(`${found}: taken for -1 (black) to 1 (white); if they are from 0 to 1, say --range 0,1`);
  if (black === -1 && white === 1) return values;
  return values.map((v) => (2 * (v - black)) / (white - black) - 1);
}
