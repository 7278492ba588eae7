import { read, write } from "../../lib/buffers.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { reference, type VaryingBlurParams } from "./reference.js";

/** A weighted sum of convolutions with weights per pixel, or its adjoint. */
export const varyingBlur = elementwise<VaryingBlurParams>({
  name: "varying-blur",
  group: "operators",
  source,
  counts: ({ planes, height, width, count, side }) => ({ planes, height, width, count, side }),
  threads: ({ planes, height, width }) => planes * height * width,
  buffers: ({ height, width, count, side }, n) => [
    read("x", n),
    read("kernels", count * side * side),
    read("weights", count * height * width),
    write("y", n),
  ],
  flags: ({ circular, adjoint }) => ({ CIRCULAR: circular, ADJOINT: adjoint }),
  flops: ({ count, side, adjoint }, n) => (adjoint ? 2 : 3) * count * side * side * n,
  reference,
  cases: [true, false].flatMap((adjoint) => [
    {
      name: `one pixel, ${adjoint}`,
      params: { planes: 1, height: 1, width: 1, count: 1, side: 3, circular: true, adjoint },
    },
    { name: `odd, ${adjoint}`, params: { planes: 2, height: 7, width: 9, count: 3, side: 4, circular: true, adjoint } },
    {
      name: `zeros, ${adjoint}`,
      params: { planes: 3, height: 8, width: 5, count: 2, side: 11, circular: false, adjoint },
    },
    {
      name: `images, ${adjoint}`,
      params: { planes: 3, height: 32, width: 32, count: 4, side: 7, circular: false, adjoint },
    },
  ]),
  tolerance: { f32: 2e-6, f16: 2e-6 },
});
