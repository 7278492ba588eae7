import type { Case } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type PermuteRowsParams, reference } from "./reference.js";

/** Position, phi and its gradient of every particle's ancestor. */
export const permuteRows = elementwise<PermuteRowsParams>({
  name: "permute-rows",
  group: "sampling",
  source,
  counts: ({ runs, particles, dims }) => ({ runs, particles, dims }),
  threads: ({ runs, particles }) => runs * particles,
  buffers: ({ dims }, rows) => [
    read("ancestors", rows, "u32"),
    read("x", rows * dims),
    read("phi", rows),
    read("o", rows * dims),
    write("newX", rows * dims),
    write("newPhi", rows),
    write("newO", rows * dims),
  ],
  flops: () => 0,
  reference,
  cases: [
    at("one particle", { runs: 1, particles: 1, dims: 1 }),
    at("several runs", { runs: 3, particles: 43, dims: 3 }),
    at("wide rows", { runs: 2, particles: 150, dims: 50 }),
  ],
  tolerance: { f32: 0, f16: 0 },
});

function at(name: string, params: PermuteRowsParams): Case<PermuteRowsParams> {
  const inputs = (buffer: string, length: number) =>
    buffer === "ancestors" ? Uint32Array.from({ length }, (_, i) => (i * 7) % params.particles) : undefined;
  return { name, params, inputs };
}
