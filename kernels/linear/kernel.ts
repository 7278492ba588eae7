import { grid1d, type Kernel } from "../../src/gpu/contract.js";
import { addressable, positiveInteger } from "../lib/check.js";
import source from "./kernel.wgsl.js";
import { linearReference } from "./reference.js";

export interface LinearParams {
  readonly batch: number;
  readonly inFeatures: number;
  readonly outFeatures: number;
  /** y = x w^T + 1 instead of x w^T. */
  readonly addOne: boolean;
}

/** Linear layer on f32 vectors: x [N, K], w [M, K] row-major, y [N, M]. */
export const linear: Kernel<LinearParams> = {
  name: "linear",
  source: [{ file: "kernels/linear/kernel.wgsl", text: source }],
  check(params) {
    const { batch, inFeatures, outFeatures } = params;
    for (const name of ["batch", "inFeatures", "outFeatures"] as const) positiveInteger("linear", name, params[name]);
    addressable("linear", "x", batch, inFeatures);
    addressable("linear", "w", outFeatures, inFeatures);
    addressable("linear", "y", batch, outFeatures);
  },
  buffers({ batch, inFeatures, outFeatures }) {
    return [
      { name: "x", access: "read", type: "f32", length: batch * inFeatures },
      { name: "w", access: "read", type: "f32", length: outFeatures * inFeatures },
      { name: "y", access: "write", type: "f32", length: batch * outFeatures },
    ];
  },
  variant: ({ addOne }) => ({ key: addOne ? "add-one" : "", prelude: `const ADD_ONE: bool = ${addOne};` }),
  uniforms: ({ batch, inFeatures, outFeatures }) => ({ batch, inFeatures, outFeatures }),
  grid: ({ batch, outFeatures }, _variant, caps) => grid1d(Math.ceil(outFeatures / 8) * Math.ceil(batch / 4), 1, caps),
  cost: ({ batch, inFeatures, outFeatures }) => ({
    flops: 2 * batch * inFeatures * outFeatures,
    bytes: 4 * (batch * inFeatures + outFeatures * inFeatures + batch * outFeatures),
  }),
  reference: linearReference,
  cases: [
    { name: "one by one", params: { batch: 1, inFeatures: 1, outFeatures: 1, addOne: false } },
    { name: "odd sizes", params: { batch: 5, inFeatures: 37, outFeatures: 13, addOne: false } },
    { name: "odd sizes, plus 1", params: { batch: 3, inFeatures: 6, outFeatures: 19, addOne: true } },
    { name: "an embedding", params: { batch: 1, inFeatures: 192, outFeatures: 768, addOne: true } },
  ],
  tolerance: { f32: 1e-6, f16: 1e-6 },
};
