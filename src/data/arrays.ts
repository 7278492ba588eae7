import { readFileSync, statSync } from "node:fs";
import { basename, extname } from "node:path";
import { openCheckpoint } from "../checkpoint/index.js";
import { bad, NcvsdError } from "../errors.js";
import { decodePng } from "../image/png.js";

/** Numbers of any shape from a file; bytes stay bytes, so that the reader can tell pixels from values. */
export interface FileArray {
  /** Row-major. A PNG is [C, H, W]. */
  readonly shape: readonly number[];
  /** `bytes`: 0 to 255 as stored (PNG, U8); `values`: floating point as stored. */
  readonly kind: "bytes" | "values";
  /** One picture, whatever its first extent. */
  readonly picture?: true;
  readonly values: Float32Array;
}

export const ARRAY_FILES: readonly string[] = [".png", ".npy", ".safetensors"];

/** A file's whole content, or one sentence on why not. */
export function readInput(path: string): Uint8Array {
  checkFile(path);
  try {
    return readFileSync(path);
  } catch (cause) {
    throw bad(`${path} cannot be read: ${(cause as Error).message}`, cause);
  }
}

/** Says in one sentence why a path is no file. */
function checkFile(path: string): void {
  let folder: boolean;
  try {
    folder = statSync(path).isDirectory();
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === "ENOENT";
    throw bad(missing ? `${path} is not there` : `${path} cannot be read: ${(cause as Error).message}`, cause);
  }
  if (folder) throw bad(`${path} is a folder: name a file`);
}

/**
 * Reads a PNG (grey or RGB), NumPy (.npy: u1, b1, f2, f4, f8, C order) or safetensors file.
 * @param names the tensors to look for in a safetensors file, in this order; a file with a single tensor needs none of them
 * @throws NcvsdError BAD_ARGUMENT for another kind of file, a damaged one, or one with NaN or infinite values
 */
export async function readArray(path: string, names: readonly string[]): Promise<FileArray> {
  const kind = extname(path).toLowerCase();
  if (kind === ".safetensors") return readTensor(path, names);
  const bytes = readInput(path);
  const array = kind === ".npy" ? readNpy(bytes, path) : kind === ".png" ? readPng(bytes, path) : undefined;
  if (!array) throw bad(`${path} is of a kind that is not read: give a PNG, .npy or .safetensors file`);
  return finite(array, path);
}

function readPng(bytes: Uint8Array, path: string): FileArray {
  const image = decodePng(bytes, path);
  if (image.channels === 4) throw bad(`${path} has an alpha channel: flatten it first`);
  const { width, height, channels, data } = image;
  const values = new Float32Array(data.length);
  for (let ch = 0; ch < channels; ch++)
    for (let p = 0; p < width * height; p++) values[ch * width * height + p] = data[p * channels + ch]!;
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
    return { shape, kind: "values", values: await file.readF32(name) };
  } catch (cause) {
    throw cause instanceof NcvsdError && cause.code === "BAD_ARGUMENT" ? cause : bad((cause as Error).message, cause);
  } finally {
    await file.close();
  }
}

/** Element readers of the .npy types that are read; all little-endian. */
const NPY_TYPES: Record<string, { bytes: number; get: (view: DataView, at: number) => number; whole?: true }> = {
  "|u1": { bytes: 1, get: (view, at) => view.getUint8(at), whole: true },
  "|b1": { bytes: 1, get: (view, at) => view.getUint8(at), whole: true },
  "<f2": { bytes: 2, get: (view, at) => half(view.getUint16(at, true)) },
  "<f4": { bytes: 4, get: (view, at) => view.getFloat32(at, true) },
  "<f8": { bytes: 8, get: (view, at) => view.getFloat64(at, true) },
};

function half(bits: number): number {
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction ? Number.NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -24 * fraction);
}

/** NumPy's own format (NEP 1), versions 1 to 3. */
export function readNpy(bytes: Uint8Array, path: string): FileArray {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = "\x93NUMPY";
  if (bytes.length < 12 || [...magic].some((ch, i) => bytes[i] !== ch.charCodeAt(0)))
    throw bad(`${path} is not a .npy file: it does not begin with NumPy's signature`);
  const long = bytes[6]! >= 2;
  const start = long ? 12 : 10;
  const end = start + (long ? view.getUint32(8, true) : view.getUint16(8, true));
  const header = new TextDecoder("latin1").decode(bytes.subarray(start, end));
  const descr = /'descr':\s*'([^']*)'/.exec(header)?.[1];
  const dimensions = /'shape':\s*\(([^)]*)\)/.exec(header)?.[1];
  if (end > bytes.length || descr === undefined || dimensions === undefined)
    throw bad(`${path} is damaged: its header cannot be read`);
  if (/'fortran_order':\s*True/.test(header)) throw bad(`${path} is in Fortran order: save it in C order`);
  const type = NPY_TYPES[descr];
  if (!type) throw bad(`${path} has elements of type ${descr}: save it as ${Object.keys(NPY_TYPES).join(", ")}`);
  const shape = dimensions.split(",").flatMap((d) => (d.trim() === "" ? [] : [Number(d)]));
  const count = shape.reduce((a, b) => a * b, 1);
  if (shape.some((d) => !Number.isSafeInteger(d) || d < 1) || count * type.bytes !== bytes.length - end)
    throw bad(`${path} is damaged: ${bytes.length - end} bytes of data do not fill the shape (${dimensions})`);
  const values = Float32Array.from({ length: count }, (_, i) => type.get(view, end + i * type.bytes));
  return { shape, kind: type.whole ? "bytes" : "values", values };
}

function finite(array: FileArray, path: string): FileArray {
  const at = array.values.findIndex((v) => !Number.isFinite(v));
  if (at >= 0)
    throw bad(`${path} has a value that is ${array.values[at]} (element ${at}): only finite values are read`);
  return array;
}

/** A file's name without folder and ending. */
export const stem = (path: string): string => basename(path, extname(path));
