import { statSync } from "node:fs";
import { extname } from "node:path";
import { bad, counted, quote } from "../errors.js";
import { fromByte } from "../image/pixels.js";
import type { ImageShape } from "../networks/session.js";
import { ARRAY_FILES, type FileArray, inRange, readArray, readInput, stem, type ValueRange } from "./arrays.js";
import { type Fit, fittedPicture, type ImageFile, imageFiles, isPicture } from "./fitted.js";
import { listFolder, unreadable } from "./folder.js";
import { foldedName, nameProblem } from "./names.js";

/** One image or measurement from a file. */
export interface Input {
  /** The file's name without its ending; six digits for one of several in a file. Names the results. */
  readonly name: string;
  readonly values: Float32Array;
  /** Class, where the file has one. */
  readonly label?: number;
  /** Numbers of black and white, as it was said or as the file has them, of what is `linear` in the picture. */
  readonly range?: ValueRange;
}

/** What the files must hold. */
export interface Expected {
  /** Of one image or measurement. */
  readonly shape: readonly number[];
  /** "images" or "measurements", for messages. */
  readonly what: "images" | "measurements";
  /** What the shape belongs to, for messages: "the checkpoint x.safetensors" or "the task". */
  readonly whose: string;
  /**
   * What numbers are: "pixels" (default), whose range is -1 to 1 or said; "linear" in a picture of that range, not converted here;
   * "counts", bytes too; or "own", which have no range. Bytes are pixels or counts.
   */
  readonly scale?: "pixels" | "linear" | "counts" | "own";
  /** Of numbers in floating point; absent: -1 (black) to 1 (white). */
  readonly range?: ValueRange | undefined;
  /**
   * What is done with a PNG or JPEG of another size, of other channels, or with transparency: see `fromImage`. With it folders
   * are looked into deeply and zip archives are read, with the classes of a dataset.json. Absent: pictures must be as expected.
   */
  readonly fit?: Fit | undefined;
  readonly say: (line: string) => void;
}

const sixDigits = (n: number) => String(n).padStart(6, "0");
const TENSORS = { images: ["images", "truth"], measurements: ["measurement", "measurements", "y"] };

/** "32x32 with 1 channel", or the bare extents of what is no picture. */
export function shapeText(shape: readonly number[]): string {
  if (shape.length !== 3) return `[${shape.join(", ")}]`;
  return `${shape[2]}x${shape[1]} with ${counted(shape[0]!, "channel")}`;
}

/**
 * Reads the images or measurements at a path: one file, or all PNG, JPEG, NumPy and .safetensors files of a folder in order of name.
 * Bytes become values of the network's range [-1, 1].
 * @param select places in that order; absent: all
 * @throws NcvsdError BAD_ARGUMENT when there is nothing, a file cannot be read, or one is of another shape
 */
export async function readInputs(path: string, expected: Expected, select?: readonly number[]): Promise<Input[]> {
  const source = await openInputs(path, expected);
  try {
    const single = source.files.length === 1;
    const chosen = pick(source.files, single ? undefined : select, path, expected.what);
    const inputs: Input[] = [];
    for (const read of chosen) inputs.push(...(await read()));
    source.tell();
    const kept = single ? pick(inputs, select, path, expected.what) : inputs;
    checkNames(kept, path, expected.what);
    return kept;
  } finally {
    await source.close();
  }
}

function checkNames(kept: readonly Input[], path: string, what: string): void {
  const seen = new Set<string>();
  for (const { name } of kept) {
    const problem = nameProblem(name);
    if (problem)
      throw bad(
        `${path}: the ${what.slice(0, -1)} ${quote(name)} cannot name its results, since that ${problem}: rename it`,
      );
    if (seen.has(foldedName(name))) throw bad(`${path} has two ${what} called ${name}: rename one`);
    seen.add(foldedName(name));
  }
}

interface OpenInputs {
  readonly files: readonly (() => Promise<Input[]>)[];
  /** Says what was done to pictures. */
  tell(): void;
  close(): Promise<void>;
}

async function openInputs(path: string, expected: Expected): Promise<OpenInputs> {
  const { fit, what, say, shape } = expected;
  const [c] = shape;
  // Latents are no pictures: they must be as expected.
  if (fit === undefined || shape.length !== 3 || (c !== 1 && c !== 3)) {
    const files = listFiles(path, what, say).map((file) => () => readFile(file, expected));
    return { files, tell: () => {}, close: async () => {} };
  }
  const fitted: string[] = [];
  const listed = await imageFiles(path, say);
  const one = { name: stem(path), where: path, path, label: undefined, bytes: async () => readInput(path) };
  const files = (listed?.files ?? [one]).map((file: ImageFile) => async (): Promise<Input[]> => {
    const label = file.label === undefined ? {} : { label: file.label };
    if (!isPicture(file.where)) {
      const inputs = await readFile(file.path!, expected);
      return inputs.length === 1 ? [{ ...inputs[0]!, name: file.name, ...label }] : inputs;
    }
    const { values, was } = await fittedPicture(await file.bytes(), file.where, shape as unknown as ImageShape, fit);
    if (was !== undefined) fitted.push(was);
    return [{ name: file.name, values, ...label }];
  });
  const tell = () => {
    if (fitted.length === 0) return;
    const kinds = [...new Set(fitted)];
    const more = kinds.length > 1 ? ` and ${kinds.length - 1} other size${kinds.length > 2 ? "s" : ""}` : "";
    const how = fit === "none" ? "converted" : fit === "crop" ? "resized and cropped" : "resized, with black borders,";
    say(`${fitted.length} of the pictures (${kinds[0]}${more}) ${how} to ${shapeText(shape)}`);
  };
  return { files, tell, close: async () => listed?.close() };
}

function listFiles(path: string, what: string, say: (line: string) => void): string[] {
  let folder: boolean;
  try {
    folder = statSync(path).isDirectory();
  } catch (cause) {
    throw unreadable(path, cause);
  }
  if (!folder) return [path];
  const { files, left } = listFolder(path, ARRAY_FILES, false);
  if (left) say(left);
  if (files.length === 0)
    throw bad(
      `${path} has no ${what}: it holds no PNG, JPEG, .npy, .npz or .safetensors file (subfolders are not looked into)`,
    );
  return files.map((file) => file.path);
}

function pick<T>(items: readonly T[], select: readonly number[] | undefined, path: string, what: string): T[] {
  if (!select) return [...items];
  return select.map((at) => {
    const item = items[at];
    if (item === undefined) throw bad(`--images ${at}: ${path} has ${what} 0 to ${items.length - 1}`);
    return item;
  });
}

async function readFile(path: string, expected: Expected): Promise<Input[]> {
  const { shape, what, whose } = expected;
  const array = await readArray(path, TENSORS[what]);
  const size = shape.reduce((a, b) => a * b, 1);
  const one = withoutUnits(array.shape);
  const many = array.shape.length > 1 && !array.picture ? withoutUnits(array.shape.slice(1)) : undefined;
  const want = withoutUnits(shape);
  const several = many !== undefined && same(many, want) && !same(one, want);
  if (!several && !same(one, want)) {
    const batch = array.shape.length > shape.length;
    const found = `${batch ? `${array.shape[0]} of ` : ""}${shapeText(batch ? array.shape.slice(1) : array.shape)}`;
    throw bad(
      `${path} is ${found}, but ${whose} takes ${what} of ${shapeText(shape)}: resize, crop or convert it first`,
    );
  }
  const { scale = "pixels" } = expected;
  if (array.kind === "bytes" && scale !== "pixels" && scale !== "counts")
    throw bad(
      `${path} holds bytes, but these ${what} are no pictures: give floating-point values (.npy, .safetensors)`,
    );
  const range = expected.range ?? array.range;
  const pixels = array.kind === "bytes" ? array.values.map(fromByte) : undefined;
  const values = scale !== "pixels" ? array.values : (pixels ?? inRange(array.values, path, range, expected.say, what));
  const linear = scale === "linear" && range ? { range } : {};
  if (!several) return [{ name: stem(path), values, ...linear }];
  const labels = await readLabels(path, array);
  return Array.from({ length: array.shape[0]! }, (_, i) => ({
    name: sixDigits(i),
    values: values.slice(i * size, (i + 1) * size),
    ...linear,
    ...(labels ? { label: labels[i]! } : {}),
  }));
}

/** Extents of 1 do not matter: [1, 32, 32] and [32, 32] hold the same image. */
const withoutUnits = (shape: readonly number[]) => shape.filter((d) => d !== 1);
const same = (a: readonly number[], b: readonly number[]) => a.length === b.length && a.every((d, i) => d === b[i]);

/** The classes beside the images of a safetensors file, where it has them. */
async function readLabels(path: string, { shape }: FileArray): Promise<Float32Array | undefined> {
  if (extname(path).toLowerCase() !== ".safetensors") return undefined;
  const labels = await readArray(path, ["labels"]).catch(() => undefined);
  return labels?.values.length === shape[0] ? labels?.values : undefined;
}

/**
 * A mask of H*W or C*H*W zeros and ones (1: known). In a PNG white is known and black is missing.
 * @throws NcvsdError BAD_ARGUMENT when it is of another size, has other values, or hides nothing or everything
 */
export async function readMask(path: string, [c, h, w]: ImageShape): Promise<Float32Array> {
  const array = await readArray(path, ["mask"]);
  const want = [withoutUnits([h, w]), withoutUnits([c, h, w])];
  if (!want.some((shape) => same(shape, withoutUnits(array.shape))))
    throw bad(
      `the mask ${path} is ${shapeText(array.shape)}, but the images are ${shapeText([c, h, w])}: they must fit`,
    );
  const top = array.kind === "bytes" && array.values.some((v) => v > 1) ? 255 : 1;
  const mask = array.values.map((v) => v / top);
  if (mask.some((v) => v !== 0 && v !== 1))
    throw bad(`the mask ${path} has values besides ${top} (known) and 0 (missing): make it black and white`);
  const known = mask.reduce((a, b) => a + b, 0);
  if (known === 0) throw bad(`the mask ${path} is all 0: no pixel is known (white is known, black is missing)`);
  return mask;
}

/**
 * A square blur kernel, normalised to sum 1.
 * @throws NcvsdError BAD_ARGUMENT when it is not square, larger than the image, or sums to 0
 */
export async function readKernel(path: string, side: number): Promise<{ kernel: Float32Array; kernelSize: number }> {
  const array = await readArray(path, ["kernel"]);
  const [h = 0, w = 0, more] = array.shape[0] === 1 && array.shape.length > 2 ? array.shape.slice(1) : array.shape;
  if (more !== undefined || array.shape.length < 2 || h !== w)
    throw bad(`the kernel ${path} is ${shapeText(array.shape)}: a kernel is square and has one channel`);
  if (h > side)
    throw bad(
      `the kernel ${path} is ${h}x${h}, larger than the images of ${side}x${side}: crop it or take a smaller one`,
    );
  const sum = array.values.reduce((a, b) => a + b, 0);
  if (!(Math.abs(sum) > 1e-8)) throw bad(`the kernel ${path} sums to 0: it cannot be normalised`);
  return { kernel: array.values.map((v) => v / sum), kernelSize: h };
}
