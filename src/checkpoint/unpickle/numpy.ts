import { widenF16 } from "../half.js";
import { LIMITS, PickleError } from "./limits.js";
import { readExactly, TextSource } from "./sources.js";
import { PyArray, PyBytes, PyDtype, PyText, PyTuple, type PyValue } from "./values.js";

/** `numpy.dtype(code, align, copy)`. */
export function numpyDtype(args: readonly PyValue[]): PyDtype {
  const code = args[0];
  if (typeof code !== "string") throw new PickleError("a numpy dtype is not named by text");
  return new PyDtype(code);
}

/** The state of a dtype: (version, byte order, ...). */
export function buildDtype(dtype: PyDtype, state: PyValue): void {
  const order = state instanceof PyTuple ? state.items[1] : undefined;
  if (typeof order !== "string") throw new PickleError("the state of a numpy dtype has no byte order");
  dtype.littleEndian = order !== ">";
}

/** `numpy.core.multiarray.scalar(dtype, bytes)`. */
export function numpyScalar(args: readonly PyValue[]): PyArray {
  const [dtype, data] = args;
  if (!(dtype instanceof PyDtype)) throw new PickleError("a numpy scalar has no dtype");
  return arrayOf([], dtype, false, data);
}

/** `numpy.core.numeric._frombuffer(buffer, dtype, shape, order)`: how protocol 5 writes arrays. */
export function numpyFromBuffer(args: readonly PyValue[]): PyArray {
  const [data, dtype, shape, order] = args;
  if (!(dtype instanceof PyDtype)) throw new PickleError("a numpy array has no dtype");
  return arrayOf(shapeOf(shape), dtype, order === "F", data);
}

/** The state of an array: (version, shape, dtype, is_fortran, data), in old files without the version. */
export function buildArray(array: PyArray, state: PyValue): void {
  const items = state instanceof PyTuple ? state.items : [];
  const [shape, dtype, fortran, data] = items.length === 5 ? items.slice(1) : items;
  if (!(dtype instanceof PyDtype)) throw new PickleError("the state of a numpy array is not complete");
  array.content = arrayOf(shapeOf(shape), dtype, fortran === true, data).content;
}

function shapeOf(shape: PyValue | undefined): number[] {
  const items = shape instanceof PyTuple ? shape.items : undefined;
  if (
    !items ||
    items.length > LIMITS.dimensions ||
    !items.every((n) => Number.isSafeInteger(n) && (n as number) >= 0)
  ) {
    throw new PickleError("the shape of a numpy array is not a tuple of lengths");
  }
  return items as number[];
}

function arrayOf(shape: readonly number[], dtype: PyDtype, fortran: boolean, data: PyValue | undefined): PyArray {
  const array = new PyArray();
  let bytes: PyBytes | undefined;
  if (data instanceof PyBytes) bytes = data;
  // Python 2 strings are bytes.
  else if (typeof data === "string") bytes = latin1Bytes(data);
  else if (data instanceof PyText && data.encoding === "latin1")
    bytes = new PyBytes(data.source, data.offset, data.length);
  // Arrays of objects carry a list: they stay without content, which matters only to who wants their values.
  if (bytes) array.content = { shape, dtype, fortran, bytes };
  return array;
}

/** Bytes that were written as text, one character each. */
export function latin1Bytes(text: string): PyBytes {
  return new PyBytes(new TextSource(text), 0, text.length);
}

type Reader = (view: DataView, at: number, littleEndian: boolean) => number;

const READERS: Record<string, Reader> = {
  f2: (view, at, le) => widenF16(Uint16Array.of(view.getUint16(at, le)))[0]!,
  f4: (view, at, le) => view.getFloat32(at, le),
  f8: (view, at, le) => view.getFloat64(at, le),
  i1: (view, at) => view.getInt8(at),
  i2: (view, at, le) => view.getInt16(at, le),
  i4: (view, at, le) => view.getInt32(at, le),
  i8: (view, at, le) => Number(view.getBigInt64(at, le)),
  u1: (view, at) => view.getUint8(at),
  u2: (view, at, le) => view.getUint16(at, le),
  u4: (view, at, le) => view.getUint32(at, le),
  u8: (view, at, le) => Number(view.getBigUint64(at, le)),
  b1: (view, at) => view.getUint8(at),
};

/**
 * The values of a numpy array in row-major order, and its shape. For metadata: at most `LIMITS.arrayValues` values.
 * @throws PickleError for other dtypes than integers, floats and booleans, and for data that do not fit the shape.
 */
export async function arrayValues(array: PyArray): Promise<{ shape: readonly number[]; values: number[] }> {
  const content = array.content;
  const code = content?.dtype.code ?? "O";
  const read = READERS[code];
  if (!content || !read) throw new PickleError(`a numpy array of dtype ${code} cannot be read`);
  const { shape, bytes, dtype, fortran } = content;
  const width = Number(code.slice(1));
  const count = shape.reduce((product, n) => product * n, 1);
  if (count > LIMITS.arrayValues) throw new PickleError(`a numpy array of ${count} values is too large for metadata`);
  if (bytes.length !== count * width) {
    throw new PickleError(`a numpy array of ${count} ${code} values has ${bytes.length} bytes`);
  }
  const raw = await readExactly(bytes.source, bytes.offset, bytes.length);
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  const values = Array.from({ length: count }, (_, i) => read(view, i * width, dtype.littleEndian));
  return { shape, values: fortran ? rowMajor(values, shape) : values };
}

function rowMajor(values: readonly number[], shape: readonly number[]): number[] {
  return values.map((_, flat) => {
    let rest = flat;
    let at = 0;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const index = rest % shape[axis]!;
      rest = Math.floor(rest / shape[axis]!);
      // Column-major: the first axis is the fastest.
      at = at * shape[axis]! + index;
    }
    return values[at]!;
  });
}
