import { grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { addressable, positiveInteger } from "../../lib/check.js";
import { lanesOf, storedLanes } from "../../lib/lanes.js";
import source from "./kernel.wgsl.js";
import { reference, type SoftmaxParams } from "./reference.js";

/** Softmax over the rows of every column of x [images, rows, columns]; rounded to the storage type only at the end. */
export const softmax: Kernel<SoftmaxParams> = {
  name: "softmax",
  source: [{ file: "kernels/vae/softmax/kernel.wgsl", text: source }],
  check(p) {
    for (const name of ["images", "rows", "columns"] as const) positiveInteger("softmax", name, p[name]);
    addressable("softmax", "x", p.images, p.rows, p.columns);
  },
  buffers({ images, rows, columns }) {
    const length = images * rows * columns;
    return [read("x", length, "act"), write("y", length, "act")];
  },
  variant({ columns }, caps) {
    return storedLanes(lanesOf(columns), "S", caps);
  },
  uniforms: ({ images, rows, columns }) => ({ images, rows, columns: columns / lanesOf(columns) }),
  grid: ({ images, columns }, _variant, caps) => grid1d((images * columns) / lanesOf(columns), 32, caps),
  cost({ images, rows, columns }, bytesPerAct) {
    const elements = images * rows * columns;
    return { flops: 6 * elements, bytes: 2 * bytesPerAct * elements };
  },
  reference,
  cases: [
    { name: "one value", params: { images: 1, rows: 1, columns: 1 } },
    { name: "odd sizes", params: { images: 3, rows: 17, columns: 5 } },
    { name: "quads", params: { images: 2, rows: 64, columns: 36 } },
    {
      name: "large logits",
      params: { images: 1, rows: 20, columns: 8 },
      inputs: (_name, length, random) => Float32Array.from({ length }, () => 500 * random()),
    },
  ],
  tolerance: { f32: 4e-6, f16: 1e-3 },
};
