import { read, write } from "../../lib/buffers.js";
import { elementwise } from "../../lib/elementwise.js";
import { lanesOf, storedLanes } from "../../lib/lanes.js";
import source from "./kernel.wgsl.js";
import { reference, type SoftmaxParams } from "./reference.js";

/** Softmax over the rows of every column of x [images, rows, columns]; rounded to the storage type only at the end. */
export const softmax = elementwise<SoftmaxParams>({
  name: "softmax",
  group: "vae",
  source,
  counts: ({ images, rows, columns }) => ({ images, rows, columns }),
  workgroup: 32,
  threads: ({ images, columns }) => (images * columns) / lanesOf(columns),
  buffers({ images, rows, columns }) {
    const length = images * rows * columns;
    return [read("x", length, "act"), write("y", length, "act")];
  },
  variant: ({ columns }, caps) => storedLanes(lanesOf(columns), "S", caps),
  uniforms: ({ columns }) => ({ columns: columns / lanesOf(columns) }),
  flops: ({ images, rows, columns }) => 6 * images * rows * columns,
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
});
