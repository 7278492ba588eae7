import { read, write } from "../../lib/buffers.js";
import { elementwise } from "../../lib/elementwise.js";
import { checkSinusoid, type SinusoidShape, sinusoidCases } from "../../lib/sinusoid.js";
import source from "./kernel.wgsl.js";
import { reference } from "./reference.js";

/** Both derivatives by the features, the features, and the direction r [rows, dims] to H r, hv [rows, dims]. */
export const sinusoidCurvature = elementwise<SinusoidShape>({
  name: "sinusoid-curvature",
  group: "energy",
  source,
  counts: ({ rows, columns, dims, embed }) => ({ rows, columns, dims, embed }),
  check: (params) => checkSinusoid("sinusoid-curvature", params),
  threads: ({ rows, dims }) => rows * dims,
  buffers({ rows, columns, dims, embed }) {
    const all = dims * embed * columns;
    return [
      read("g", all),
      read("first", all),
      read("f", all),
      read("r", rows * dims),
      read("q", Math.floor(embed / 2), "u32"),
      write("hv", rows * dims),
    ];
  },
  flops: ({ embed }, n) => 6 * embed * n,
  reference,
  cases: sinusoidCases,
  tolerance: { f32: 2e-6, f16: 2e-6 },
});
