/** The unobserved coordinates of a particle sampler and their box, packed for kernels/lib/free-box.wgsl. */
import type { SourcePart } from "../../src/gpu/contract.js";
import text from "./free-box.wgsl.js";

/** Needs `x` and `box` among the kernel's bindings. */
export const freeBox: SourcePart = { file: "kernels/lib/free-box.wgsl", text };

/** Indices, lower walls and upper walls of the unobserved coordinates, [3, free]. */
export function packBox(indices: readonly number[], low: ArrayLike<number>, high: ArrayLike<number>) {
  const walls = Float32Array.from([...Array.from(low), ...Array.from(high)]);
  return Uint32Array.from([...indices, ...new Uint32Array(walls.buffer)]);
}

/** What `packBox` packed. */
export function unpackBox(box: ArrayLike<number>) {
  const free = box.length / 3;
  const walls = Float32Array.from(new Float32Array(Uint32Array.from(Array.from(box).slice(free)).buffer));
  return { indices: Array.from(box).slice(0, free), low: walls.subarray(0, free), high: walls.subarray(free) };
}

/** Whether the unobserved coordinates of the row that begins at `start` lie in the box. */
export function inside(x: ArrayLike<number>, start: number, { indices, low, high }: ReturnType<typeof unpackBox>) {
  return indices.every((d, j) => x[start + d]! >= low[j]! && x[start + d]! <= high[j]!);
}

/** The bits of values, as a buffer of u32 holds them. */
export const bitsOf = (values: Float32Array) => new Uint32Array(values.buffer, values.byteOffset, values.length);

/** The values of bits. */
export const valuesOf = (bits: ArrayLike<number>) => new Float32Array(Uint32Array.from(bits).buffer);
