import { type Case, grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { read, update } from "../../lib/buffers.js";
import { addressable, positiveInteger, positiveNumber } from "../../lib/check.js";
import { summing, summingSize } from "../../lib/entry.js";
import math from "../../lib/math.wgsl.js";
import { STATE_LENGTH, TRACE_LENGTH, testStates } from "../../lib/run-state.js";
import { temperingCase, temperingParts } from "../../lib/temper.js";
import source from "./kernel.wgsl.js";
import { type ReweightParams, reference } from "./reference.js";

/** Running sums of the weights of every run, its evidence, and its next temperature and step size. */
export const reweight: Kernel<ReweightParams> = {
  name: "reweight",
  source: [
    ...summing(undefined, "vec2f"),
    { file: "kernels/lib/math.wgsl", text: math },
    ...temperingParts,
    { file: "kernels/sampling/reweight/kernel.wgsl", text: source },
  ],
  check({ runs, particles, scale, kappa, cap, slots }) {
    for (const [name, value] of Object.entries({ runs, particles, slots })) positiveInteger("reweight", name, value);
    for (const [name, value] of Object.entries({ scale, kappa, cap })) positiveNumber("reweight", name, value);
    addressable("reweight", "phi", runs, particles);
  },
  buffers: ({ runs, particles, slots }) => [
    read("phi", runs * particles),
    update("state", runs * STATE_LENGTH),
    update("sums_of", runs * particles),
    update("trace", runs * slots * TRACE_LENGTH),
  ],
  variant({ fixed }, caps) {
    const { size, prelude } = summingSize(caps);
    return { key: `${size}${fixed ? "-fixed" : ""}`, prelude: `${prelude}const FIXED: bool = ${fixed};` };
  },
  uniforms: ({ runs, particles, scale, kappa, cap, slots }) => ({
    workgroups: runs,
    particles,
    scale,
    kappa,
    cap,
    slots,
  }),
  grid: ({ runs }, _variant, caps) => grid1d(runs, 1, caps),
  cost: ({ runs, particles, slots }) => ({
    flops: 50 * runs * particles,
    bytes: 4 * runs * (2 * particles + 2 * STATE_LENGTH + slots * TRACE_LENGTH),
  }),
  reference,
  cases: [
    at("one particle", { runs: 1, particles: 1, scale: 100, kappa: 0.1, fixed: false, cap: 1, slots: 1 }, 1),
    at("odd numbers", { runs: 5, particles: 131, scale: 204, kappa: 0.07, fixed: false, cap: 0.3, slots: 12 }, 300),
    at("a fixed step", { runs: 3, particles: 40, scale: 100, kappa: 0.05, fixed: true, cap: 1, slots: 2 }, 10),
    at("many particles", { runs: 6, particles: 1024, scale: 100, kappa: 0.1, fixed: false, cap: 1, slots: 12 }, 40),
  ],
  tolerance: { f32: 2e-6, f16: 2e-6 },
};

/** The first run makes its last step, the second has ended. */
function at(name: string, params: ReweightParams, spread: number): Case<ReweightParams> {
  const { inputs } = temperingCase(name, params, spread);
  const states = testStates(params.runs, (run) => ({
    delta: run === 0 ? 0.75 : 0.02 + 0.01 * run,
    last: run === 0 ? 1 : 0,
    done: run === 1 ? 1 : 0,
    count: 3 + run,
    logZ: -1.5,
  }));
  return {
    name,
    params,
    inputs: (buffer, length, random) => (buffer === "state" ? states : inputs!(buffer, length, random)),
  };
}
