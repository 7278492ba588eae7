import type { Case } from "../../../src/gpu/contract.js";
import { read, update, write } from "../../lib/buffers.js";
import { fail } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import { bitsOf, packBox } from "../../lib/free-box.js";
import { noiseParts } from "../../lib/philox.js";
import source from "./kernel.wgsl.js";
import { type FreeLangevinParams, reference } from "./reference.js";

/** One Langevin step of the unobserved coordinates in place, with its noise. */
export const freeLangevin = elementwise<FreeLangevinParams>({
  name: "free-langevin",
  group: "sampling",
  source,
  parts: [...noiseParts],
  counts: ({ runs, particles, dims, free, steps }) => ({ runs, particles, dims, free, steps }),
  check({ dims, free }) {
    if (free > dims) fail("free-langevin", `free must be at most dims, ${dims}`, free);
  },
  threads: ({ runs, particles }) => runs * particles,
  buffers: ({ runs, dims, free, steps, recorded }, rows) => [
    update("x", rows * dims),
    read("o", rows * dims),
    read("box", 3 * free, "u32"),
    read("plan", 2 * steps),
    read("step", 1, "u32"),
    read("draws", recorded ? rows * free : runs, "u32"),
    write("next", 1, "u32"),
  ],
  flags: ({ recorded }) => ({ RECORDED: recorded }),
  flops: ({ free, recorded }, rows) => (recorded ? 8 : 200) * free * rows,
  reference,
  cases: [
    at("one particle, recorded", { runs: 1, particles: 1, dims: 1, free: 1, steps: 1, recorded: true }),
    at("some observed, recorded", { runs: 3, particles: 13, dims: 5, free: 3, steps: 4, recorded: true }),
    at("some observed, drawn", { runs: 3, particles: 13, dims: 5, free: 3, steps: 4, recorded: false }),
    at("many particles", { runs: 4, particles: 1024, dims: 2, free: 1, steps: 3, recorded: false }),
  ],
  tolerance: { f32: 5e-7, f16: 5e-7 },
});

/** The last coordinates free; some steps would leave the box. */
function at(name: string, params: FreeLangevinParams): Case<FreeLangevinParams> {
  const { dims, free, steps, recorded } = params;
  const inputs = (buffer: string, length: number, random: () => number) => {
    if (buffer === "box") {
      const indices = Array.from({ length: free }, (_, j) => dims - free + j);
      return packBox(indices, new Float32Array(free).fill(-2.5), new Float32Array(free).fill(2));
    }
    if (buffer === "plan") return Float32Array.from({ length }, (_, i) => (i % 2 === 0 ? 0.2 : 0.06));
    if (buffer === "step") return Uint32Array.of(steps - 1);
    if (buffer === "draws")
      return recorded
        ? bitsOf(Float32Array.from({ length }, random))
        : Uint32Array.from({ length }, (_, run) => 3 + run);
    return undefined;
  };
  return { name, params, inputs };
}
