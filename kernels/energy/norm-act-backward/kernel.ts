import { read, write } from "../../lib/buffers.js";
import { derivativeCases, partsOf } from "../../lib/norm-act.js";
import { normActDerivative } from "../../lib/norm-act-derivative.js";
import source from "./kernel.wgsl.js";
import { reference } from "./reference.js";

/** The gradient of v, g, and of the residual stream, r, to that of the product in front, dg. */
export const normActBackward = normActDerivative({
  name: "norm-act-backward",
  source,
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
  flops: ({ channels, columns }) => 14 * channels * columns,
  reference,
  cases: derivativeCases,
  tolerance: { f32: 2e-6, f16: 2e-6 },
});
