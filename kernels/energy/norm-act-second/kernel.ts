import { read, write } from "../../lib/buffers.js";
import { derivativeCases, partsOf } from "../../lib/norm-act.js";
import { normActDerivative } from "../../lib/norm-act-derivative.js";
import source from "./kernel.wgsl.js";
import { reference } from "./reference.js";

/** Derivatives by v of <r, grad phi>, g, and of phi, first, and the change hd of h, to the derivative by the product in front, dg. */
export const normActSecond = normActDerivative({
  name: "norm-act-second",
  source,
  buffers(params) {
    const { channels, columns, bank } = params;
    const all = channels * columns;
    return [
      read("g", all),
      read("first", all),
      read("hd", all),
      read("n", all),
      read("s", columns),
      read("w", bank),
      read("r", params.source === "plain" ? 0 : all),
      write("dg", partsOf(params).g * columns),
    ];
  },
  flops: ({ channels, columns }) => 30 * channels * columns,
  reference,
  cases: derivativeCases,
  tolerance: { f32: 3e-6, f16: 3e-6 },
});
