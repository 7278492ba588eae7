import { read, write } from "../../lib/buffers.js";
import { positiveNumber } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import precond from "../../lib/precond.wgsl.js";
import source from "./kernel.wgsl.js";
import { type PrecondOutBackwardParams, reference } from "./reference.js";

/** df = c_out g and, asked for, dx = c_skip g: g [N, C, P] f32, sigma [N] to df [N, C, P] act and dx [N, C, P] f32. */
export const precondOutBackward = elementwise<PrecondOutBackwardParams>({
  name: "precond-out-backward",
  group: "network",
  source,
  parts: [{ file: "kernels/lib/precond.wgsl", text: precond }],
  counts: ({ batch, channels, pixels }) => ({ batch, channels, pixels }),
  check: ({ sigmaData }) => positiveNumber("precond-out-backward", "sigmaData", sigmaData),
  buffers: ({ batch, input }, n) => [
    read("g", n),
    read("sigma", batch),
    write("df", n, "act"),
    write("dx", input ? n : 0),
  ],
  uniforms: ({ channels, pixels }) => ({ size: channels * pixels }),
  flags: ({ input }) => ({ INPUT: input }),
  flops: (_, n) => 10 * n,
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
