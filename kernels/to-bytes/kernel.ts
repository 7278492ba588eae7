import { grid1d, type Kernel } from "../../src/gpu/contract.js";
import { addressable, positiveInteger } from "../lib/check.js";
import source from "./kernel.wgsl.js";
import { toBytesReference } from "./reference.js";

export interface ToBytesParams {
  /** Pixel values in all. */
  readonly elements: number;
}

/** Values in [-1, 1] to bytes, four in a word: trunc(clip(127.5 x + 128, 0, 255)), NaN to 0, order kept. */
export const toBytes: Kernel<ToBytesParams> = {
  name: "to-bytes",
  source: [{ file: "kernels/to-bytes/kernel.wgsl", text: source }],
  check({ elements }) {
    positiveInteger("to-bytes", "elements", elements);
    addressable("to-bytes", "x", elements);
  },
  buffers({ elements }) {
    return [
      { name: "x", access: "read", type: "f32", length: elements },
      { name: "out", access: "write", type: "u32", length: Math.ceil(elements / 4) },
    ];
  },
  variant: () => ({ key: "", prelude: "" }),
  uniforms: ({ elements }) => ({ elements, zero: 0 }),
  grid: ({ elements }, _variant, caps) => grid1d(Math.ceil(elements / 4), 64, caps),
  cost: ({ elements }) => ({ flops: 4 * elements, bytes: 5 * elements }),
  reference: toBytesReference,
  cases: [
    { name: "one value", params: { elements: 1 } },
    { name: "odd length", params: { elements: 131 } },
    { name: "every byte and both neighbours", params: { elements: 3 * 256 }, inputs: borders },
    { name: "outside the range, not finite", params: { elements: 11 }, inputs: extremes },
    { name: "an image", params: { elements: 3 * 32 * 32 } },
  ],
  tolerance: { f32: 0, f16: 0 },
};

/** x = u / 127.5 - 1 of every byte u, where 127.5 x + 128 is a whole number but for rounding, and the floats beside it. */
function borders(_name: string, length: number): Float32Array {
  const x = Float32Array.from({ length }, (_, i) => Math.floor(i / 3) / 127.5 - 1);
  const bits = new Int32Array(x.buffer);
  for (let i = 0; i < length; i++) bits[i]! += (i % 3) - 1;
  return x;
}

function extremes(): Float32Array {
  return Float32Array.of(Number.NaN, Infinity, -Infinity, 1e30, -1e30, 3.4e38, -3.4e38, 1, -1, 1.001, -1.01);
}
