import { read, write } from "../../lib/buffers.js";
import { elementwise } from "../../lib/elementwise.js";
import {
  checkNormAct,
  derivativeCases,
  type NormActShape,
  normActFlags,
  normActUniforms,
  partsOf,
} from "../../lib/norm-act.js";
import source from "./kernel.wgsl.js";
import { reference } from "./reference.js";

/** Changes of the product in front, g, and of the residual stream, r, to those of h and v: hd, with its means m, and vd. */
export const normActTangent = elementwise<NormActShape>({
  name: "norm-act-tangent",
  group: "energy",
  source,
  workgroup: 32,
  counts: ({ channels, columns }) => ({ channels, columns }),
  check: (params) => checkNormAct("norm-act-tangent", params),
  threads: ({ columns }) => columns / 4,
  buffers(params) {
    const { channels, columns, bank } = params;
    const all = channels * columns;
    return [
      read("g", partsOf(params).g * columns),
      read("n", all),
      read("s", columns),
      read("w", bank),
      read("r", params.source === "residual" ? all : 0),
      write("hd", params.source === "plain" ? 0 : all),
      write("m", 2 * columns),
      write("vd", all),
    ];
  },
  uniforms: normActUniforms,
  flags: normActFlags,
  flops: ({ channels, columns }) => 12 * channels * columns,
  reference,
  cases: derivativeCases,
  tolerance: { f32: 2e-6, f16: 2e-6 },
});
