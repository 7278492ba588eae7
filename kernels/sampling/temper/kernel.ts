import { grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { read, update } from "../../lib/buffers.js";
import { addressable, inRange, oneOf, positiveInteger, positiveNumber } from "../../lib/check.js";
import { summing, summingSize } from "../../lib/entry.js";
import { STATE_LENGTH } from "../../lib/run-state.js";
import { temperingCase, temperingParts } from "../../lib/temper.js";
import source from "./kernel.wgsl.js";
import { reference, type TemperParams } from "./reference.js";

/** Increments of beta that keep the effective sample size of every run. */
export const temper: Kernel<TemperParams> = {
  name: "temper",
  source: [
    ...summing(undefined, "vec2f"),
    ...temperingParts,
    { file: "kernels/sampling/temper/kernel.wgsl", text: source },
  ],
  check({ runs, particles, scale, tau, sign }) {
    positiveInteger("temper", "runs", runs);
    positiveInteger("temper", "particles", particles);
    positiveNumber("temper", "scale", scale);
    inRange("temper", "tau", tau, 0, 1);
    oneOf("temper", "sign", sign, [1, -1]);
    addressable("temper", "phi", runs, particles);
  },
  buffers: ({ runs, particles }) => [read("phi", runs * particles), update("state", runs * STATE_LENGTH)],
  variant(_params, caps) {
    const { size, prelude } = summingSize(caps);
    return { key: `${size}`, prelude };
  },
  uniforms: ({ runs, particles, scale, tau, sign }) => ({ workgroups: runs, particles, scale, tau, sign }),
  grid: ({ runs }, _variant, caps) => grid1d(runs, 1, caps),
  cost: ({ runs, particles }) => ({ flops: 41 * 20 * runs * particles, bytes: 4 * runs * (particles + 16) }),
  reference,
  cases: [
    temperingCase("one particle", { runs: 1, particles: 1, scale: 100, tau: 0.75, sign: 1 }, 1),
    temperingCase("odd numbers, far apart", { runs: 5, particles: 131, scale: 204, tau: 0.75, sign: 1 }, 300),
    temperingCase("close together", { runs: 3, particles: 64, scale: 100, tau: 0.5, sign: 1 }, 0.1),
    temperingCase("the other sign", { runs: 4, particles: 100, scale: 100, tau: 0.9, sign: -1 }, 20),
    temperingCase("many particles", { runs: 6, particles: 1024, scale: 100, tau: 0.75, sign: 1 }, 40),
  ],
  tolerance: { f32: 1e-5, f16: 1e-5 },
};
