import { grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { read, update } from "../../lib/buffers.js";
import { addressable } from "../../lib/check.js";
import { summing, summingSize } from "../../lib/entry.js";
import { checkNormAct, derivativeCases } from "../../lib/norm-act.js";
import source from "./kernel.wgsl.js";
import { type NormActParametersParams, reference } from "./reference.js";

/** Gradients of alpha, gamma and beta of a unit, set in the bank of gradients d. */
export const normActParameters: Kernel<NormActParametersParams> = {
  name: "norm-act-parameters",
  source: [...summing(undefined, "vec2f"), { file: "kernels/energy/norm-act-parameters/kernel.wgsl", text: source }],
  check(params) {
    checkNormAct("norm-act-parameters", params);
    addressable("norm-act-parameters", "g", params.channels, params.columns);
  },
  buffers({ channels, columns, bank, second }) {
    const all = channels * columns;
    return [
      read("g", all),
      read("first", second ? all : 0),
      read("hd", second ? all : 0),
      read("n", all),
      read("s", second ? columns : 0),
      read("m", second ? 2 * columns : 0),
      read("w", bank),
      update("d", bank),
    ];
  },
  variant: ({ second }, caps) => ({
    key: second ? "second" : "",
    prelude: `${summingSize(caps).prelude}const SECOND: bool = ${second};`,
  }),
  uniforms: ({ channels, columns, alpha, gamma, beta, slope }) => ({
    workgroups: channels,
    quads: columns / 4,
    alpha,
    gamma,
    beta,
    slope,
  }),
  grid: ({ channels }, _variant, caps) => grid1d(channels, 1, caps),
  cost: ({ channels, columns, second }) => ({
    flops: (second ? 12 : 6) * channels * columns,
    bytes: 4 * (second ? 4 : 2) * channels * columns,
  }),
  reference,
  cases: derivativeCases.map((test, i) => ({ ...test, params: { ...test.params, second: i !== 1 } })),
  tolerance: { f32: 2e-6, f16: 2e-6 },
};
