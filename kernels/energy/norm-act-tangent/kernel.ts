import { read, write } from "../../lib/buffers.js";
import { derivativeCases, partsOf } from "../../lib/norm-act.js";
import { normActDerivative } from "../../lib/norm-act-derivative.js";
import source from "./kernel.wgsl.js";
import { reference } from "./reference.js";

/** Changes of the product in front, g, and of the residual stream, r, to those of h and v: hd, with its means m, and vd. */
export const normActTangent = normActDerivative({
  name: "norm-act-tangent",
  source,
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
  flops: ({ channels, columns }) => 12 * channels * columns,
  reference,
  cases: derivativeCases,
  tolerance: { f32: 2e-6, f16: 2e-6 },
});
