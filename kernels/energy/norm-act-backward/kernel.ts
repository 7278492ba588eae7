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

/** The gradient of v, g, and of the residual stream, r, to that of the product in front, dg. */
export const normActBackward = elementwise<NormActShape>({
  name: "norm-act-backward",
  group: "energy",
  source,
  workgroup: 32,
  counts: ({ channels, columns }) => ({ channels, columns }),
  check: (params) => checkNormAct("norm-act-backward", params),
  threads: ({ columns }) => columns / 4,
  buffers(params) {
    const { channels, columns, bank } = params;
    const all = channels * columns;
    return [
      read("g", all),
      read("n", all),
      read("s", columns),
      read("w", bank),
      read("r", params.source === "plain" ? 0 : all),
      write("dg", partsOf(params).g * columns),
    ];
  },
  uniforms: normActUniforms,
  flags: normActFlags,
  flops: ({ channels, columns }) => 14 * channels * columns,
  reference,
  cases: derivativeCases,
  tolerance: { f32: 2e-6, f16: 2e-6 },
});
