import { read, write } from "../../lib/buffers.js";
import { multipleOf } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type BlockDctParams, reference } from "./reference.js";

/** The orthonormal DCT of blocks of 8 x 8, or its inverse. */
export const blockDct = elementwise<BlockDctParams>({
  name: "block-dct",
  group: "operators",
  source,
  counts: ({ planes, height, width }) => ({ planes, height, width }),
  check({ height, width }) {
    multipleOf("block-dct", "height", height, 8);
    multipleOf("block-dct", "width", width, 8);
  },
  buffers: (_, n) => [read("x", n), read("table", 64), write("y", n)],
  flags: ({ inverse }) => ({ INVERSE: inverse }),
  flops: (_, n) => 144 * n,
  reference,
  cases: [
    { name: "one block", params: { planes: 1, height: 8, width: 8, inverse: false } },
    { name: "one block, inverse", params: { planes: 1, height: 8, width: 8, inverse: true } },
    { name: "images", params: { planes: 3, height: 24, width: 32, inverse: false } },
    { name: "images, inverse", params: { planes: 3, height: 24, width: 32, inverse: true } },
  ],
  tolerance: { f32: 5e-7, f16: 5e-7 },
});
