import { type Case, grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { addressable, positiveInteger } from "../../lib/check.js";
import { LINEAR_WEIGHT, linearWeightLength, packLinearWeight } from "../../lib/linear-weight.js";
import source from "./kernel.wgsl.js";
import { type LinearParams, reference } from "./reference.js";

const FULL = "alias L4 = vec4f;\nfn quad_of(w: L4) -> vec4f { return w; }\n";

/** Linear layer on f32 vectors: x [N, K], w packed from [M, K], y [N, M]. */
export const linear: Kernel<LinearParams> = {
  name: "linear",
  source: [{ file: "kernels/network/linear/kernel.wgsl", text: source }],
  check(params) {
    const { batch, inFeatures, outFeatures } = params;
    for (const name of ["batch", "inFeatures", "outFeatures"] as const) positiveInteger("linear", name, params[name]);
    addressable("linear", "x", batch, inFeatures);
    addressable("linear", "w", linearWeightLength(outFeatures, inFeatures));
    addressable("linear", "y", batch, outFeatures);
  },
  buffers({ batch, inFeatures, outFeatures, full = false }) {
    return [
      read("x", batch * inFeatures),
      read("w", linearWeightLength(outFeatures, inFeatures), full ? "f32" : "weight"),
      write("y", batch * outFeatures),
    ];
  },
  variant: ({ full = false }, { precision }) =>
    full && precision !== "f32" ? { key: "full", prelude: FULL } : { key: "", prelude: LINEAR_WEIGHT },
  uniforms: ({ batch, inFeatures, outFeatures, addOne }) => ({ batch, inFeatures, outFeatures, plus: addOne ? 1 : 0 }),
  grid: ({ batch, outFeatures }, _variant, caps) => grid1d(Math.ceil(outFeatures / 8) * Math.ceil(batch / 4), 1, caps),
  cost: ({ batch, inFeatures, outFeatures, full = false }, _bytesPerAct, bytesPerWeight) => ({
    flops: 2 * batch * inFeatures * outFeatures,
    bytes: 4 * batch * (inFeatures + outFeatures) + (full ? 4 : bytesPerWeight) * outFeatures * inFeatures,
  }),
  reference,
  cases: [
    linearCase("one by one", { batch: 1, inFeatures: 1, outFeatures: 1, addOne: false }),
    linearCase("odd sizes", { batch: 5, inFeatures: 37, outFeatures: 13, addOne: false }),
    linearCase("odd sizes, plus 1", { batch: 3, inFeatures: 6, outFeatures: 19, addOne: true }),
    linearCase("a full weight", { batch: 3, inFeatures: 38, outFeatures: 9, addOne: false, full: true }),
    linearCase("an embedding", { batch: 1, inFeatures: 192, outFeatures: 768, addOne: true }),
  ],
  tolerance: { f32: 1e-6, f16: 1e-6 },
};

/** The padding of the weight is zero. */
function linearCase(name: string, params: LinearParams): Case<LinearParams> {
  const { outFeatures, inFeatures } = params;
  const weight = (random: () => number) =>
    packLinearWeight(Float32Array.from({ length: outFeatures * inFeatures }, random), outFeatures, inFeatures);
  return { name, params, inputs: (buffer, _length, random) => (buffer === "w" ? weight(random) : undefined) };
}
