import { bad, quote } from "../errors.js";
import { widenF16 } from "./half.js";

/** What the header of a NumPy array tells. */
export interface NpyHeader {
  readonly shape: readonly number[];
  /** Elements. */
  readonly count: number;
  /** Such as "f4". */
  readonly type: string;
  /** Where the elements begin. */
  readonly start: number;
  /** Bytes in all. */
  readonly size: number;
  readonly little: boolean;
  readonly fortran: boolean;
}

/** Bytes of an element, and how it is read; whole numbers of one byte are pixels or masks. */
const TYPES: Record<string, { bytes: number; get: (view: DataView, at: number, little: boolean) => number }> = {
  u1: { bytes: 1, get: (view, at) => view.getUint8(at) },
  b1: { bytes: 1, get: (view, at) => view.getUint8(at) },
  f2: { bytes: 2, get: (view, at, little) => widenF16(Uint16Array.of(view.getUint16(at, little)))[0]! },
  f4: { bytes: 4, get: (view, at, little) => view.getFloat32(at, little) },
  f8: { bytes: 8, get: (view, at, little) => view.getFloat64(at, little) },
  i4: { bytes: 4, get: (view, at, little) => view.getInt32(at, little) },
  i8: { bytes: 8, get: (view, at, little) => Number(view.getBigInt64(at, little)) },
};

/** Shape, type and order take some hundred bytes; NumPy itself reads no header of more than 10,000. */
const LONGEST_HEADER = 10_000;
/** Bytes that hold any header. */
export const NPY_HEADER_BYTES = LONGEST_HEADER + 12;

/**
 * Reads the header of NumPy's own format (NEP 1, versions 1 to 3) from the first bytes of a file.
 * @param what what to call it in a message
 * @throws BAD_ARGUMENT when it is none, or its elements are no numbers that are read
 */
export function npyHeader(bytes: Uint8Array, what: string): NpyHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = "\x93NUMPY";
  if (bytes.length < 12 || [...magic].some((ch, i) => bytes[i] !== ch.charCodeAt(0)))
    throw bad(`${what} is not a .npy file: it does not begin with NumPy's signature`);
  const long = bytes[6]! >= 2;
  const begin = long ? 12 : 10;
  const length = long ? view.getUint32(8, true) : view.getUint16(8, true);
  if (length > LONGEST_HEADER) throw bad(`${what} is damaged: its header claims ${length} bytes`);
  const start = begin + length;
  const header = new TextDecoder("latin1").decode(bytes.subarray(begin, start));
  const [, descr, order, type] = /'descr':\s*'(([<>|=])?([^']*))'/.exec(header) ?? [];
  const dimensions = /'shape':\s*\(([^)]*)\)/.exec(header)?.[1];
  if (start > bytes.length || descr === undefined || dimensions === undefined)
    throw bad(`${what} is damaged: its header cannot be read`);
  const reader = TYPES[type ?? ""];
  if (!reader)
    throw bad(
      type?.startsWith("O")
        ? `${what} holds Python objects, which are not executed here: save its arrays with numpy.savez`
        : `${what} has elements of type ${quote(descr)}: save it as ${Object.keys(TYPES).join(", ")}`,
    );
  const shape = dimensions.split(",").flatMap((d) => (d.trim() === "" ? [] : [Number(d)]));
  const count = shape.reduce((a, b) => a * b, 1);
  if (shape.some((d) => !Number.isSafeInteger(d) || d < 0) || !Number.isSafeInteger(count * reader.bytes))
    throw bad(`${what} is damaged: its shape is ${quote(`(${dimensions})`)}`);
  const fortran = /'fortran_order':\s*True/.test(header);
  return { shape, count, type: type!, start, size: start + count * reader.bytes, little: order !== ">", fortran };
}

/** The elements of a whole file, row by row. @throws BAD_ARGUMENT when they do not fill the shape */
export function npyValues<T extends Float32Array | Float64Array>(
  bytes: Uint8Array,
  header: NpyHeader,
  what: string,
  values: T,
): T {
  const { shape, count, type, start, size, little } = header;
  if (size !== bytes.length)
    throw bad(`${what} is damaged: ${bytes.length - start} bytes of data do not fill the shape (${shape.join(", ")})`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { bytes: step, get } = TYPES[type]!;
  for (let i = 0; i < count; i++) values[i] = get(view, start + i * step, little);
  return values;
}
