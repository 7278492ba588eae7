import type { Dataset } from "h5wasm";
import { bad, NcvsdError, oneLine, quote } from "../errors.js";
import { readInput } from "./arrays.js";
import { listed } from "./folder.js";
import { type AxisIndex, optionalPackage, quietly, type ScientificArray, selection } from "./scientific.js";

/** Classes of HDF5's types. */
const [INTEGER, FLOAT, COMPOUND, ENUM] = [0, 1, 6, 8];
/** Numbers that are converted at a time: complex ones come as one small array each. */
const CHUNK = 2 ** 20;
/** Name in the library's own file system, which is in memory. */
const INPUT = "/input.h5";

export interface Hdf5Reading {
  readonly array: ScientificArray;
  /** Of the data set. */
  readonly key: string;
  /** The data set `mask` of the same group, where there is one. */
  readonly mask?: ScientificArray;
}

/**
 * A data set of an HDF5 file: integers, floating point of 32 or 64 bits, or complex numbers as pairs of floats.
 * The file is read into memory whole: nothing in it can name another file.
 * @param key its path in the file; absent: the only one there is
 * @throws NcvsdError BAD_ARGUMENT
 */
export async function readHdf5(
  path: string,
  key: string | undefined,
  index: readonly AxisIndex[],
): Promise<Hdf5Reading> {
  const bytes = readInput(path);
  const { default: hdf5 } = await optionalPackage("h5wasm", "HDF5 files", () => import("h5wasm"));
  const { FS, activate_throwing_error_handler } = await hdf5.ready;
  // In place of lines on stderr.
  activate_throwing_error_handler();
  FS.writeFile(INPUT, bytes);
  try {
    return quietly(() => readFile(hdf5, path, key, index));
  } catch (cause) {
    if (cause instanceof NcvsdError) throw cause;
    throw bad(`${path} cannot be read as an HDF5 file: it is damaged, or something else`, cause);
  } finally {
    FS.unlink(INPUT);
  }
}

function readFile(
  hdf5: typeof import("h5wasm").default,
  path: string,
  key: string | undefined,
  index: readonly AxisIndex[],
): Hdf5Reading {
  const file = new hdf5.File(INPUT, "r");
  // A file that could not be opened has a negative number.
  if (file.file_id < 0) throw new Error("not opened");
  try {
    const find = (place: string) => {
      const found = file.get(place);
      return found instanceof hdf5.Dataset ? found : undefined;
    };
    const all = file.paths().filter((place) => find(place));
    const there = listed(all.map(oneLine)) || "none";
    if (key === undefined && all.length !== 1) throw bad(`${path} has the data sets ${there}: name one with --key`);
    const chosen = key ?? all[0]!;
    const set = find(chosen);
    if (!set) throw bad(`${path} has no data set ${quote(oneLine(chosen))}: it has ${there}; name one with --key`);
    const mask = find(`${chosen.slice(0, chosen.lastIndexOf("/") + 1)}mask`);
    return {
      array: readSet(set, `${path}: ${oneLine(chosen)}`, index),
      key: chosen,
      ...(mask && chosen !== mask.path ? { mask: readSet(mask, `${path}: mask`, []) } : {}),
    };
  } finally {
    file.close();
  }
}

function readSet(set: Dataset, where: string, index: readonly AxisIndex[]): ScientificArray {
  const { type, size, signed, compound_type: compound, shape: extents } = set.metadata;
  const members = compound?.members ?? [];
  const complex = type === COMPOUND && members.length === 2 && members.every((m) => m.type === FLOAT && m.size >= 4);
  const plain = type === INTEGER || type === ENUM || (type === FLOAT && size >= 4);
  if (!complex && !plain)
    throw bad(`${where} holds no integers, floats of 32 or 64 bits, or pairs of them (complex): convert it first`);
  const { ranges, shape } = selection(extents ?? [], index, where);
  const count = shape.reduce((a, b) => a * b, 1);
  const values = new Float32Array(count);
  const imaginary = complex ? new Float32Array(count) : undefined;
  let at = 0;
  for (const part of partsOf(ranges)) {
    const numbers = part.length === 0 ? [set.value] : set.slice(part.map(([from, to]) => [from, to]));
    for (const number of numbers as ArrayLike<unknown> & Iterable<unknown>) {
      const [re, im] = imaginary ? (number as [number, number]) : [number, 0];
      values[at] = Number(re);
      if (imaginary) imaginary[at] = Number(im);
      at++;
    }
  }
  const top = 2 ** (8 * size - (signed ? 1 : 0));
  return {
    shape,
    values,
    ...(imaginary ? { imaginary } : {}),
    ...(type === INTEGER && size < 8 ? { range: [signed ? -top : 0, top - 1] } : {}),
  };
}

type Ranges = readonly (readonly [from: number, to: number])[];

/** The same places in blocks of at most CHUNK numbers, in order: the first axes are taken place by place. */
function* partsOf(ranges: Ranges): Generator<Ranges> {
  const volume = ranges.reduce((product, [from, to]) => product * (to - from), 1);
  const axis = ranges.findIndex(([from, to]) => to - from > 1);
  if (volume <= CHUNK || axis < 0) return yield ranges;
  const [from, to] = ranges[axis]!;
  for (let place = from; place < to; place++)
    yield* partsOf(ranges.map((range, a) => (a === axis ? ([place, place + 1] as const) : range)));
}
