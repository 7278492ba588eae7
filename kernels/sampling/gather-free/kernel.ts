import type { Case } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type GatherFreeParams, reference } from "./reference.js";

/** Particles x [rows, dims] to their unobserved coordinates y [rows, free]. */
export const gatherFree = elementwise<GatherFreeParams>({
  name: "gather-free",
  group: "sampling",
  source,
  counts: ({ rows, dims, free }) => ({ rows, dims, free }),
  threads: ({ rows, free }) => rows * free,
  buffers: ({ rows, dims, free }, n) => [read("x", rows * dims), read("indices", free, "u32"), write("y", n)],
  flops: () => 0,
  reference,
  cases: [
    at("one value", { rows: 1, dims: 1, free: 1 }),
    at("some of five", { rows: 37, dims: 5, free: 3 }),
    at("all of fifty", { rows: 300, dims: 50, free: 50 }),
  ],
  tolerance: { f32: 0, f16: 0 },
});

function at(name: string, params: GatherFreeParams): Case<GatherFreeParams> {
  const inputs = (buffer: string, length: number) =>
    buffer === "indices" ? Uint32Array.from({ length }, (_, j) => params.dims - 1 - j) : undefined;
  return { name, params, inputs };
}
