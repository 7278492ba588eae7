import { read, write } from "../../lib/buffers.js";
import complex from "../../lib/complex.wgsl.js";
import { elementwise } from "../../lib/elementwise.js";
import {
  pictureLength,
  type ViewParams,
  viewCase,
  viewCases,
  viewKernel,
  viewLength,
  viewPrelude,
  windowLength,
} from "../../lib/views.js";
import views from "../../lib/views.wgsl.js";
import source from "./kernel.wgsl.js";
import { reference } from "./reference.js";

/** Weighted views of complex pictures. */
export const viewTake = elementwise<ViewParams>({
  ...viewKernel("view-take"),
  source,
  parts: [
    { file: "kernels/lib/complex.wgsl", text: complex },
    { file: "kernels/lib/views.wgsl", text: views },
  ],
  threads: (params) => viewLength(params) / 2,
  buffers: (params) => [
    read("x", pictureLength(params)),
    read("window", windowLength(params)),
    read("positions", 2 * params.views, "u32"),
    write("y", viewLength(params)),
  ],
  variant: (params) => ({ key: `${params.as}-${params.windows}`, prelude: viewPrelude(params) }),
  uniforms: () => ({ factor: 1 }),
  flops: (params) => 3 * viewLength(params),
  reference,
  cases: viewCases.map(viewCase),
});
