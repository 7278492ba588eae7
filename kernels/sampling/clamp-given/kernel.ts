import type { Case } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { fail } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import { uniformParts } from "../../lib/uniform-at.js";
import source from "./kernel.wgsl.js";
import { type ClampGivenParams, reference } from "./reference.js";

/** Observed values [runs, dims] and unobserved coordinates, given or uniform in a box, to particles x [runs * particles, dims]. */
export const clampGiven = elementwise<ClampGivenParams>({
  name: "clamp-given",
  group: "sampling",
  source,
  parts: uniformParts,
  counts: ({ runs, particles, dims, free }) => ({ runs, particles, dims, free }),
  check({ dims, free }) {
    if (free > dims) fail("clamp-given", `free must be at most dims, ${dims}`, free);
  },
  threads: ({ runs, particles }) => runs * particles,
  buffers: ({ runs, particles, dims, free, recorded }, rows) => [
    read("values", runs * dims),
    read("indices", free, "u32"),
    read("low", recorded ? 0 : free),
    read("high", recorded ? 0 : free),
    read("seeds", recorded ? 0 : runs, "u32"),
    read("u", recorded ? runs * particles * free : 0),
    write("x", rows * dims),
  ],
  flags: ({ recorded }) => ({ RECORDED: recorded }),
  flops: ({ free }, rows) => 3 * free * rows,
  reference,
  cases: [
    at("one coordinate, nothing observed", { runs: 1, particles: 1, dims: 1, free: 1, recorded: false }),
    at("some observed, given", { runs: 3, particles: 7, dims: 5, free: 2, recorded: true }),
    at("some observed, drawn", { runs: 2, particles: 37, dims: 5, free: 3, recorded: false }),
    at("many particles", { runs: 4, particles: 1024, dims: 10, free: 1, recorded: false }),
  ],
  tolerance: { f32: 3e-7, f16: 3e-7 },
});

/** The last coordinates are unobserved, the box is not the same for all. */
function at(name: string, params: ClampGivenParams): Case<ClampGivenParams> {
  const { dims, free } = params;
  const inputs = (buffer: string, length: number) => {
    if (buffer === "indices") return Uint32Array.from({ length }, (_, j) => dims - free + j);
    if (buffer === "seeds") return Uint32Array.from({ length }, (_, run) => 11 + run);
    if (buffer === "low") return Float32Array.from({ length }, (_, j) => -2.5 - j);
    if (buffer === "high") return Float32Array.from({ length }, (_, j) => 3.1 + j);
    return undefined;
  };
  return { name, params, inputs };
}
