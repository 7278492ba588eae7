/** Writes the pickle of protocol 4 in which EDM2's scripts keep reference statistics; no more of the format than that needs. */

type Value = number | string | Float64Array | readonly number[] | { readonly [key: string]: Value };

const text = new TextEncoder();

class Pickle {
  readonly #parts: Uint8Array[] = [Uint8Array.of(0x80, 4)];

  bytes(...parts: (number | Uint8Array)[]): this {
    for (const part of parts) this.#parts.push(typeof part === "number" ? Uint8Array.of(part) : part);
    return this;
  }

  /** An unsigned number of 4 or 8 bytes, little-endian. */
  counted(size: 4 | 8, value: number): this {
    const out = new Uint8Array(size);
    const view = new DataView(out.buffer);
    if (size === 4) view.setUint32(0, value, true);
    else view.setBigUint64(0, BigInt(value), true);
    return this.bytes(out);
  }

  string(value: string): this {
    const encoded = text.encode(value);
    return this.bytes(0x58).counted(4, encoded.length).bytes(encoded);
  }

  /** A class or function by module and name. */
  global(module: string, name: string): this {
    return this.string(module).string(name).bytes(0x93);
  }

  integer(value: number): this {
    if (value < 0 || value >= 2 ** 31) throw new RangeError(`${value} is no count`);
    return this.bytes(0x4a).counted(4, value);
  }

  /** numpy.core.multiarray._reconstruct(ndarray, (0,), b"b") with its state: version, shape, dtype, order, bytes. */
  array(values: Float64Array, shape: readonly number[]): this {
    this.global("numpy.core.multiarray", "_reconstruct").global("numpy", "ndarray");
    this.integer(0).bytes(0x85).bytes(0x43, 1, 0x62).bytes(0x87, 0x52);
    this.bytes(0x28).integer(1).bytes(0x28);
    for (const n of shape) this.integer(n);
    this.bytes(0x74);
    // dtype("f8", False, True) with the state (3, "<", None, None, None, -1, -1, 0).
    this.global("numpy", "dtype").string("f8").bytes(0x89, 0x88, 0x87, 0x52);
    this.bytes(0x28).integer(3).string("<").bytes(0x4e, 0x4e, 0x4e);
    for (let i = 0; i < 2; i++) this.bytes(0x4a, Uint8Array.of(255, 255, 255, 255));
    this.integer(0).bytes(0x74, 0x62).bytes(0x89);
    const raw = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    return this.bytes(0x8e).counted(8, raw.length).bytes(raw, 0x74, 0x62);
  }

  value(value: Value): this {
    if (typeof value === "number") return this.integer(value);
    if (typeof value === "string") return this.string(value);
    if (value instanceof Float64Array) return this.array(value, shapeOf(value));
    this.bytes(0x7d, 0x28);
    for (const [key, entry] of Object.entries(value)) this.string(key).value(entry as Value);
    return this.bytes(0x75);
  }

  done(): Uint8Array<ArrayBuffer> {
    this.bytes(0x2e);
    const out = new Uint8Array(this.#parts.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const part of this.#parts) {
      out.set(part, at);
      at += part.length;
    }
    return out;
  }
}

/** Of a mean, or of a covariance as `matrix` marks it. */
const shapes = new WeakMap<Float64Array, readonly number[]>();
const shapeOf = (values: Float64Array) => shapes.get(values) ?? [values.length];

/** The pickle of a dict of dicts; square matrices are those among `matrices`. */
export function pickledDict(
  dict: { readonly [key: string]: Value },
  matrices: readonly Float64Array[],
): Uint8Array<ArrayBuffer> {
  for (const matrix of matrices) shapes.set(matrix, [Math.sqrt(matrix.length), Math.sqrt(matrix.length)]);
  return new Pickle().value(dict).done();
}
