import { grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { addressable, positiveInteger } from "../../lib/check.js";
import { summing, summingSize } from "../../lib/entry.js";
import source from "./kernel.wgsl.js";
import { type ResidualNormParams, reference } from "./reference.js";

/** norm = |y - ax| per image: y, ax [N, entries] to norm [N]. All f32. */
export const residualNorm: Kernel<ResidualNormParams> = {
  name: "residual-norm",
  source: [...summing(), { file: "kernels/sampling/residual-norm/kernel.wgsl", text: source }],
  check({ batch, entries }) {
    positiveInteger("residual-norm", "batch", batch);
    positiveInteger("residual-norm", "entries", entries);
    addressable("residual-norm", "y", batch, entries);
  },
  buffers: ({ batch, entries }) => [read("y", batch * entries), read("ax", batch * entries), write("norm", batch)],
  variant(_, caps) {
    const { size, prelude } = summingSize(caps, 256);
    return { key: String(size), prelude };
  },
  uniforms: ({ batch, entries }) => ({ workgroups: batch, entries }),
  grid: ({ batch }, _variant, caps) => grid1d(batch, 1, caps),
  cost: ({ batch, entries }) => ({ flops: 3 * batch * entries, bytes: 4 * batch * (2 * entries + 1) }),
  reference,
  cases: [
    { name: "one value", params: { batch: 1, entries: 1 } },
    { name: "odd length", params: { batch: 3, entries: 131 } },
    {
      name: "nothing left",
      params: { batch: 2, entries: 67 },
      inputs: (_, length) => new Float32Array(length).fill(3),
    },
    { name: "longer than a turn of the workgroup", params: { batch: 2, entries: 3 * 64 * 64 + 5 } },
  ],
  tolerance: { f32: 1e-6, f16: 1e-6 },
};
