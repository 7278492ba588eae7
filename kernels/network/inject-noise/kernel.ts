import { read, write } from "../../lib/buffers.js";
import { levels } from "../../lib/cases.js";
import { finiteNumber, inRange } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type InjectNoiseParams, reference } from "./reference.js";

/** Noise injection of the generative denoiser (NCVSD, eq. 34): sigmaHat = (1 + gamma) sigma, yHat at that level. */
export const injectNoise = elementwise<InjectNoiseParams>({
  name: "inject-noise",
  group: "network",
  source,
  counts: ({ batch, elements }) => ({ batch, elements }),
  check({ gamma }) {
    finiteNumber("inject-noise", "gamma", gamma);
    inRange("inject-noise", "gamma", gamma, 0, 1e6);
  },
  buffers: ({ batch }, n) => [
    read("y", n),
    read("sigma", batch),
    read("z", n),
    write("yHat", n),
    write("sigmaHat", batch),
  ],
  uniforms: ({ gamma }) => ({ growth: 1 + gamma, spread: Math.sqrt(gamma * (2 + gamma)) }),
  flops: (_, n) => 2 * n,
  reference,
  cases: [
    { name: "one value", params: { batch: 1, elements: 1, gamma: 0.414 }, inputs: from(80, 80) },
    {
      name: "odd length, one level an image",
      params: { batch: 3, elements: 131, gamma: 0.414 },
      inputs: from(2e-3, 80),
    },
    { name: "gamma 0", params: { batch: 2, elements: 65, gamma: 0 }, inputs: from(0.1, 10) },
    { name: "tiny gamma", params: { batch: 2, elements: 65, gamma: 1e-9 }, inputs: from(1e3, 1e6) },
    { name: "an image", params: { batch: 1, elements: 3 * 32 * 32, gamma: 0.414 }, inputs: from(5, 5) },
  ],
  tolerance: { f32: 3e-7, f16: 3e-7 },
});

/** Levels from `low` to `high`. */
function from(low: number, high: number) {
  return (name: string, length: number): Float32Array | undefined =>
    name === "sigma" ? levels(low, high, length) : undefined;
}
