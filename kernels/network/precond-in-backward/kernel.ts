import { positiveNumber } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type PrecondInBackwardParams, reference } from "./reference.js";

/** dx = c_in g without the channel of ones: g [N, C + 1, P] act, sigma [N] to dx [N, C, P] f32. */
export const precondInBackward = elementwise<PrecondInBackwardParams>({
  name: "precond-in-backward",
  group: "network",
  source,
  counts: ({ batch, channels, pixels }) => ({ batch, channels, pixels }),
  check: ({ sigmaData }) => positiveNumber("precond-in-backward", "sigmaData", sigmaData),
  threads: ({ batch, channels, pixels }) => batch * channels * pixels,
  buffers: ({ batch, channels, pixels }) => [
    { name: "g", access: "read", type: "act", length: batch * (channels + 1) * pixels },
    { name: "sigma", access: "read", type: "f32", length: batch },
    { name: "dx", access: "write", type: "f32", length: batch * channels * pixels },
  ],
  uniforms: ({ channels, pixels, sigmaData }) => ({ size: channels * pixels, ones: pixels, sigmaData }),
  flops: ({ batch, channels, pixels }) => 5 * batch * channels * pixels,
  reference,
  cases: [
    { name: "one pixel", params: { batch: 1, channels: 1, pixels: 1, sigmaData: 0.5 }, inputs: levels },
    { name: "odd sizes", params: { batch: 3, channels: 3, pixels: 35, sigmaData: 0.5 }, inputs: levels },
    { name: "images", params: { batch: 4, channels: 3, pixels: 1024, sigmaData: 1 }, inputs: levels },
  ],
  tolerance: { f32: 1e-6, f16: 1e-6 },
});

/** From the lowest to the highest noise. */
function levels(name: string, length: number): Float32Array | undefined {
  return name === "sigma" ? Float32Array.from({ length }, (_, n) => [0.002, 80, 1][n % 3]!) : undefined;
}
