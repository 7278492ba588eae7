import { read, write } from "../../lib/buffers.js";
import { fail, finiteNumber } from "../../lib/check.js";
import complex from "../../lib/complex.wgsl.js";
import { elementwise } from "../../lib/elementwise.js";
import {
  pictureLength,
  viewCase,
  viewCases,
  viewKernel,
  viewLength,
  viewPrelude,
  windowLength,
} from "../../lib/views.js";
import views from "../../lib/views.wgsl.js";
import source from "./kernel.wgsl.js";
import { reference, type ViewCombineParams } from "./reference.js";

const shared = viewKernel("view-combine");

/** The adjoint of view-take. */
export const viewCombine = elementwise<ViewCombineParams>({
  ...shared,
  source,
  parts: [
    { file: "kernels/lib/complex.wgsl", text: complex },
    { file: "kernels/lib/views.wgsl", text: views },
  ],
  check(params) {
    shared.check(params);
    finiteNumber("view-combine", "factor", params.factor);
    if (params.base && params.as !== "planes") fail("view-combine", "only planes have a base", params.as);
  },
  threads: ({ batch, channels, height, width }) => batch * channels * height * width,
  buffers: (params) => [
    read("x", viewLength(params)),
    read("window", windowLength(params)),
    read("positions", 2 * params.views, "u32"),
    read("base", params.base ? pictureLength(params) : 0),
    write("y", pictureLength(params)),
  ],
  variant: (params) => ({
    key: `${params.as}-${params.windows}${params.base ? "-base" : ""}`,
    prelude: `${viewPrelude(params)}\nconst BASE: bool = ${params.base};`,
  }),
  flops: (params) => 4 * viewLength(params),
  reference,
  cases: viewCases.map(([name, params]) => {
    const { inputs } = viewCase([name, params]);
    const more = { factor: 0.5, base: params.as === "planes" };
    return inputs ? { name, params: { ...params, ...more }, inputs } : { name, params: { ...params, ...more } };
  }),
});
