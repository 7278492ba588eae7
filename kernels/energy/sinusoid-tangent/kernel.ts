import { read, write } from "../../lib/buffers.js";
import { elementwise } from "../../lib/elementwise.js";
import { checkSinusoid, type SinusoidShape, sinusoidCases } from "../../lib/sinusoid.js";
import source from "./kernel.wgsl.js";
import { reference } from "./reference.js";

/** A direction r [rows, dims] and the features f [dims embed][columns] to the features' change fd. */
export const sinusoidTangent = elementwise<SinusoidShape>({
  name: "sinusoid-tangent",
  group: "energy",
  source,
  counts: ({ rows, columns, dims, embed }) => ({ rows, columns, dims, embed }),
  check: (params) => checkSinusoid("sinusoid-tangent", params),
  threads: ({ columns, dims, embed }) => columns * dims * Math.floor(embed / 2),
  buffers: ({ rows, columns, dims, embed }) => [
    read("r", rows * dims),
    read("f", dims * embed * columns),
    read("q", Math.floor(embed / 2), "u32"),
    write("fd", dims * embed * columns),
  ],
  flops: (_, n) => 5 * n,
  reference,
  cases: sinusoidCases,
  tolerance: { f32: 5e-7, f16: 5e-7 },
});
