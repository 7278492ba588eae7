import { grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { addressable, positiveInteger } from "../../lib/check.js";
import source from "./kernel.wgsl.js";
import { type AddNoiseParams, reference } from "./reference.js";

/** Churn of the second-order sampler: y = x + level[3] z, level = [t, next, guidance, churn scale]. */
export const addNoise: Kernel<AddNoiseParams> = {
  name: "add-noise",
  source: [{ file: "kernels/sampling/add-noise/kernel.wgsl", text: source }],
  check({ elements }) {
    positiveInteger("add-noise", "elements", elements);
    addressable("add-noise", "x", elements);
  },
  buffers({ elements }) {
    return [
      { name: "x", access: "read", type: "f32", length: elements },
      { name: "z", access: "read", type: "f32", length: elements },
      { name: "level", access: "read", type: "f32", length: 4 },
      { name: "y", access: "write", type: "f32", length: elements },
    ];
  },
  variant: () => ({ key: "", prelude: "" }),
  uniforms: ({ elements }) => ({ elements }),
  grid: ({ elements }, _variant, caps) => grid1d(elements, 64, caps),
  cost: ({ elements }) => ({ flops: 2 * elements, bytes: 12 * elements + 16 }),
  reference,
  cases: [
    { name: "one value", params: { elements: 1 } },
    { name: "odd length", params: { elements: 131 } },
    { name: "two images", params: { elements: 2 * 3 * 32 * 32 } },
  ],
  tolerance: { f32: 3e-7, f16: 3e-7 },
};
