/** A NumPy array (NEP 1, version 1) of single or double precision numbers; a comment of the header's dictionary tells its maker. */
export function npyBytes(values: Float32Array | Float64Array, shape: readonly number[]): Uint8Array {
  const extents = `${shape.join(", ")}${shape.length === 1 ? "," : ""}`;
  const header = `{'descr': '<f${values.BYTES_PER_ELEMENT}', 'fortran_order': False, 'shape': (${extents}), } ${NPY_MARK}`;
  // The data begin at a multiple of 64.
  const text = `${header.padEnd(Math.ceil((11 + header.length) / 64) * 64 - 11)}\n`;
  const bytes = new Uint8Array(10 + text.length + values.byteLength);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, text.length & 255, text.length >> 8]);
  bytes.set(new TextEncoder().encode(text), 10);
  bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), 10 + text.length);
  return bytes;
}

/** How a file of ours is known. */
export const NPY_MARK = "# ncvsd-gpu";
