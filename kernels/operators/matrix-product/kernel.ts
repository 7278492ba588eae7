import { grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { addressable, positiveInteger } from "../../lib/check.js";
import { summing, summingSize } from "../../lib/entry.js";
import source from "./kernel.wgsl.js";
import { type MatrixProductParams, reference } from "./reference.js";

const tiles = ({ rows, outputs }: MatrixProductParams) => outputs * Math.ceil(rows / 4);

/** y [rows, outputs] of x [rows, inputs] with one matrix [outputs, inputs], all f32. */
export const matrixProduct: Kernel<MatrixProductParams> = {
  name: "matrix-product",
  source: [...summing(undefined, "vec4f"), { file: "kernels/operators/matrix-product/kernel.wgsl", text: source }],
  check(p) {
    for (const name of ["rows", "inputs", "outputs"] as const) positiveInteger("matrix-product", name, p[name]);
    addressable("matrix-product", "m", p.outputs, p.inputs);
    addressable("matrix-product", "x", p.rows, p.inputs);
    addressable("matrix-product", "y", p.rows, p.outputs);
  },
  buffers: ({ rows, inputs, outputs }) => [
    read("x", rows * inputs),
    read("m", outputs * inputs),
    write("y", rows * outputs),
  ],
  variant: (_, caps) => ({ key: `${summingSize(caps).size}`, prelude: summingSize(caps).prelude }),
  uniforms: (p) => ({ workgroups: tiles(p), rows: p.rows, inputs: p.inputs, outputs: p.outputs }),
  grid: (p, _variant, caps) => grid1d(tiles(p), 1, caps),
  cost: ({ rows, inputs, outputs }) => ({
    flops: 2 * rows * inputs * outputs,
    bytes: 4 * (rows * (inputs + outputs) + Math.ceil(rows / 4) * inputs * outputs),
  }),
  reference,
  cases: [
    { name: "one value", params: { rows: 1, inputs: 1, outputs: 1 } },
    { name: "odd sizes", params: { rows: 5, inputs: 77, outputs: 13 } },
    { name: "a few rows, tall", params: { rows: 3, inputs: 64, outputs: 90 } },
    { name: "images", params: { rows: 4, inputs: 3 * 32 * 32, outputs: 307 } },
  ],
  tolerance: { f32: 2e-6, f16: 2e-6 },
};
