import { read, write } from "../../lib/buffers.js";
import { inRange } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import { checkEps, checkNormAct, normActFlags, normActUniforms, partsOf, unitCases } from "../../lib/norm-act.js";
import source from "./kernel.wgsl.js";
import { type NormActParams, reference } from "./reference.js";

/** g (and r) to the residual stream h (unless `plain`), v, and with `tape` n and s. */
export const normAct = elementwise<NormActParams>({
  name: "norm-act",
  group: "energy",
  source,
  workgroup: 32,
  counts: ({ channels, columns }) => ({ channels, columns }),
  check(params) {
    checkNormAct("norm-act", params);
    checkEps("norm-act", params.eps);
    inRange("norm-act", "bias", params.bias, 0, params.bank - partsOf(params).g);
  },
  threads: ({ columns }) => columns / 4,
  buffers(params) {
    const { channels, columns, bank, tape } = params;
    const parts = partsOf(params);
    const all = channels * columns;
    return [
      read("g", parts.g * columns),
      read("w", bank),
      read("r", parts.r * columns),
      write("h", params.source === "plain" ? 0 : all),
      write("n", tape ? all : 0),
      write("s", tape ? columns : 0),
      write("v", all),
    ];
  },
  uniforms: normActUniforms,
  flags: (params) => ({ ...normActFlags(params), TAPE: params.tape }),
  flops: ({ channels, columns }) => 12 * channels * columns,
  reference,
  cases: [
    ...unitCases.map(({ name, shape }, i) => ({ name, params: { ...shape, bias: 1, eps: 1e-5, tape: i % 2 === 0 } })),
    {
      // eps decides here: it stands under the root.
      name: "nearly constant rows",
      params: { ...unitCases[0]!.shape, channels: 8, columns: 8, bank: 40, bias: 0, eps: 1e-5, tape: true },
      inputs: (name, length, random) =>
        name === "g" ? Float32Array.from({ length }, () => 2e-3 * random()) : undefined,
    },
  ],
  tolerance: { f32: 2e-6, f16: 2e-6 },
});
