import type { BufferUse, ElementType } from "../../src/gpu/contract.js";

const use =
  (access: BufferUse["access"]) =>
  (name: string, length: number, type: ElementType = "f32"): BufferUse => ({ name, access, type, length });

/** Entries of a kernel's `buffers`, f32 unless said otherwise. */
export const read = use("read");
export const write = use("write");
export const update = use("update");
