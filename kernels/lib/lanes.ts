/**
 * Elements per thread of an elementwise kernel. Vector loads reach several times the bandwidth of scalar ones, but need
 * rows of a multiple of four elements. The same WGSL text serves both: per element it does the same operations in the
 * same order, on `F` (f32 or vec4f) loaded from `V` (the storage type).
 */
export type Lanes = 1 | 4;

/** 4 if every row length is a multiple of 4, else 1. */
export function lanesOf(...rows: readonly number[]): Lanes {
  return rows.every((length) => length % 4 === 0) ? 4 : 1;
}

/** Prelude of a lane-generic kernel: V = what buffers hold, F = what is computed with, U = the bits of an F. */
export function lanesPrelude(lanes: Lanes, storage: "S" | "f32" = "S"): string {
  return lanes === 4
    ? `alias V = vec4<${storage}>;\nalias F = vec4f;\nalias U = vec4u;\n`
    : `alias V = ${storage};\nalias F = f32;\nalias U = u32;\n`;
}
