import type { ByteSource } from "../byte-source.js";
import { bad, quote } from "../fail.js";
import { openPickleOrTorch } from "../torch-storage.js";
import { Budget, PickleError } from "./limits.js";
import { readExactly } from "./sources.js";
import { PyArray, PyDict, PyObject, type PyValue } from "./values.js";

/** A dict of a pickle: numbers, arrays of doubles and dicts of them, by key; anything else is left out. */
export interface ArrayTree {
  readonly numbers: ReadonlyMap<string, number>;
  readonly texts: ReadonlyMap<string, string>;
  readonly arrays: ReadonlyMap<string, { readonly shape: readonly number[]; read(): Promise<Float64Array> }>;
  readonly trees: ReadonlyMap<string, ArrayTree>;
}

/**
 * Numbers and arrays of a pickled dict, such as statistics; read as data, nothing in it is executed.
 * @throws BAD_CHECKPOINT when it is no pickle of a dict
 */
export async function openPickledArrays(source: ByteSource): Promise<ArrayTree> {
  try {
    const tree = treeOf(await openPickleOrTorch(source, new Budget()), source.name, 0);
    if (!tree) throw new PickleError("its value is no dict");
    return tree;
  } catch (error) {
    if (error instanceof PickleError) throw bad(`${quote(source.name)} cannot be read: ${error.message}`, error);
    throw error;
  }
}

/** Dicts inside dicts that are looked at. */
const DEPTH = 3;

function treeOf(value: PyValue, file: string, depth: number): ArrayTree | undefined {
  const dict = value instanceof PyObject ? value.items : value;
  if (!(dict instanceof PyDict) || depth > DEPTH) return undefined;
  const tree = {
    numbers: new Map<string, number>(),
    texts: new Map<string, string>(),
    arrays: new Map<string, { shape: readonly number[]; read(): Promise<Float64Array> }>(),
    trees: new Map<string, ArrayTree>(),
  };
  for (const [key, entry] of dict.entries()) {
    if (typeof key !== "string") continue;
    if (typeof entry === "number") tree.numbers.set(key, entry);
    else if (typeof entry === "string") tree.texts.set(key, entry);
    else if (entry instanceof PyArray && entry.content) {
      const { shape } = entry.content;
      tree.arrays.set(key, { shape, read: () => doubles(entry, `${quote(file)}: ${quote(key)}`) });
    } else {
      const inner = treeOf(entry, file, depth + 1);
      if (inner) tree.trees.set(key, inner);
    }
  }
  return tree;
}

async function doubles({ content }: PyArray, what: string): Promise<Float64Array> {
  const { shape, dtype, fortran, bytes } = content!;
  const size = { f8: 8, f4: 4 }[dtype.code];
  const count = shape.reduce((product, n) => product * n, 1);
  if (size === undefined) throw bad(`${what} is an array of ${dtype.code}, where f8 or f4 is needed`);
  if (bytes.length !== count * size) throw bad(`${what} has ${bytes.length} bytes for ${count} values`);
  // Transposed: the covariances that this is for are symmetric, and vectors have one order.
  if (fortran && shape.length > 2) throw bad(`${what} is an array in Fortran's order`);
  const raw = await readExactly(bytes.source, bytes.offset, bytes.length);
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  const { littleEndian } = dtype;
  return Float64Array.from({ length: count }, (_, i) =>
    size === 8 ? view.getFloat64(8 * i, littleEndian) : view.getFloat32(4 * i, littleEndian),
  );
}
