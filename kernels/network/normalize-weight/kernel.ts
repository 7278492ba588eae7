import { grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { addressable, finiteNumber, positiveInteger } from "../../lib/check.js";
import source from "./kernel.wgsl.js";
import { type NormalizeWeightParams, reference } from "./reference.js";

const name = "normalize-weight";

/** Effective weight of an MPConv, w [rows, fanIn] to y [rows, fanIn], times the gain [1] where there is one. All f32. */
export const normalizeWeight: Kernel<NormalizeWeightParams> = {
  name,
  source: [{ file: "kernels/network/normalize-weight/kernel.wgsl", text: source }],
  check({ rows, fanIn, factor }) {
    positiveInteger(name, "rows", rows);
    positiveInteger(name, "fanIn", fanIn);
    finiteNumber(name, "factor", factor);
    addressable(name, "w", rows, fanIn);
  },
  buffers: ({ rows, fanIn, gained }) => [
    { name: "w", access: "read", type: "f32", length: rows * fanIn },
    { name: "gain", access: "read", type: "f32", length: gained ? 1 : 0 },
    { name: "y", access: "write", type: "f32", length: rows * fanIn },
  ],
  variant({ gained }, caps) {
    // On a processor a workgroup has no lanes to fill.
    const size = caps.software ? 8 : 64;
    return {
      key: `${size}${gained ? "-gained" : ""}`,
      prelude: `const SIZE: u32 = ${size}u;\nconst GAINED: bool = ${gained};`,
    };
  },
  uniforms: ({ rows, fanIn, factor }) => ({ rows, fan_in: fanIn, scale: factor / Math.sqrt(fanIn) }),
  grid: ({ rows }, _variant, caps) => grid1d(rows, 1, caps),
  cost: ({ rows, fanIn }) => ({ flops: 3 * rows * fanIn, bytes: 8 * rows * fanIn }),
  reference,
  cases: [
    { name: "one row of two", params: { rows: 1, fanIn: 2, gained: true, factor: 1 } },
    { name: "odd sizes", params: { rows: 7, fanIn: 37, gained: true, factor: 0.7 } },
    { name: "fewer entries than invocations", params: { rows: 19, fanIn: 5, gained: false, factor: 1 } },
    {
      name: "zero and tiny rows",
      params: { rows: 6, fanIn: 27, gained: false, factor: 1 },
      inputs: (buffer, length, random) =>
        buffer === "w"
          ? Float32Array.from({ length }, (_, i) => random() * (i < 54 ? 0 : i < 108 ? 1e-4 : 1))
          : undefined,
    },
    { name: "a layer of 3x3", params: { rows: 128, fanIn: 1152, gained: false, factor: 1 } },
  ],
  tolerance: { f32: 1e-6, f16: 1e-6 },
};
