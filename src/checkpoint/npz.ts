import { unzipSync } from "fflate";
import { bad } from "../errors.js";

/** An array of floats as float64, row-major. */
export interface NpzArray {
  readonly shape: readonly number[];
  readonly values: Float64Array;
}

/** An archive may claim any size for its members: covariances of 8192 features in float64 have this many bytes. */
const MAX_MEMBER_BYTES = 2 ** 29 + 2 ** 16;

const READERS: Record<string, { bytes: number; get: (view: DataView, at: number, little: boolean) => number }> = {
  f4: { bytes: 4, get: (view, at, little) => view.getFloat32(at, little) },
  f8: { bytes: 8, get: (view, at, little) => view.getFloat64(at, little) },
  i4: { bytes: 4, get: (view, at, little) => view.getInt32(at, little) },
  i8: { bytes: 8, get: (view, at, little) => Number(view.getBigInt64(at, little)) },
};

/**
 * The arrays of a NumPy archive (`np.savez`, compressed or not) that have one of these names.
 * @throws BAD_ARGUMENT when it is no archive, damaged, or one of the arrays is of a type that is not read
 */
export function readNpz(bytes: Uint8Array, file: string, names: readonly string[]): Map<string, NpzArray> {
  if (bytes[0] !== 0x50 || bytes[1] !== 0x4b)
    throw bad(`${file} is no .npz file: it does not begin like a zip archive`);
  let large: string | undefined;
  let members: Record<string, Uint8Array>;
  try {
    members = unzipSync(bytes, {
      filter({ name, originalSize }) {
        if (!names.includes(name.replace(/\.npy$/, ""))) return false;
        if (originalSize > MAX_MEMBER_BYTES) large = name;
        return large === undefined;
      },
    });
  } catch (cause) {
    throw bad(`${file} is damaged: its archive cannot be unpacked`, cause);
  }
  if (large !== undefined)
    throw bad(`${file}: ${large} claims more than ${MAX_MEMBER_BYTES} bytes: too large for statistics`);
  return new Map(
    Object.entries(members).map(([name, data]) => [name.replace(/\.npy$/, ""), readNpy(data, `${file}: ${name}`)]),
  );
}

/** NumPy's own format (NEP 1), versions 1 to 3. */
function readNpy(bytes: Uint8Array, what: string): NpzArray {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 12 || String.fromCharCode(...bytes.subarray(1, 6)) !== "NUMPY")
    throw bad(`${what} is no NumPy array`);
  const long = bytes[6]! >= 2;
  const start = long ? 12 : 10;
  const data = start + (long ? view.getUint32(8, true) : view.getUint16(8, true));
  const header = new TextDecoder("latin1").decode(bytes.subarray(start, data));
  const [, order, type] = /'descr':\s*'([<>|=])(\w+)'/.exec(header) ?? [];
  const dimensions = /'shape':\s*\(([^)]*)\)/.exec(header)?.[1];
  if (data > bytes.length || type === undefined || dimensions === undefined)
    throw bad(`${what} is damaged, or no array of numbers`);
  const reader = READERS[type];
  if (!reader) throw bad(`${what} has elements of type ${type}: save it as float32 or float64`);
  const shape = dimensions.split(",").flatMap((d) => (d.trim() === "" ? [] : [Number(d)]));
  const count = shape.reduce((a, b) => a * b, 1);
  if (!Number.isSafeInteger(count) || data + count * reader.bytes !== bytes.length)
    throw bad(`${what} is damaged: ${bytes.length - data} bytes do not fill the shape (${dimensions})`);
  // A symmetric matrix reads the same in Fortran order.
  const values = Float64Array.from({ length: count }, (_, i) =>
    reader.get(view, data + i * reader.bytes, order !== ">"),
  );
  return { shape, values };
}
