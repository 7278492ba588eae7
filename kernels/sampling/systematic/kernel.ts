import type { Case } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { inRange } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import { bitsOf } from "../../lib/free-box.js";
import { runState, STATE_LENGTH, testStates } from "../../lib/run-state.js";
import { uniformParts } from "../../lib/uniform-at.js";
import source from "./kernel.wgsl.js";
import { reference, type SystematicParams } from "./reference.js";

/** Ancestors of the particles of every run by its running sums of weights. */
export const systematic = elementwise<SystematicParams>({
  name: "systematic",
  group: "sampling",
  source,
  parts: [runState, ...uniformParts],
  counts: ({ runs, particles }) => ({ runs, particles }),
  check: ({ particles }) => inRange("systematic", "particles", particles, 1, 2 ** 22),
  buffers: ({ runs }, rows) => [
    read("sums_of", rows),
    read("state", runs * STATE_LENGTH),
    read("draws", runs, "u32"),
    write("ancestors", rows, "u32"),
  ],
  flags: ({ recorded }) => ({ RECORDED: recorded }),
  flops: (_, rows) => 70 * rows,
  reference,
  cases: [
    at("one particle", { runs: 1, particles: 1, recorded: true }, 0.5),
    at("few heavy ones, recorded", { runs: 4, particles: 37, recorded: true }, 3),
    at("drawn", { runs: 5, particles: 100, recorded: false }, 1),
    at("sums that end below their total", { runs: 2, particles: 33, recorded: true }, 0.3, 1.2),
    at("many particles", { runs: 3, particles: 1024, recorded: false }, 1),
  ],
  tolerance: { f32: 0, f16: 0 },
});

/** Weights exp(spread z), running sums as floats; the second run has ended. */
function at(name: string, params: SystematicParams, spread: number, over = 1): Case<SystematicParams> {
  const { runs, particles, recorded } = params;
  const totals = new Float32Array(runs);
  const inputs = (buffer: string, length: number, random: () => number) => {
    if (buffer === "sums_of")
      return Float32Array.from({ length }, (_, i) => {
        const run = Math.floor(i / particles);
        totals[run]! += Math.exp(spread * random());
        return totals[run]!;
      });
    if (buffer === "state")
      return testStates(runs, (run) => ({ total: totals[run]! * over, done: run === 1 ? 1 : 0, count: run }));
    return recorded
      ? bitsOf(Float32Array.from({ length }, (_, i) => 0.3 + i / 10))
      : Uint32Array.from({ length }, (_, i) => i);
  };
  return { name, params, inputs };
}
