import { positiveNumber } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type PrecondOutBackwardParams, reference } from "./reference.js";

/** df = c_out g and, asked for, dx = c_skip g: g [N, C, P] f32, sigma [N] to df [N, C, P] act and dx [N, C, P] f32. */
export const precondOutBackward = elementwise<PrecondOutBackwardParams>({
  name: "precond-out-backward",
  group: "network",
  source,
  counts: ({ batch, channels, pixels }) => ({ batch, channels, pixels }),
  check: ({ sigmaData }) => positiveNumber("precond-out-backward", "sigmaData", sigmaData),
  threads: ({ batch, channels, pixels }) => batch * channels * pixels,
  buffers({ batch, channels, pixels, input }) {
    const length = batch * channels * pixels;
    return [
      { name: "g", access: "read", type: "f32", length },
      { name: "sigma", access: "read", type: "f32", length: batch },
      { name: "df", access: "write", type: "act", length },
      { name: "dx", access: "write", type: "f32", length: input ? length : 0 },
    ];
  },
  uniforms: ({ channels, pixels, sigmaData }) => ({ size: channels * pixels, sigmaData }),
  flags: ({ input }) => ({ INPUT: input }),
  flops: ({ batch, channels, pixels }) => 10 * batch * channels * pixels,
  reference,
  cases: [
    { name: "one pixel", params: { batch: 1, channels: 1, pixels: 1, sigmaData: 0.5, input: true }, inputs: levels },
    { name: "odd sizes", params: { batch: 3, channels: 3, pixels: 35, sigmaData: 0.5, input: false }, inputs: levels },
    { name: "images", params: { batch: 4, channels: 3, pixels: 1024, sigmaData: 1, input: true }, inputs: levels },
  ],
  tolerance: { f32: 1e-6, f16: 1e-3 },
});

/** From low noise to the highest. */
function levels(name: string, length: number): Float32Array | undefined {
  return name === "sigma" ? Float32Array.from({ length }, (_, n) => [0.02, 80, 1][n % 3]!) : undefined;
}
