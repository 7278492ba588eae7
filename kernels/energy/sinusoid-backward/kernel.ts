import { read, write } from "../../lib/buffers.js";
import { elementwise } from "../../lib/elementwise.js";
import { checkSinusoid, type SinusoidShape, sinusoidCases } from "../../lib/sinusoid.js";
import source from "./kernel.wgsl.js";
import { reference } from "./reference.js";

/** The gradient of the features, g, and the features f [dims embed][columns] to that of x, dx [rows, dims]. */
export const sinusoidBackward = elementwise<SinusoidShape>({
  name: "sinusoid-backward",
  group: "energy",
  source,
  counts: ({ rows, columns, dims, embed }) => ({ rows, columns, dims, embed }),
  check: (params) => checkSinusoid("sinusoid-backward", params),
  threads: ({ rows, dims }) => rows * dims,
  buffers: ({ rows, columns, dims, embed }) => [
    read("g", dims * embed * columns),
    read("f", dims * embed * columns),
    read("q", Math.floor(embed / 2), "u32"),
    write("dx", rows * dims),
  ],
  flops: ({ embed }, n) => 3 * embed * n,
  reference,
  cases: sinusoidCases,
  tolerance: { f32: 1e-6, f16: 1e-6 },
});
