import { type Case, grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { read, update } from "../../lib/buffers.js";
import { addressable, positiveInteger } from "../../lib/check.js";
import { summing, summingSize } from "../../lib/entry.js";
import { runState, STATE_LENGTH, testStates } from "../../lib/run-state.js";
import source from "./kernel.wgsl.js";
import { reference, type TallyTakenParams } from "./reference.js";

/** Accepted particles of each run, taken [runs * particles], added to tally [runs, slots]. */
export const tallyTaken: Kernel<TallyTakenParams> = {
  name: "tally-taken",
  source: [...summing(), runState, { file: "kernels/sampling/tally-taken/kernel.wgsl", text: source }],
  check({ runs, particles, slots }) {
    for (const [name, value] of Object.entries({ runs, particles, slots })) positiveInteger("tally-taken", name, value);
    addressable("tally-taken", "taken", runs, particles);
  },
  buffers: ({ runs, particles, slots }) => [
    read("taken", runs * particles, "u32"),
    read("state", runs * STATE_LENGTH),
    update("tally", runs * slots),
  ],
  variant({ first }, caps) {
    const { size, prelude } = summingSize(caps);
    return { key: `${size}${first ? "-first" : ""}`, prelude: `${prelude}const FIRST: bool = ${first};` };
  },
  uniforms: ({ runs, particles, slots }) => ({ workgroups: runs, particles, slots }),
  grid: ({ runs }, _variant, caps) => grid1d(runs, 1, caps),
  cost: ({ runs, particles, slots }) => ({ flops: runs * particles, bytes: 4 * runs * (particles + slots + 8) }),
  reference,
  cases: [
    at("one particle", { runs: 1, particles: 1, slots: 1, first: true }),
    at("odd numbers", { runs: 5, particles: 77, slots: 3, first: false }),
    at("many particles", { runs: 40, particles: 1024, slots: 12, first: true }),
  ],
  tolerance: { f32: 0, f16: 0 },
};

/** The second run has ended. */
function at(name: string, params: TallyTakenParams): Case<TallyTakenParams> {
  const inputs = (buffer: string, length: number) => {
    if (buffer === "taken") return Uint32Array.from({ length }, (_, i) => Number(i % 5 !== 2));
    if (buffer === "state") return testStates(params.runs, (run) => ({ count: 4 + run, done: run === 1 ? 1 : 0 }));
    return Float32Array.from({ length }, (_, i) => i);
  };
  return { name, params, inputs };
}
