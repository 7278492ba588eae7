import type { Caps } from "../../src/gpu/contract.js";
import halfQuads from "./half-quads.wgsl.js";

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

/**
 * A prelude with `fn load(v: V) -> F` and `fn store(v: F) -> V` as well, and its part of a variant's key: for kernels that
 * do little but load and store, where on a CPU the conversions from and to f16 decide the time.
 */
export function storedLanes(lanes: Lanes, storage: "S" | "f32", caps: Pick<Caps, "precision" | "software">) {
  if (lanes === 4 && storage === "S" && caps.software && caps.precision === "f16") {
    return { key: "words", prelude: `alias F = vec4f;\nalias U = vec4u;\n${halfQuads}\n` };
  }
  const convert = "fn load(v: V) -> F {\n  return F(v);\n}\n\nfn store(v: F) -> V {\n  return V(v);\n}\n";
  return { key: `lanes${lanes}`, prelude: `${lanesPrelude(lanes, storage)}\n${convert}` };
}
